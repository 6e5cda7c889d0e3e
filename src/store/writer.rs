//! The one that writes: takes all that has queued, runs each job in a savepoint of one transaction, commits, and then
//! answers every caller. Under load a commit carries hundreds of writes, so that durable is fast too.
//!
//! A job that fails, or panics, is rolled back alone. A commit that fails, fails every job of its batch; the next batch
//! tries again, so that a disk that was full is written to as soon as it has room. A file that was found damaged is written
//! to no more: what is still whole in it should stay so.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::{Connection, Row};

use super::StoreError;
use super::bell::Bell;
use crate::clock;
use crate::metrics::{self, Level};

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
        self.told(result)
    }

    /// As [`Commit::wait`], but for so long at most: then the commit comes back, to be waited for on.
    pub(crate) fn wait_at_most(self, patience: Duration) -> Result<Result<T, StoreError>, Self> {
        match self.0.recv_timeout(patience) {
            Ok(result) => Ok(self.told(result)),
            Err(RecvTimeoutError::Disconnected) => Ok(Err(StoreError::Closed)),
            Err(RecvTimeoutError::Timeout) => Err(self),
        }
    }

    /// The same commit, which rings this bell once it is on the disk.
    pub(super) fn then_ring(self, bell: Option<Bell>) -> Self {
        Self(self.0, bell)
    }

    fn told(self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let (Ok(_), Some(bell)) = (&result, self.1) {
            bell.ring();
        }
        result
    }
}

/// Runs in the transaction, or is told why there is none.
type Job = Box<dyn FnOnce(Result<&Connection, &StoreError>) -> Ran + Send>;
/// Is called after the commit, with how that went.
type Settle = Box<dyn FnOnce(Result<(), &StoreError>)>;

/// A job whose commit is still to come.
struct Ran {
    /// What it met that is not its own fault.
    trouble: Option<StoreError>,
    settle: Settle,
}

pub(super) struct Writer {
    /// Taken away when the writer is closed.
    queue: Mutex<Option<SyncSender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    is_failing: Arc<AtomicBool>,
    is_at_work: Arc<AtomicBool>,
    /// Something was deleted of which the log still has a copy.
    owes_emptying: Arc<AtomicBool>,
    load: Arc<WriterLoad>,
}

impl Writer {
    /// `is_alone`: no other process keeps the log; what it was found with is folded back too.
    pub(super) fn start(connection: Connection, is_alone: bool) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::sync_channel(QUEUE_MAX);
        let is_failing = Arc::<AtomicBool>::default();
        let is_at_work = Arc::<AtomicBool>::default();
        let owes_emptying = Arc::<AtomicBool>::default();
        let load = Arc::<WriterLoad>::default();
        let work = Loop {
            connection,
            is_alone,
            is_failing: is_failing.clone(),
            is_at_work: is_at_work.clone(),
            owes_emptying: owes_emptying.clone(),
            load: load.clone(),
            damage: None,
            failed_to_empty_at: None,
            has_written: is_alone,
            folding_fails: false,
        };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || work.run(&receiver))?;
        let (queue, thread) = (Mutex::new(Some(sender)), Mutex::new(Some(thread)));
        Ok(Self { queue, thread, is_failing, is_at_work, owes_emptying, load })
    }

    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Commit<T> {
        let (answer, commit) = mpsc::sync_channel(1);
        let refuse = answer.clone();
        let job: Job = Box::new(move |transaction| {
            let result = transaction.map_err(StoreError::clone).and_then(|connection| in_savepoint(connection, work));
            let trouble = result.as_ref().err().filter(|error| error.is_of_the_disk()).cloned();
            // A caller that no longer waits needs no answer.
            let settle = Box::new(move |committed: Result<(), &StoreError>| {
                let _ = answer.send(committed.map_err(StoreError::clone).and(result));
            });
            Ran { trouble, settle }
        });
        // Before the writer can take it out again.
        self.load.queued.fetch_add(1, Ordering::Relaxed);
        let sent = match &*self.queue.lock() {
            Some(queue) => queue.try_send(job),
            None => Err(TrySendError::Disconnected(job)),
        };
        if sent.is_err() {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
        }
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

    /// Writes that wait, and for how long the commit under way has been under way.
    pub(super) fn load(&self, now: Duration) -> (Level, Duration) {
        let queue = Level { used: self.load.queued.load(Ordering::Relaxed), max: QUEUE_MAX };
        let since = self.load.committing_since_ms.load(Ordering::Relaxed);
        let committing = if since == 0 { Duration::ZERO } else { now.saturating_sub(Duration::from_millis(since)) };
        (queue, committing)
    }

    /// Whether its thread is there, and was not told to end.
    pub(super) fn is_open(&self) -> bool {
        // In this order: `close` keeps the thread's lock until it has ended.
        self.queue.lock().is_some() && self.thread.lock().as_ref().is_some_and(|it| !it.is_finished())
    }

    /// Whether it is about to commit something, or folds the log.
    pub(super) fn is_at_work(&self) -> bool {
        self.is_at_work.load(Ordering::Relaxed)
    }

    pub(super) fn ready(&self) -> Result<(), StoreError> {
        if !self.is_open() {
            return Err(StoreError::Closed);
        }
        if self.is_failing.load(Ordering::Relaxed) {
            return Err(StoreError::Failing);
        }
        Ok(())
    }

    /// Commits what has queued, empties the log and ends the thread.
    pub(super) fn close(&self) {
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

/// What a channel does not tell of itself, and the thread not of its work.
#[derive(Default)]
struct WriterLoad {
    queued: AtomicUsize,
    /// On the monotonic clock; 0: nothing is being committed.
    committing_since_ms: AtomicU64,
}

/// Runs `work` so that its failure undoes its own writes and no other's.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("savepoint job")?.execute([])?;
    let result = catch_unwind(AssertUnwindSafe(|| work(connection))).unwrap_or_else(|_| Err(StoreError::Panicked));
    // A disk that is full or fails may have undone the whole transaction, and the savepoint with it.
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
    /// No other process keeps the log.
    is_alone: bool,
    is_failing: Arc<AtomicBool>,
    is_at_work: Arc<AtomicBool>,
    owes_emptying: Arc<AtomicBool>,
    load: Arc<WriterLoad>,
    /// What was found wrong with the file. It stays: only a person can repair it.
    damage: Option<StoreError>,
    failed_to_empty_at: Option<Duration>,
    /// Since the log was last folded back.
    has_written: bool,
    folding_fails: bool,
}

impl Loop {
    fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let received = queue.recv_timeout(IDLE);
            self.is_at_work.store(true, Ordering::Relaxed);
            match received {
                Ok(first) => self.commit(std::iter::once(first).chain(queue.try_iter()).take(BATCH_MAX)),
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.is_at_work.store(false, Ordering::Relaxed);
        }
        // Beside a server the log is the server's, unless something of ours is in it.
        if self.is_alone || self.has_written || self.owes_emptying.load(Ordering::Relaxed) {
            self.empty_log();
        }
    }

    fn commit(&mut self, jobs: impl Iterator<Item = Job>) {
        self.has_written = true;
        let since = clock::monotonic();
        let since_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).max(1);
        self.load.committing_since_ms.store(since_ms, Ordering::Relaxed);
        let begun = self.begin();
        let mut trouble = None;
        let mut settled = Vec::new();
        for job in jobs {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
            let ran = job(self.transaction(&begun, trouble.as_ref()));
            trouble = trouble.or(ran.trouble);
            settled.push(ran.settle);
        }
        let result = begun.and_then(|()| self.end_transaction(trouble.as_ref()));
        self.note(result.as_ref().err().or(trouble.as_ref()));
        self.load.committing_since_ms.store(0, Ordering::Relaxed);
        metrics::writer().committed(settled.len(), clock::monotonic().saturating_sub(since), result.is_ok());
        // Before anyone is told that it is gone.
        if result.is_ok() && self.owes_emptying.load(Ordering::Relaxed) && self.may_try_emptying() {
            self.empty_log_now();
        }
        for settle in settled {
            settle(result.as_ref().copied());
        }
    }

    /// Begins a transaction, after undoing one that could not be ended: else none could ever begin again.
    fn begin(&self) -> Result<(), StoreError> {
        if let Some(damage) = &self.damage {
            return Err(damage.clone());
        }
        if !self.connection.is_autocommit() {
            self.connection.execute_batch("rollback")?;
        }
        Ok(self.connection.execute_batch("begin immediate")?)
    }

    /// The open transaction, or why there is none: outside of one a savepoint would commit on its own.
    fn transaction<'a>(
        &'a self,
        begun: &'a Result<(), StoreError>,
        trouble: Option<&'a StoreError>,
    ) -> Result<&'a Connection, &'a StoreError> {
        begun.as_ref()?;
        if self.connection.is_autocommit() { Err(trouble.unwrap_or(&StoreError::Full)) } else { Ok(&self.connection) }
    }

    fn end_transaction(&self, trouble: Option<&StoreError>) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Err(trouble.unwrap_or(&StoreError::Full).clone()); // it has undone it
        }
        let committed = self.connection.execute_batch("commit");
        if committed.is_err() && !self.connection.is_autocommit() {
            // If this fails too, the next transaction tries it again before it begins.
            let _ = self.connection.execute_batch("rollback");
        }
        Ok(committed?)
    }

    /// Logs the way into trouble and the way out, once each.
    fn note(&mut self, error: Option<&StoreError>) {
        let was_failing = self.is_failing.swap(error.is_some(), Ordering::Relaxed);
        match error {
            Some(damage @ StoreError::Corrupt(_)) if self.damage.is_none() => {
                self.damage = Some(damage.clone());
                tracing::error!(%damage, "storage: nothing more is written: stop the server and restore a backup");
            }
            Some(error) if !was_failing => {
                tracing::error!(%error, "storage: commits fail; writes are refused until one succeeds")
            }
            None if was_failing => tracing::info!("storage: commits succeed again"),
            _ => {}
        }
    }

    fn idle(&mut self) {
        if self.damage.is_some() {
            return;
        }
        if self.is_failing.load(Ordering::Relaxed) {
            let probed = self.probe();
            self.note(probed.as_ref().err());
        }
        if self.owes_emptying.load(Ordering::Relaxed) {
            self.empty_log_now();
        }
        if self.has_written {
            self.fold_log_back();
        }
    }

    /// Nobody may be writing: sees for itself whether it works again. The same value makes a commit all the same.
    fn probe(&self) -> Result<(), StoreError> {
        self.begin()?;
        let version: i32 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        self.connection.pragma_update(None, "user_version", version)?;
        self.end_transaction(None)
    }

    /// Copies the log into the database. It waits for nobody: a backup may read for minutes, and nothing would be committed
    /// meanwhile. The next commit begins the log at its start again, unless a reader is still in it.
    fn fold_log_back(&mut self) {
        let frames = |row: &Row<'_>| Ok((row.get::<_, i64>("log")?, row.get::<_, i64>("checkpointed")?));
        match self.connection.query_row("pragma wal_checkpoint(passive)", [], frames) {
            Ok((log, folded)) => {
                self.has_written = log != folded;
                self.folding_fails = false;
            }
            // It is tried again each second, and said once.
            Err(error) if !self.folding_fails => {
                self.folding_fails = true;
                tracing::warn!(%error, "storage: the log cannot be folded back");
            }
            Err(_) => {}
        }
    }

    /// A reader who stays in the log, a backup say, must not make each commit try in vain.
    fn may_try_emptying(&self) -> bool {
        self.failed_to_empty_at.is_none_or(|at| clock::monotonic().saturating_sub(at) >= IDLE)
    }

    /// What was deleted must not stay in the log. Whoever still reads in it is not waited for: the next second tries again.
    fn empty_log_now(&mut self) {
        let emptied = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            self.connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get::<_, i32>(0))
        });
        if let Err(error) = self.connection.busy_timeout(super::LOCK_WAIT) {
            tracing::warn!(%error, "storage: the writer waits for no lock any more");
        }
        let is_empty = matches!(emptied, Ok(0));
        self.owes_emptying.store(!is_empty, Ordering::Relaxed);
        self.failed_to_empty_at = (!is_empty).then(clock::monotonic);
    }

    /// At the end the log is emptied, so that the database is one file, if its readers leave it soon enough.
    fn empty_log(&self) {
        if let Err(error) = self.connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())) {
            tracing::warn!(%error, "storage: the log could not be emptied");
        }
    }
}

#[cfg(test)]
mod tests;
