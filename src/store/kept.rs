//! The copies that the server itself keeps beside the database, so that an upgrade or a restore can be undone:
//! `widgetd.db.before-7` before the schema is changed from version 7, `widgetd.db.before-restore-TIME` before a restore.
//! They hold what visitors said, so they do not stay for ever.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::snapshot;
use super::unfinished::{Unfinished, beside, folder_of, remove_what_is_beside};
use super::{FILE_NAME, Store, StoreError};
use crate::domain::time::Timestamp;

/// How long they are kept.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Free space that a copy needs, in its own size: the new schema may need as much again.
const ROOM: u64 = 2;

/// Copies the database before its schema is changed from version `found`, if there is room for that.
pub(super) fn copy_before_upgrade(connection: &mut Connection, path: &Path, found: usize) -> Result<(), StoreError> {
    let target = beside(path, &format!(".before-{found}"));
    if !has_room(path)? {
        tracing::warn!("storage: there is no room to keep a copy of the database before its schema is changed");
        return Ok(());
    }
    let unfinished = Unfinished::begin(&target)?;
    match snapshot::copy(connection, &unfinished) {
        Ok(_) => {
            // Of an earlier copy of this name, in which somebody has looked.
            remove_what_is_beside(&target);
            unfinished.finish(true)?;
        }
        Err(StoreError::Full) => {
            tracing::warn!("storage: the disk has no room for a copy of the database before its schema is changed");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    tracing::info!("storage: the database as it was, with schema version {found}, is kept as {}", target.display());
    Ok(())
}

fn has_room(path: &Path) -> io::Result<bool> {
    let log = std::fs::metadata(beside(path, "-wal")).map_or(0, |log| log.len());
    let needed = (std::fs::metadata(path)?.len() + log).saturating_mul(ROOM);
    let disk = rustix::fs::statvfs(folder_of(path))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) >= needed)
}

impl Store {
    /// Removes the copies that were kept long enough, and tells how many.
    pub(crate) fn remove_old_copies(&self, now: Timestamp) -> Result<usize, StoreError> {
        let mut removed = 0;
        for entry in std::fs::read_dir(folder_of(self.path()))? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            // When it got its name: what is moved aside was last written to before.
            let since = Timestamp::from_ms(metadata.ctime().saturating_mul(1000));
            let is_copy = metadata.is_file() && entry.file_name().to_str().is_some_and(is_of_a_copy);
            if is_copy && now.since(since) > KEPT {
                std::fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// Whether a file of this name is such a copy, or a log beside one. What the owner has named in such a way stays.
fn is_of_a_copy(name: &str) -> bool {
    let Some(of) = name.strip_prefix(FILE_NAME).and_then(|rest| rest.strip_prefix(".before-")) else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let year = of.strip_prefix("restore-").and_then(|time| time.split('-').next());
    is_number(of) || year.is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::domain::scratch::Scratch;
    use crate::store::Settings;

    #[test]
    fn copies_that_were_kept_long_enough_are_removed_and_nothing_else_is() {
        let scratch = Scratch::new();
        let settings = Settings { folder: scratch.path().join("data"), readers: 1, free_disk_floor_bytes: 0 };
        let store = Store::open(&settings).unwrap();
        let moved = "widgetd.db.before-restore-2026-11-23T13-31-03.007Z";
        let log = format!("{moved}-wal");
        let copies = ["widgetd.db.before-7", moved, &log];
        let others = ["secret", "my.db.before-7", "widgetd.db-before", "widgetd.db.before-relaunch"];
        for name in copies.iter().chain(&others) {
            std::fs::write(settings.folder.join(name), "x").unwrap();
        }
        let there = |name: &&&str| settings.folder.join(name).exists();
        let day = Duration::from_secs(24 * 60 * 60);
        assert_eq!(store.remove_old_copies(clock::now().plus(13 * day)).unwrap(), 0);
        assert_eq!(copies.iter().filter(there).count(), 3);
        assert_eq!(store.remove_old_copies(clock::now().plus(15 * day)).unwrap(), 3);
        assert_eq!((copies.iter().filter(there).count(), others.iter().filter(there).count()), (0, 4));
        assert!(store.path().exists());
        store.close();
    }
}
