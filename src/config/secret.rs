//! Keys from files: read only if nobody else can read them, and made once if they are ours to make.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::domain::id;
use crate::domain::secret::Secret;
use crate::token::KEY_BYTES_MIN;

/// The signing keys, beside the database: one a line, the first signs.
const FILE_NAME: &str = "secret";
const FILE_BYTES_MAX: u64 = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        error: std::io::Error,
    },
    #[error("{0} can be read by others (mode {mode:o}): run chmod 600 {0}", path.display())]
    Readable { path: PathBuf, mode: u32 },
    #[error(
        "{from}: key {position} has {found} bytes, a signing key needs at least {KEY_BYTES_MIN}: write a longer one, such as openssl rand -hex 32 makes"
    )]
    Short {
        from: String,
        position: usize,
        found: usize,
    },
    #[error(
        "{from} holds no key: write one of at least {KEY_BYTES_MIN} bytes, such as openssl rand -hex 32 makes"
    )]
    None { from: String },
}

/// The keys that sign and verify tokens: the one that signs, and those that only verify. `variable` is
/// `WIDGETD_JWT_SECRET`, keys separated by commas; without it they are in a file of `folder`, which is made if it is
/// missing.
pub(crate) fn token_keys(
    variable: Option<&str>,
    folder: &Path,
) -> Result<(Secret, Vec<Secret>), SecretError> {
    if let Some(keys) = variable {
        return checked(
            keys.split(',').map(str::trim).filter(|key| !key.is_empty()),
            "WIDGETD_JWT_SECRET",
        );
    }
    let path = folder.join(FILE_NAME);
    let text = match read_private(&path) {
        Err(SecretError::Io { error, .. }) if error.kind() == ErrorKind::NotFound => {
            make(folder, &path)?
        }
        result => result?,
    };
    checked(
        text.lines().map(str::trim).filter(|line| !line.is_empty()),
        &path.display().to_string(),
    )
}

fn checked<'a>(
    keys: impl Iterator<Item = &'a str>,
    from: &str,
) -> Result<(Secret, Vec<Secret>), SecretError> {
    let mut secrets = Vec::new();
    for (index, key) in keys.enumerate() {
        if key.len() < KEY_BYTES_MIN {
            return Err(SecretError::Short {
                from: from.to_owned(),
                position: index + 1,
                found: key.len(),
            });
        }
        secrets.push(Secret::new(key));
    }
    let mut secrets = secrets.into_iter();
    let first = secrets.next().ok_or_else(|| SecretError::None {
        from: from.to_owned(),
    })?;
    Ok((first, secrets.collect()))
}

/// The text of a file that is its owner's alone.
pub(super) fn read_private(path: &Path) -> Result<String, SecretError> {
    let io = |error| SecretError::Io {
        path: path.to_owned(),
        error,
    };
    let file = File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretError::Readable {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(io)?;
    Ok(text)
}

/// Makes a key of 256 random bits. Whoever comes second reads what the first has made.
fn make(folder: &Path, path: &Path) -> Result<String, SecretError> {
    let io = |error| SecretError::Io {
        path: path.to_owned(),
        error,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(io)?;
    let key = format!("{}{}\n", id::random_hex(), id::random_hex());
    // A new file: never one that a link leads to.
    match OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Ok(mut file) => {
            file.write_all(key.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(io)?;
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(io)?;
            Ok(key)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => read_private(path),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::domain::scratch::Scratch;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let scratch = Scratch::new();
        let folder = scratch.path().join("data");
        let (first, others) = token_keys(None, &folder).unwrap();
        assert!(first.expose().len() >= KEY_BYTES_MIN && others.is_empty());
        let mode = std::fs::metadata(folder.join("secret")).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert!(
            token_keys(None, &folder).unwrap().0 == first,
            "a restart signs nobody out"
        );
    }

    #[test]
    fn several_keys_rotate() {
        let (a, b) = ("a".repeat(32), "b".repeat(40));
        let (first, others) =
            token_keys(Some(&format!("{a}, {b}")), Path::new("/nowhere")).unwrap();
        assert_eq!(
            (first.expose(), others[0].expose()),
            (a.as_str(), b.as_str())
        );
    }

    #[test]
    fn short_missing_and_readable_keys_are_refused() {
        let short = token_keys(Some("short"), Path::new("/nowhere"))
            .err()
            .unwrap()
            .to_string();
        assert!(
            short.contains("WIDGETD_JWT_SECRET: key 1 has 5 bytes"),
            "{short}"
        );
        assert!(matches!(
            token_keys(Some(" , "), Path::new("/nowhere")),
            Err(SecretError::None { .. })
        ));
        let scratch = Scratch::new();
        let path = scratch.path().join("secret");
        std::fs::write(&path, "a".repeat(64)).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let readable = token_keys(None, scratch.path()).err().unwrap().to_string();
        assert!(readable.contains("run chmod 600"), "{readable}");
    }
}
