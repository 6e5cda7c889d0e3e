//! A file that is made beside its place and takes it once it is whole and on the disk: whoever looks there finds all of it
//! or nothing, also after a power cut.
//!
//! Until then its name is always `.NAME.part`, so that what a killed process left behind is found and removed by the next
//! one. A lock on the file tells what was left behind from what is being written.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, OFlags, RenameFlags};
use rustix::io::Errno;

/// What SQLite puts beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

pub(super) struct Unfinished {
    /// Where it is to be, without a link on the way.
    target: PathBuf,
    path: PathBuf,
    file: File,
    is_in_place: bool,
}

impl Unfinished {
    /// Makes an empty file for its owner alone, for `target`, which is in a folder that is there. `WouldBlock`: another
    /// process is writing it.
    pub(super) fn begin(target: &Path) -> io::Result<Self> {
        let name = target.file_name().ok_or_else(|| io::Error::other("it names no file"))?;
        let folder = folder_of(target).canonicalize()?;
        let mut unfinished = std::ffi::OsString::from(".");
        unfinished.push(name);
        unfinished.push(".part");
        let path = folder.join(unfinished);
        loop {
            // Never one that is there already: it may be another user's, or lead elsewhere.
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
                    // A log would be taken for this one's.
                    remove_what_is_beside(&path);
                    return Ok(Self { target: folder.join(name), path, file, is_in_place: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_left_behind(&path)?,
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Puts it in its place. `AlreadyExists`: something is there, and may not be replaced.
    pub(super) fn finish(mut self, may_replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let flags = if may_replace { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        match rustix::fs::renameat_with(CWD, &self.path, CWD, &self.target, flags) {
            // A network's file system may not know how.
            Err(Errno::INVAL | Errno::NOSYS) if !self.target.exists() => std::fs::rename(&self.path, &self.target)?,
            renamed => renamed?,
        }
        self.is_in_place = true;
        sync_folder(folder_of(&self.target))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Once it is in its place, what has this name is another's.
        if !self.is_in_place {
            remove_what_is_beside(&self.path);
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes what SQLite has put beside this file. Before the file itself: what stays when this is killed still tells of it.
pub(super) fn remove_what_is_beside(path: &Path) {
    for suffix in BESIDE {
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

/// Removes what nobody writes any more.
fn remove_left_behind(path: &Path) -> io::Result<()> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let found = file.metadata()?;
    // Whoever wrote it may have put it in its place meanwhile, and another have begun a new one.
    match std::fs::symlink_metadata(path) {
        Ok(there) if (there.dev(), there.ino()) == (found.dev(), found.ino()) => {
            remove_what_is_beside(path);
            std::fs::remove_file(path)
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what was left behind in the folder for places of these names.
pub(super) fn remove_all_left_behind(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name();
        let name = found.to_str().and_then(|found| found.strip_prefix('.')?.strip_suffix(".part"));
        if name.is_some_and(&is_wanted) {
            match remove_left_behind(&entry.path()) {
                // It is being written.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

/// `widgetd.db-wal` of `widgetd.db`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder in which a file is: of `backup.db` it is this one.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What was renamed or linked in it is on the disk then.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // A network's file system may have no such thing.
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::domain::scratch::Scratch;

    fn names(scratch: &Scratch) -> Vec<String> {
        let entries = std::fs::read_dir(scratch.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn it_is_there_whole_or_not_at_all() {
        let scratch = Scratch::new();
        let target = scratch.path().join("copy");
        let unfinished = Unfinished::begin(&target).unwrap();
        unfinished.file().write_all(b"half").unwrap();
        assert_eq!(names(&scratch), [".copy.part"]);
        drop(unfinished);
        assert!(names(&scratch).is_empty());
        let unfinished = Unfinished::begin(&target).unwrap();
        assert_eq!(unfinished.file().metadata().unwrap().mode() & 0o777, 0o600);
        unfinished.file().write_all(b"whole").unwrap();
        unfinished.finish(false).unwrap();
        assert_eq!(names(&scratch), ["copy"]);
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
    }

    #[test]
    fn what_is_there_is_replaced_only_if_it_may_be() {
        let scratch = Scratch::new();
        let target = scratch.path().join("copy");
        std::fs::write(&target, "old").unwrap();
        let refused = Unfinished::begin(&target).unwrap().finish(false).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((std::fs::read(&target).unwrap(), names(&scratch)), (b"old".to_vec(), vec!["copy".into()]));
        Unfinished::begin(&target).unwrap().finish(true).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_another_writes_is_not() {
        let scratch = Scratch::new();
        let target = scratch.path().join("copy");
        let left_behind = [".copy.part", ".copy.part-wal", ".copy.part-shm"];
        let leave = || left_behind.iter().for_each(|name| std::fs::write(scratch.path().join(name), "half").unwrap());
        leave();
        let unfinished = Unfinished::begin(&target).unwrap();
        assert_eq!((names(&scratch), unfinished.file().metadata().unwrap().len()), (vec![".copy.part".into()], 0));
        let refused = Unfinished::begin(&target).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        remove_all_left_behind(scratch.path(), |_| true).unwrap();
        unfinished.finish(false).unwrap();
        leave();
        remove_all_left_behind(scratch.path(), |name| name == "other").unwrap();
        assert_eq!(names(&scratch).len(), 4);
        remove_all_left_behind(scratch.path(), |name| name == "copy").unwrap();
        assert_eq!(names(&scratch), ["copy"]);
    }

    #[test]
    fn a_link_in_its_place_is_not_followed() {
        let scratch = Scratch::new();
        let (target, elsewhere) = (scratch.path().join("copy"), scratch.path().join("elsewhere"));
        std::fs::write(&elsewhere, "untouched").unwrap();
        std::os::unix::fs::symlink(&elsewhere, scratch.path().join(".copy.part")).unwrap();
        assert!(Unfinished::begin(&target).is_err());
        std::fs::remove_file(scratch.path().join(".copy.part")).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &target).unwrap();
        Unfinished::begin(&target).unwrap().finish(true).unwrap();
        assert!(std::fs::symlink_metadata(&target).unwrap().is_file(), "the link itself was replaced");
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"untouched");
    }
}
