//! Storage: one SQLite file in WAL mode, readers from a pool, one writer.
//!
//! A public method is one transaction. A write goes to the writer's queue and comes back as a [`Commit`], which is
//! answered after the commit that carried it is on the disk (`synchronous=FULL`): nothing is acknowledged before. A read
//! takes a connection of the pool for as long as the method runs, never longer. One writer was chosen over a write pool:
//! SQLite has one write lock anyway, and gathering what has queued into one commit is what makes durable writes fast.
//!
//! Only this room knows SQL. It has no rules of the product: who may write what is decided before.

mod admin;
mod backup;
mod bell;
mod budgets;
mod consents;
mod conversation_list;
mod conversation_view;
mod conversations;
mod day_counts;
mod erasure;
mod events;
mod faq;
mod filter;
mod health;
mod histogram;
mod kept;
mod lead_history;
mod lead_list;
mod leads;
mod load;
mod message_search;
mod messages;
mod overview;
mod pauses;
mod refusals;
mod restore;
mod retention;
mod schema;
mod snapshot;
mod unfinished;
mod visitors;
mod webhooks;
mod writer;

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use scheduled_thread_pool::ScheduledThreadPool;

pub(crate) use backup::{backup, backup_into};
pub(crate) use bell::Bell;
pub(crate) use conversation_list::{ConversationFilter, ConversationKey, ConversationPage, ConversationRow};
pub(crate) use conversation_view::{ConversationView, SaidMessage, SeenEvent};
pub(crate) use conversations::{Resume, Speaker};
pub(crate) use events::Stored;
pub(crate) use faq::{FaqHit, FaqIndex};
pub(crate) use filter::Period;
pub(crate) use lead_list::{LeadFilter, LeadPage, LeadRow};
pub(crate) use messages::{Answer, Asked, ConversationState, NewQuestion, Spent};
pub(crate) use overview::{
    DayRow, DaySums, EventCount, FirstToken, Funnel, Overview, Refusal, RefusedOrigin, UnansweredQuestion,
};
pub(crate) use refusals::{OTHERS as OTHER_ORIGINS, Refusals};
pub(crate) use restore::Restore;
pub(crate) use retention::{Enforced, Expired, Retention};
pub(crate) use snapshot::Holds;
pub(crate) use webhooks::{Delivery, Due, Ended, Pending, Replayed};
pub(crate) use writer::Commit;

use crate::clock;
use health::Health;
use writer::Writer;

/// The name of the database in the data folder. Its `-wal` and `-shm` belong to it.
const FILE_NAME: &str = "widgetd.db";
/// How long a reader is waited for; then the request is refused as busy.
const READER_WAIT: Duration = Duration::from_secs(1);
/// How long the start waits for each of them to open.
const OPEN_WAIT: Duration = Duration::from_secs(20);
/// How long a statement waits for a lock: of a backup tool, say, since our own writer is alone.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// How long what was seen of the free disk space holds.
const DISK_LOOK: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// The data folder; made, for its owner alone, if it is missing.
    pub(crate) folder: PathBuf,
    /// Connections for reading, 1–64.
    pub(crate) readers: u32,
    /// With less than this free, events are refused while messages and leads still work.
    pub(crate) free_disk_floor_bytes: u64,
}

impl Settings {
    /// The database's file, whether it is there or not.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }
}

#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the disk is full")]
    Full,
    #[error("less disk space is free than the floor for events")]
    DiskFloor,
    #[error("another widgetd serves it: stop that one first, or give this one a folder of its own")]
    Locked,
    #[error("the database is busy")]
    Busy,
    #[error("the database is closed")]
    Closed,
    #[error(
        "it was written by a newer widgetd (its schema is version {found}, this one knows {known}): install that version again, or restore an older backup"
    )]
    TooNew { found: usize, known: usize },
    #[error(
        "it was written by an older widgetd (its schema is version {found}, this one knows {known}): start the server of this version once"
    )]
    TooOld { found: usize, known: usize },
    #[error("there is no database in {}: name the server's folder with --data, or start it once", folder.display())]
    Missing { folder: PathBuf },
    #[error("{} is not a database of widgetd", path.display())]
    Foreign { path: PathBuf },
    #[error("storage fails: {0}")]
    Disk(String),
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    #[error("the last commit failed")]
    Failing,
    #[error("a write panicked")]
    Panicked,
    #[error("{0}")]
    Io(String),
    #[error("{0}")]
    Sqlite(String),
}

impl StoreError {
    /// Whether the next write will probably meet it too.
    fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Full | Self::Disk(_) | Self::Corrupt(_))
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // SQLite has no "full" for the index of its log: it cannot be made or made larger, and that is the reason.
        if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE) {
            return Self::Full;
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            // A quota is among them, and a disk that was mounted anew for reading only.
            Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
                Self::Disk(error.to_string())
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Sqlite(error.to_string()),
        }
    }
}

/// The open database. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    readers: r2d2::Pool<SqliteConnectionManager>,
    writer: Writer,
    disk: DiskFloor,
    health: Health,
    refusals: Refusals,
    deliveries: Bell,
    /// Of the folder, for as long as this is open; whoever opened the database beside its server has none.
    _lock: Option<File>,
}

impl Store {
    /// Opens the database of the folder, or makes it, and brings its schema up to date.
    pub(crate) fn open(settings: &Settings) -> Result<Self, StoreError> {
        DirBuilder::new().recursive(true).mode(0o700).create(&settings.folder)?;
        let lock = lock(&settings.folder)?;
        let path = settings.database();
        unfinished::remove_all_left_behind(&settings.folder, |name| name.starts_with(FILE_NAME))?;
        // SQLite would make it readable for all; a link in its place could lead anywhere.
        let no_follow = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(no_follow).open(&path)?;
        let mut connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::prepare(&mut connection, &path)?;
        // Who was killed may have left in the log what it had deleted.
        connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
        Self::new(settings, connection, Health::watch(&path)?, path, Some(lock))
    }

    /// Opens the database that a server may be using, for a command. Nothing is made, brought up to date or looked
    /// through, and the log is left to the server unless something is written.
    pub(crate) fn open_beside(settings: &Settings) -> Result<Self, StoreError> {
        let path = settings.folder.join(FILE_NAME);
        if !path.exists() {
            return Err(StoreError::Missing { folder: settings.folder.clone() });
        }
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::check(&connection, &path)?;
        Self::new(&Settings { readers: 1, ..settings.clone() }, connection, Health::default(), path, None)
    }

    fn new(
        settings: &Settings,
        connection: Connection,
        health: Health,
        path: PathBuf,
        lock: Option<File>,
    ) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Inner {
            readers: readers(&path, settings.readers)?,
            writer: Writer::start(connection, lock.is_some())?,
            disk: DiskFloor::new(settings),
            health,
            refusals: Refusals::default(),
            deliveries: Bell::default(),
            path,
            _lock: lock,
        })))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether the file is whole as far as is known, reads are answered and the last commit went well.
    pub(crate) fn ready(&self) -> Result<(), StoreError> {
        self.read(|connection| Ok(connection.query_row("select 1", [], |_| Ok(()))?))?;
        self.0.health.ready()?;
        self.0.writer.ready()
    }

    /// Whether somebody reads or writes at this moment. Who does so for long waits for the disk.
    pub(crate) fn is_at_work(&self) -> bool {
        let readers = self.0.readers.state();
        readers.idle_connections < readers.connections || self.0.writer.is_at_work()
    }

    /// Whether writes find a writer. One that fails is one.
    pub(crate) fn has_writer(&self) -> bool {
        self.0.writer.is_open()
    }

    /// Commits what has queued and closes; later writes are refused.
    pub(crate) fn close(&self) {
        self.0.writer.close();
    }

    /// Runs `work` in a savepoint of the next commit.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Commit<T> {
        self.0.writer.write(work)
    }

    /// The same for what deletes: the log is emptied of what was there, at once or as soon as nobody reads in it.
    fn write_and_empty_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Commit<T> {
        self.0.writer.write_and_empty_log(work)
    }

    /// Runs `work` in one read transaction.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = self.0.readers.get().map_err(|_| StoreError::Busy)?;
        let transaction = connection.transaction()?;
        work(&transaction)
    }

    /// Whether there is room for what can be done without.
    fn check_disk_floor(&self) -> Result<(), StoreError> {
        self.0.disk.check(clock::monotonic())
    }
}

/// Two servers on one folder would each believe to be alone: deliver twice, count apart. The system gives the lock back when
/// the process ends, however it does.
fn lock(folder: &Path) -> Result<File, StoreError> {
    let file = File::open(folder)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(StoreError::Locked),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection)?;
    Ok(connection)
}

/// What is set for each connection, not for the file.
fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_WAIT)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else SQLite plans a statement anew for each value that may matter to its plan: five times the work of a small read.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.execute_batch(
        "pragma synchronous = full; pragma foreign_keys = on; pragma trusted_schema = off; pragma temp_store = memory;
         pragma secure_delete = on;",
    )
}

fn readers(path: &Path, count: u32) -> Result<r2d2::Pool<SqliteConnectionManager>, StoreError> {
    let manager = SqliteConnectionManager::file(path)
        .with_flags(OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .with_init(|connection| {
            configure(connection)?;
            connection.execute_batch("pragma query_only = on;")
        });
    let opener = Arc::new(ScheduledThreadPool::builder().num_threads(1).thread_name_pattern("readers").build());
    let pool = r2d2::Pool::builder()
        .max_size(count)
        .connection_timeout(READER_WAIT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_on_check_out(false)
        .thread_pool(opener.clone())
        .build_unchecked(manager);
    // All are open before anyone asks for one; a start may take longer than a request may wait.
    let opened: Result<Vec<_>, _> = (0..count).map(|_| pool.get_timeout(OPEN_WAIT)).collect();
    drop(opened.map_err(|error| StoreError::Io(error.to_string()))?);
    // What opened them holds the pool to its own end: after that, who drops the pool closes them.
    let (ended, end) = mpsc::channel::<()>();
    opener.execute(move || drop(ended));
    let _ = end.recv();
    Ok(pool)
}

/// As SQLite keeps it.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Looks at the free space of the disk, at most once a second.
struct DiskFloor {
    folder: PathBuf,
    floor_bytes: u64,
    looked: Mutex<Option<(Duration, bool)>>,
}

impl DiskFloor {
    fn new(settings: &Settings) -> Self {
        Self { folder: settings.folder.clone(), floor_bytes: settings.free_disk_floor_bytes, looked: Mutex::default() }
    }

    fn check(&self, now: Duration) -> Result<(), StoreError> {
        let mut looked = self.looked.lock();
        let has_room = match *looked {
            Some((then, has_room)) if now.saturating_sub(then) < DISK_LOOK => has_room,
            _ => {
                let disk = rustix::fs::statvfs(&self.folder).map_err(std::io::Error::from)?;
                let has_room = disk.f_bavail.saturating_mul(disk.f_frsize) >= self.floor_bytes;
                *looked = Some((now, has_room));
                has_room
            }
        };
        if has_room { Ok(()) } else { Err(StoreError::DiskFloor) }
    }
}

#[cfg(test)]
mod tests;
