//! The one that writes: takes all that has queued, runs each job in a savepoint of one transaction, commits, and then
//! answers every caller. Under load a commit carries hundreds of writes, so that durable is fast too.
//!
//! A job that fails, or panics, is rolled back alone. A commit that fails, fails every job of its batch; the next batch
//! tries again, so that a disk that was full is written to as soon as it has room.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;

use super::StoreError;
use super::bell::Bell;

/// Writes that may wait; more are refused as busy.
const QUEUE_MAX: usize = 4096;
/// Writes of one commit: a bound on how long the first of them waits for the last.
const BATCH_MAX: usize = 512;
/// After so long without a write the log is folded back into the database.
const IDLE: Duration = Duration::from_secs(1);

/// A write on its way to the disk.
#[must_use = "a write is not stored before its commit was waited for"]
pub(crate) struct Commit<T>(Receiver<Result<T, StoreError>>, Option<Bell>);

impl<T> Commit<T> {
    /// Blocks until the commit is on the disk, or has failed.
    pub(crate) fn wait(self) -> Result<T, StoreError> {
        let result = self.0.recv().unwrap_or(Err(StoreError::Closed));
        if let (Ok(_), Some(bell)) = (&result, self.1) {
            bell.ring();
        }
        result
    }

    /// The same commit, which rings this bell once it is on the disk.
    pub(super) fn then_ring(self, bell: Option<Bell>) -> Self {
        Self(self.0, bell)
    }
}

/// Runs in the transaction, or is told why there is none; what it returns is called after the commit, with how that went.
type Job = Box<dyn FnOnce(Result<&Connection, &StoreError>) -> Settle + Send>;
type Settle = Box<dyn FnOnce(Result<(), &StoreError>)>;

pub(super) struct Writer {
    /// Taken away when the writer is closed.
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    is_failing: Arc<AtomicBool>,
    /// Something was deleted of which the log still has a copy.
    owes_emptying: Arc<AtomicBool>,
}

impl Writer {
    /// `is_alone`: no other process keeps the log; what it was found with is folded back too.
    pub(super) fn start(connection: Connection, is_alone: bool) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
        let is_failing = Arc::<AtomicBool>::default();
        let owes_emptying = Arc::<AtomicBool>::default();
        let work = Loop {
            connection,
            is_failing: is_failing.clone(),
            owes_emptying: owes_emptying.clone(),
            has_written: is_alone,
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || work.run(&receiver))?;
        Ok(Self { queue: Mutex::new(Some(sender)), thread: Mutex::new(Some(thread)), is_failing, owes_emptying })
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Commit<T> {
        let (answer, commit) = mpsc::sync_channel(1);
        let refuse = answer.clone();
        let job: Job = Box::new(move |transaction| {
            let result = transaction.map_err(StoreError::clone).and_then(|connection| in_savepoint(connection, work));
            // A caller that no longer waits needs no answer.
            Box::new(move |committed| {
                let _ = answer.send(committed.map_err(StoreError::clone).and(result));
            })
        });
        let sent = match &*self.queue.lock() {
            Some(queue) => queue.try_send(job),
            None => Err(TrySendError::Disconnected(job)),
        };
        let refusal = match sent {
            Ok(()) => return Commit(commit, None),
            Err(TrySendError::Full(_)) => StoreError::Busy,
            Err(TrySendError::Disconnected(_)) => StoreError::Closed,
        };
        let _ = refuse.send(Err(refusal));
        Commit(commit, None)
    }

    /// The same, and the log keeps nothing of what `work` deleted.
    pub(super) fn write_and_empty_log<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Commit<T> {
        let owes_emptying = self.owes_emptying.clone();
        self.write(move |connection| {
            owes_emptying.store(true, Ordering::Relaxed);
            work(connection)
        })
    }

    pub(super) fn ready(&self) -> Result<(), StoreError> {
        if self.queue.lock().is_none() {
            return Err(StoreError::Closed);
        }
        if self.is_failing.load(Ordering::Relaxed) {
            return Err(StoreError::Failing);
        }
        Ok(())
    }

    /// Commits what has queued, folds the log back and ends the thread.
    pub(super) fn close(&self) {
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// Runs `work` so that its failure undoes its own writes and no other's.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("savepoint job")?.execute([])?;
    let result = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|_| Err(StoreError::Panicked));
    // A full disk may have undone the whole transaction, and the savepoint with it.
    if connection.is_autocommit() {
        return result.and(Err(StoreError::Full));
    }
    if result.is_err() {
        connection.prepare_cached("rollback to job")?.execute([])?;
    }
    connection.prepare_cached("release job")?.execute([])?;
    result
}

/// The writer's thread.
struct Loop {
    connection: Connection,
    is_failing: Arc<AtomicBool>,
    owes_emptying: Arc<AtomicBool>,
    /// Since the log was last folded back.
    has_written: bool,
}

impl Loop {
    fn run(mut self, queue: &Receiver<Job>) {
        loop {
            match queue.recv_timeout(IDLE) {
                Ok(first) => self.commit(std::iter::once(first).chain(queue.try_iter()).take(BATCH_MAX)),
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if self.has_written {
            self.fold_log_back();
        }
    }

    fn commit(&mut self, jobs: impl Iterator<Item = Job>) {
        self.has_written = true;
        let begun = self.connection.execute_batch("begin immediate").map_err(StoreError::from);
        let settled: Vec<Settle> = jobs.map(|job| job(self.transaction(&begun))).collect();
        let result = begun.and_then(|()| self.end_transaction());
        self.note(result.as_ref().err());
        // Before anyone is told that it is gone.
        if self.owes_emptying.load(Ordering::Relaxed) {
            self.fold_log_back();
        }
        for settle in settled {
            settle(result.as_ref().copied());
        }
    }

    /// The open transaction, or why there is none: outside of one a savepoint would commit on its own.
    fn transaction<'a>(&'a self, begun: &'a Result<(), StoreError>) -> Result<&'a Connection, &'a StoreError> {
        begun.as_ref()?;
        if self.connection.is_autocommit() { Err(&StoreError::Full) } else { Ok(&self.connection) }
    }

    fn end_transaction(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Err(StoreError::Full); // a full disk has undone it
        }
        let committed = self.connection.execute_batch("commit");
        if committed.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("rollback")?;
        }
        Ok(committed?)
    }

    /// Logs the way into trouble and the way out, once each.
    fn note(&self, error: Option<&StoreError>) {
        let was_failing = self.is_failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(error) if !was_failing => {
                tracing::error!(%error, "storage: commits fail; writes are refused until one succeeds")
            }
            None if was_failing => tracing::info!("storage: commits succeed again"),
            _ => {}
        }
    }

    fn idle(&mut self) {
        if self.is_failing.load(Ordering::Relaxed) {
            let probed = self.probe();
            self.note(probed.as_ref().err());
        }
        if self.has_written {
            self.fold_log_back();
        }
    }

    /// Nobody may be writing: sees for itself whether it works again. The same value makes a commit all the same.
    fn probe(&self) -> Result<(), StoreError> {
        let version: i32 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(self.connection.pragma_update(None, "user_version", version)?)
    }

    /// The log begins at zero again, unless a reader is still in it.
    fn fold_log_back(&mut self) {
        match self.connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i32>(0)) {
            Ok(is_busy) => {
                self.has_written = is_busy != 0;
                self.owes_emptying.store(self.has_written, Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "storage: the log could not be folded back"),
        }
    }
}
