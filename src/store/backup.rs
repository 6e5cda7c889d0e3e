//! Backups: a copy of one moment, looked through before it gets its name. See [`super::snapshot`] for how it is made.
//!
//! It works beside the running server and without one, and from another process than the server's: a backup that goes wrong
//! harms nobody.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;
use rustix::fs::Access;

use super::snapshot::{self, Holds};
use super::unfinished::{Unfinished, beside, folder_of, remove_all_left_behind};
use super::{Settings, StoreError, connect, schema};
use crate::domain::time::Timestamp;

/// What a backup is named in a folder of them: `widgetd-2026-11-25T03-10-00.000Z.db`, so that their order is that of time.
const NAME_BEGINS: &str = "widgetd-";
const NAME_ENDS: &str = ".db";

/// Why there is no backup. Nothing half-made is left.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error("{} is there already: choose another name, or add --overwrite to put the backup in its place", .path.display())]
    Exists { path: PathBuf },
    #[error("{} lies there, and SQLite would take it for the backup's: remove it, or choose another name", .path.display())]
    LogThere { path: PathBuf },
    #[error("there is no folder {}: make it first", .folder.display())]
    NoFolder { folder: PathBuf },
    #[error("{} is a folder: write --folder before it, and backups in it are named after their time", .path.display())]
    IsFolder { path: PathBuf },
    #[error("{} is the folder of the database: what destroys the one would destroy the other, so name another folder", .folder.display())]
    InDataFolder { folder: PathBuf },
    #[error("another backup is being written to {}: wait until it has ended", .path.display())]
    Running { path: PathBuf },
    #[error("cannot read {}: {error}", .path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("cannot write {}: {error}", .path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("cannot open the database in {}: {error}", .folder.display())]
    Open { folder: PathBuf, error: StoreError },
    #[error("cannot copy {} to {}: {error}", .from.display(), .to.display())]
    Copy { from: PathBuf, to: PathBuf, error: StoreError },
}

/// A folder of backups after one more was made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rotated {
    pub(crate) made: PathBuf,
    pub(crate) holds: Holds,
    /// How many there are now.
    pub(crate) kept: usize,
    pub(crate) removed: Vec<PathBuf>,
}

/// Makes a backup of the database of these settings, which a server may be using.
pub(crate) fn backup(settings: &Settings, target: &Path, may_replace: bool) -> Result<Holds, BackupError> {
    check_target(settings, target, may_replace)?;
    let from = settings.database();
    let open = |error| BackupError::Open { folder: settings.folder.clone(), error };
    if !from.exists() {
        return Err(open(StoreError::Missing { folder: settings.folder.clone() }));
    }
    // SQLite would not say why it cannot.
    rustix::fs::access(&from, Access::READ_OK)
        .map_err(|error| BackupError::Read { path: from.clone(), error: error.into() })?;
    let mut source = connect(&from, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(open)?;
    schema::readable(&source, &from).map_err(open)?;
    let write = |error: io::Error| match error.kind() {
        io::ErrorKind::WouldBlock => BackupError::Running { path: target.to_owned() },
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: target.to_owned() },
        _ => BackupError::Write { path: target.to_owned(), error },
    };
    let unfinished = Unfinished::begin(target).map_err(write)?;
    let holds = snapshot::copy(&mut source, &unfinished);
    let holds = holds.map_err(|error| BackupError::Copy { from, to: target.to_owned(), error })?;
    unfinished.finish(may_replace).map_err(write)?;
    Ok(holds)
}

/// What can be told before anything is read.
fn check_target(settings: &Settings, target: &Path, may_replace: bool) -> Result<(), BackupError> {
    let path = || target.to_owned();
    match std::fs::symlink_metadata(target) {
        Ok(there) if there.is_dir() => return Err(BackupError::IsFolder { path: path() }),
        Ok(_) if !may_replace => return Err(BackupError::Exists { path: path() }),
        _ => {}
    }
    let folder = folder_of(target);
    let found = match folder.canonicalize() {
        Ok(found) if found.is_dir() => found,
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(BackupError::Write { path: path(), error });
        }
        _ => return Err(BackupError::NoFolder { folder: folder.to_owned() }),
    };
    if settings.folder.canonicalize().is_ok_and(|data| data == found) {
        return Err(BackupError::InDataFolder { folder: folder.to_owned() });
    }
    let logs = ["-wal", "-journal"].map(|suffix| beside(target, suffix));
    match logs.into_iter().find(|log| log.exists()) {
        Some(path) => Err(BackupError::LogThere { path }),
        None => Ok(()),
    }
}

/// Makes a backup in the folder, named after `now`, and then removes the oldest until there are `keep`, at least one.
pub(crate) fn backup_into(
    settings: &Settings,
    folder: &Path,
    keep: usize,
    now: Timestamp,
) -> Result<Rotated, BackupError> {
    if !folder.is_dir() {
        return Err(BackupError::NoFolder { folder: folder.to_owned() });
    }
    let made = folder.join(format!("{NAME_BEGINS}{}{NAME_ENDS}", in_a_name(now)));
    let holds = backup(settings, &made, false)?;
    let failed = |error| BackupError::Write { path: folder.to_owned(), error };
    // Of one that was killed: the next had another name.
    remove_all_left_behind(folder, is_name).map_err(failed)?;
    let mut others = backups_in(folder).map_err(failed)?;
    // Also if the clock was set back since the others were made.
    others.retain(|path| *path != made);
    others.sort();
    let surplus = others.len().saturating_sub(keep.saturating_sub(1));
    let removed: Vec<_> = others.drain(..surplus).collect();
    for path in &removed {
        std::fs::remove_file(path).map_err(|error| BackupError::Write { path: path.clone(), error })?;
    }
    Ok(Rotated { made, holds, kept: others.len() + 1, removed })
}

/// A moment without a colon, which some file systems do not take.
pub(super) fn in_a_name(now: Timestamp) -> String {
    now.to_string().replace(':', "-")
}

/// Only what has a name that this gives: whatever else lies in the folder stays.
fn backups_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(is_name) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn is_name(name: &str) -> bool {
    const TIME: &str = "0000-00-00T00-00-00.000Z";
    let time = name.strip_prefix(NAME_BEGINS).and_then(|rest| rest.strip_suffix(NAME_ENDS));
    time.is_some_and(|time| {
        time.len() == TIME.len()
            && time.bytes().zip(TIME.bytes()).all(|(found, form)| match form {
                b'0' => found.is_ascii_digit(),
                form => found == form,
            })
    })
}

#[cfg(test)]
mod tests;
