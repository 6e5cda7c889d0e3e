//! Secrets on disk and in the environment: the keys that sign tokens, and files that hold a model's key.
//!
//! What others could read is refused with the command that mends it; what is made here is 0600 from its first moment and
//! never written through a symbolic link.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::domain::secret::Secret;

const VARIABLE: &str = "WIDGETD_JWT_SECRET";
const FILE_NAME: &str = "secret";
/// The size of HS256's output, below which a key is the weakest part (RFC 7518, section 3.2).
const KEY_BYTES_MIN: usize = 32;
/// The first signs, the others only verify while a rotation lasts.
const KEYS_MAX: usize = 16;
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Why there is no secret. Each says what to do, and none shows the secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("key {number} of {place} has {bytes} bytes and needs {KEY_BYTES_MIN}; make one with: openssl rand -hex 32")]
    Short {
        place: String,
        /// Counted from 1.
        number: usize,
        bytes: usize,
    },
    #[error("{place} holds {found} keys; at most {KEYS_MAX} can be")]
    TooMany { place: String, found: usize },
    #[error("{} holds no key; remove it and start again, or put a key in it", .path.display())]
    Empty { path: PathBuf },
    #[error("{} can be read by others (mode {mode:03o}); run: chmod 600 {}", .path.display(), shell_quoted(.path))]
    Readable { path: PathBuf, mode: u32 },
    #[error("{} is not a plain file of at most 64 KiB of text", .path.display())]
    NotAFile { path: PathBuf },
    #[error("{} is a symbolic link; put the file itself there, or set {VARIABLE}", .path.display())]
    Link { path: PathBuf },
    #[error("{} cannot be read: {source}", .path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} cannot be made: {source}", .path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the operating system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

/// The keys of tokens: the first signs, all verify. They come from `env`, the text of `WIDGETD_JWT_SECRET` (several are
/// separated by commas), else from the file `secret` in `folder` (a key a line), which is made when there is none.
/// Each has at least 32 bytes; there is at least one.
pub(crate) fn token_keys(env: Option<&str>, folder: &Path) -> Result<Vec<Secret>, SecretError> {
    if let Some(text) = env {
        return check_keys(VARIABLE, text.split(',').map(str::trim).collect());
    }
    let path = folder.join(FILE_NAME);
    let text = match read_private(&path, OFlags::NOFOLLOW) {
        Err(SecretError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            make(folder, &path)?;
            read_private(&path, OFlags::NOFOLLOW)?
        }
        outcome => outcome?,
    };
    let keys: Vec<_> = lines(&text).collect();
    if keys.is_empty() {
        return Err(SecretError::Empty { path });
    }
    check_keys(&path.display().to_string(), keys)
}

/// The one key in the file at `path`, without the white space around it. A link is followed: secrets are often mounted so.
pub(super) fn read_key_file(path: &Path) -> Result<String, SecretError> {
    let text = read_private(path, OFlags::empty())?;
    match text.trim() {
        "" => Err(SecretError::Empty { path: path.to_owned() }),
        key => Ok(key.to_owned()),
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn check_keys(place: &str, keys: Vec<&str>) -> Result<Vec<Secret>, SecretError> {
    let place = place.to_owned();
    if keys.len() > KEYS_MAX {
        let found = keys.len();
        return Err(SecretError::TooMany { place, found });
    }
    let short = keys.iter().position(|key| key.len() < KEY_BYTES_MIN);
    if let Some(index) = short {
        return Err(SecretError::Short { place, number: index + 1, bytes: keys[index].len() });
    }
    Ok(keys.into_iter().map(Secret::new).collect())
}

fn read_private(path: &Path, flags: OFlags) -> Result<String, SecretError> {
    let owned = || path.to_owned();
    let failed = |source: io::Error| match source.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::LOOP) => SecretError::Link { path: owned() },
        _ => SecretError::Read { path: owned(), source },
    };
    // Without NONBLOCK, opening a named pipe would wait for its writer.
    let flags = flags | OFlags::NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(failed)?;
    // Of the open file, not of the path: it cannot be another one by now.
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(SecretError::NotAFile { path: owned() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Readable { path: owned(), mode });
    }
    let mut text = String::new();
    match file.take(FILE_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(SecretError::NotAFile { path: owned() }),
        Err(error) => Err(failed(error)),
    }
}

/// Makes the file with 256 random bits in hex. Another process that made it first is no error: its key is as good.
fn make(folder: &Path, path: &Path) -> Result<(), SecretError> {
    let mut random = [0; KEY_BYTES_MIN];
    getrandom::fill(&mut random).map_err(SecretError::Random)?;
    let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let written =
        DirBuilder::new().recursive(true).mode(0o700).create(folder).and_then(|()| write_new(folder, path, &key));
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome.map_err(|source| SecretError::Write { path: path.to_owned(), source }),
    }
}

fn write_new(folder: &Path, path: &Path, key: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    let written = file
        .write_all(format!("{key}\n").as_bytes())
        // A token must not outlive its key: both survive a power cut, the file and its name.
        .and_then(|()| file.sync_all())
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // Half a key would be refused at the next start.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn shell_quoted(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    if path.chars().all(is_plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder of its own for each test, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let name = format!("widgetd-{}", crate::domain::id::random_hex());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn file(&self, text: &str, mode: u32) -> PathBuf {
            let path = self.0.join(FILE_NAME);
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        }

        fn keys(&self) -> Result<Vec<String>, SecretError> {
            exposed(token_keys(None, &self.0))
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn exposed(keys: Result<Vec<Secret>, SecretError>) -> Result<Vec<String>, SecretError> {
        keys.map(|keys| keys.iter().map(|key| key.expose().to_owned()).collect())
    }

    #[test]
    fn the_secret_is_made_once_and_nobody_else_can_read_it() {
        let folder = Folder::new();
        let data = folder.0.join("data");
        let first = exposed(token_keys(None, &data)).unwrap();
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].len(), 64);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&data.join(FILE_NAME)), 0o600);
        assert_eq!(mode(&data), 0o700);
        let again = exposed(token_keys(None, &data)).unwrap();
        assert_eq!(first, again);
        assert_ne!(first, folder.keys().unwrap());
    }

    #[test]
    fn the_variable_wins_and_leaves_no_file() {
        let folder = Folder::new();
        let [old, new] = ["a".repeat(32), "b".repeat(40)];
        let keys = exposed(token_keys(Some(&format!("{new}, {old}")), &folder.0)).unwrap();
        assert_eq!(keys, [new, old]);
        assert!(!folder.0.join(FILE_NAME).exists());
    }

    #[test]
    fn each_line_of_the_file_is_a_key() {
        let folder = Folder::new();
        let [old, new] = ["a".repeat(32), "b".repeat(40)];
        folder.file(&format!("{new}\n\n{old}\r\n"), 0o600);
        assert_eq!(folder.keys().unwrap(), [new, old]);
    }

    #[test]
    fn short_keys_are_refused_wherever_they_are() {
        let folder = Folder::new();
        let long = "a".repeat(32);
        for (text, number, bytes) in
            [("", 1, 0), ("short", 1, 5), (&format!("{long},"), 2, 0), (&format!("{long},{}", "b".repeat(31)), 2, 31)]
        {
            let error = token_keys(Some(text), &folder.0).unwrap_err();
            let expected = format!("key {number} of WIDGETD_JWT_SECRET has {bytes} bytes");
            assert!(error.to_string().starts_with(&expected), "{error}");
        }
        folder.file("short\n", 0o600);
        assert!(matches!(folder.keys(), Err(SecretError::Short { bytes: 5, .. })));
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
        let folder = Folder::new();
        for mode in [0o640, 0o604, 0o644, 0o620, 0o660] {
            let path = folder.file(&"a".repeat(32), mode);
            let error = folder.keys().unwrap_err().to_string();
            let command = format!("chmod 600 {}", path.display());
            assert!(error.contains(&format!("{mode:o}")), "{error}");
            assert!(error.ends_with(&command), "{error}");
        }
        folder.file(&"a".repeat(32), 0o400);
        assert!(folder.keys().is_ok());
    }

    #[test]
    fn a_link_is_neither_read_nor_written_through() {
        let folder = Folder::new();
        let target = folder.0.join("elsewhere");
        std::os::unix::fs::symlink(&target, folder.0.join(FILE_NAME)).unwrap();
        assert!(matches!(folder.keys(), Err(SecretError::Link { .. })));
        assert!(!target.exists());
    }

    #[test]
    fn what_holds_no_key_is_refused() {
        let folder = Folder::new();
        folder.file(" \n", 0o600);
        assert!(matches!(folder.keys(), Err(SecretError::Empty { .. })));
        write(folder.0.join(FILE_NAME), [0xff; 40]).unwrap();
        assert!(matches!(folder.keys(), Err(SecretError::NotAFile { .. })));
        std::fs::remove_file(folder.0.join(FILE_NAME)).unwrap();
        std::fs::create_dir(folder.0.join(FILE_NAME)).unwrap();
        assert!(matches!(folder.keys(), Err(SecretError::NotAFile { .. })));
    }

    #[test]
    fn a_command_to_paste_survives_blanks_in_the_path() {
        assert_eq!(shell_quoted(Path::new("/a b/it's")), "'/a b/it'\\''s'");
    }
}
