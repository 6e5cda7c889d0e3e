//! Restoring: a backup takes the place of the database, whole, and the database is kept beside it.
//!
//! The folder's lock is held from the first to the last, so no server is there. The file is copied into the folder first and
//! the copy is looked through: what was checked is what is served. Then the log of the present database is folded into it,
//! which only works while nobody else has it open, and it is kept locked until the new one has its name: a command that had
//! it open would otherwise take the new one's log away when it ends. Killed at any moment, the one or the other database
//! is there, whole. A log never outlives its database's name: SQLite would apply it to whatever has the name next.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::OFlags;

use super::backup::in_a_name;
use super::snapshot::{self, Holds};
use super::unfinished::{Unfinished, beside, sync_folder};
use super::{Settings, StoreError, connect, lock, schema};
use crate::domain::time::Timestamp;

/// What each database of SQLite begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What is copied at once.
const PART_BYTES: usize = 256 << 10;

/// Why nothing was restored. The present database is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("a server is using {}: stop it first", .folder.display())]
    Served { folder: PathBuf },
    #[error("another program has {} open, a command of widgetd or a replicator: wait until it has ended, or stop it", .path.display())]
    InUse { path: PathBuf },
    #[error("{} is not a plain file", .path.display())]
    NotAFile { path: PathBuf },
    #[error("cannot read {}: {error}", .path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} cannot be restored: {error}", .path.display())]
    Unfit { path: PathBuf, error: StoreError },
    #[error("cannot put {} out of the way: {error}", .path.display())]
    Present { path: PathBuf, error: StoreError },
    #[error("cannot write in {}: {error}", .folder.display())]
    Write { folder: PathBuf, error: io::Error },
}

/// A copy of the backup in the folder, found good, that has not taken its place yet.
pub(crate) struct Restore {
    pub(crate) holds: Holds,
    folder: PathBuf,
    database: PathBuf,
    copy: Unfinished,
    _lock: File,
}

/// What became of the database that was there.
enum Present {
    Missing,
    /// One file, and nobody else can open it until this is dropped.
    Held(Connection),
    Damaged,
}

impl Restore {
    /// Takes the folder, which is made if it is missing, copies the file into it and looks the copy through.
    pub(crate) fn prepare(settings: &Settings, file: &Path) -> Result<Self, RestoreError> {
        let folder = settings.folder.clone();
        let write = |error| RestoreError::Write { folder: folder.clone(), error };
        let read = |error| RestoreError::Read { path: file.to_owned(), error };
        let backup = open_plain(file)?.ok_or_else(|| read(io::ErrorKind::NotFound.into()))?;
        let log = open_plain(&beside(file, "-wal"))?;
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(write)?;
        let lock = lock(&folder).map_err(|error| match error {
            StoreError::Locked => RestoreError::Served { folder: folder.clone() },
            error => write(io::Error::other(error)),
        })?;
        let database = settings.database();
        let copy = Unfinished::begin(&database).map_err(write)?;
        fill(&mut copy.file(), backup, file, &folder)?;
        if let Some(log) = log {
            let path = beside(copy.path(), "-wal");
            let mut to = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(write)?;
            fill(&mut to, log, &beside(file, "-wal"), &folder)?;
        }
        let unfit = |error| RestoreError::Unfit { path: file.to_owned(), error };
        let holds = check(&copy, file).map_err(unfit)?;
        give_to_the_servers_user(&copy, &database, &folder).map_err(write)?;
        Ok(Self { holds, folder, database, copy, _lock: lock })
    }

    /// Whether there is a database whose place it would take.
    pub(crate) fn replaces(&self) -> bool {
        self.database.exists()
    }

    /// Takes the database's place. The answer is the name under which that is kept, if there was one.
    pub(crate) fn put_in_place(self, now: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
        let Self { folder, database, copy, .. } = self;
        let aside = beside(&database, &format!(".before-restore-{}", in_a_name(now)));
        let present = hold(&database)?;
        let write = |error| RestoreError::Write { folder: folder.clone(), error };
        let is_there = database.exists();
        if is_there {
            std::fs::hard_link(&database, &aside).map_err(write)?;
        }
        if !matches!(present, Present::Held(_)) {
            move_logs(&database, &aside).map_err(write)?;
        }
        sync_folder(&folder).map_err(write)?;
        copy.finish(true).map_err(write)?;
        if let Present::Held(connection) = present {
            // It has written nothing: that it cannot be closed is no failure.
            let _ = connection.close();
        }
        Ok(is_there.then_some(aside))
    }
}

/// Opens a backup, or the log beside it: whoever copied the files of a stopped server has that too. None: it is not there.
fn open_plain(path: &Path) -> Result<Option<File>, RestoreError> {
    // Opening a pipe would else wait for somebody to write into it.
    let file = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let read = |error| RestoreError::Read { path: path.to_owned(), error };
    match file {
        Ok(file) if file.metadata().map_err(read)?.is_file() => Ok(Some(file)),
        Ok(_) => Err(RestoreError::NotAFile { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(read(error)),
    }
}

/// Copies the bytes of `path`. A disk that does not give them is told from one that does not take them.
fn fill(to: &mut impl Write, mut from: File, path: &Path, folder: &Path) -> Result<(), RestoreError> {
    let mut part = vec![0; PART_BYTES];
    loop {
        match from.read(&mut part) {
            Ok(0) => return Ok(()),
            Ok(length) => to
                .write_all(&part[..length])
                .map_err(|error| RestoreError::Write { folder: folder.to_owned(), error })?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(RestoreError::Read { path: path.to_owned(), error }),
        }
    }
}

fn check(copy: &Unfinished, file: &Path) -> Result<Holds, StoreError> {
    let mut magic = [0; MAGIC.len()];
    if copy.file().read_exact_at(&mut magic, 0).is_err() || magic != *MAGIC {
        return Err(StoreError::Foreign { path: file.to_owned() });
    }
    let connection = snapshot::open(copy)?;
    schema::readable(&connection, file)?;
    snapshot::make_one_file(&connection)?;
    let (holds, _) = snapshot::look_through(&connection, copy)?;
    // Who has logged out since then must not be logged in again.
    if connection.table_exists(None, "admin_sessions")? {
        connection.execute("delete from admin_sessions", [])?;
    }
    Ok(holds)
}

/// Root restores for the user that the server runs as: who has the database that is there, or the folder.
fn give_to_the_servers_user(copy: &Unfinished, database: &Path, folder: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = std::fs::metadata(database).or_else(|_| std::fs::metadata(folder))?;
    std::os::unix::fs::fchown(copy.file(), Some(owner.uid()), Some(owner.gid()))
}

/// Folds the log of the present database into it and keeps everybody else out of it.
fn hold(database: &Path) -> Result<Present, RestoreError> {
    if !database.exists() {
        return Ok(Present::Missing);
    }
    let held = || -> Result<Connection, StoreError> {
        let connection = connect(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        snapshot::make_one_file(&connection)?;
        connection.execute_batch("begin exclusive")?;
        Ok(connection)
    };
    match held() {
        Ok(connection) => Ok(Present::Held(connection)),
        // That is why it is replaced.
        Err(StoreError::Corrupt(_)) => Ok(Present::Damaged),
        Err(StoreError::Busy) => Err(RestoreError::InUse { path: database.to_owned() }),
        Err(error) => Err(RestoreError::Present { path: database.to_owned(), error }),
    }
}

/// A log that could not be folded back goes where its database goes. Linked first: until both are there, both are here.
fn move_logs(database: &Path, aside: &Path) -> io::Result<()> {
    let logs = ["-wal", "-journal"].map(|suffix| (beside(database, suffix), beside(aside, suffix)));
    for (log, kept) in logs.iter().filter(|(log, _)| log.exists()) {
        std::fs::hard_link(log, kept)?;
    }
    for path in logs.map(|(log, _)| log).into_iter().chain([beside(database, "-shm")]) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
