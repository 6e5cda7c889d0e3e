//! The thread that keeps house behind the requests: what they stored is added up and indexed, what was refused is stored, and
//! once a day what was kept long enough is deleted. It
//! works in small batches through the writer's queue, one at a time, so that a visitor waits for one batch at most.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock;
use crate::store::{Enforced, Expired, Retention, Store, StoreError};

/// Between two looks whether there is something to do.
const REST: Duration = Duration::from_secs(5);
/// Between two batches of what is deleted, for others to write, at least; and as a multiple of what a batch took.
const PAUSE: Duration = Duration::from_millis(20);
const OTHERS_SHARE: u32 = 4;

/// The periods that the configuration has at this moment.
pub(crate) type Periods = Box<dyn Fn() -> Retention + Send>;

/// The running thread.
pub(crate) struct Janitor {
    /// Dropped, it tells the thread to end.
    running: Sender<()>,
    thread: JoinHandle<()>,
}

impl Janitor {
    pub(crate) fn start(store: Store, periods: Periods) -> io::Result<Self> {
        let (running, stopped) = mpsc::channel();
        let thread =
            std::thread::Builder::new().name("janitor".into()).spawn(move || keep_house(&store, &periods, &stopped))?;
        Ok(Self { running, thread })
    }

    /// Lets it end what it has begun and store what was refused. The store must still be open.
    pub(crate) fn stop(self) {
        drop(self.running);
        let _ = self.thread.join();
    }
}

fn keep_house(store: &Store, periods: &Periods, stopped: &Receiver<()>) {
    let (mut has_failed, mut cannot_delete) = (false, false);
    let mut rest = Duration::ZERO;
    loop {
        let is_last = stopped.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected);
        let caught_up = store.catch_up();
        if let Err(error) = &caught_up
            && !has_failed
        {
            tracing::warn!(%error, "the owner's figures and the search cannot be brought up to date; they will be later");
        }
        has_failed = caught_up.is_err();
        if is_last {
            return;
        }
        let enforced = enforce(store, periods, stopped);
        if let Err(error) = &enforced
            && !cannot_delete
        {
            tracing::warn!(%error, "what is too old cannot be deleted; it will be tried again");
        }
        cannot_delete = enforced.is_err();
        rest = if matches!(caught_up, Ok(true)) { Duration::ZERO } else { REST };
    }
}

/// Once in each UTC day, to the end or until the server stops: then the next start goes on with it.
fn enforce(store: &Store, periods: &Periods, stopped: &Receiver<()>) -> Result<(), StoreError> {
    let now = clock::now();
    if store.enforced()?.is_some_and(|last| last.at.day() == now.day()) {
        return Ok(());
    }
    let mut expired = Expired::default();
    let is_done = in_turns(stopped, || {
        let batch = store.delete_expired(periods(), now).wait()?;
        expired += batch.unwrap_or_default();
        Ok(batch.is_none())
    })?;
    let mut is_first = true;
    if !is_done || !in_turns(stopped, || store.tidy_search(std::mem::take(&mut is_first)).wait())? {
        return Ok(());
    }
    let copies = store.remove_old_copies(now)?;
    if copies > 0 {
        tracing::info!(copies, "removed what was kept of the database from before an upgrade or a restore");
    }
    store.note_enforced(Enforced { at: now, expired }).wait()?;
    let Expired { conversations, events, leads } = expired;
    if expired != Expired::default() {
        tracing::info!(conversations, events, leads, "deleted what was kept long enough");
    }
    Ok(())
}

/// Does it again until it says that it is done, and leaves the disk to others for several times as long as each took. False:
/// the server stops.
fn in_turns(stopped: &Receiver<()>, mut work: impl FnMut() -> Result<bool, StoreError>) -> Result<bool, StoreError> {
    loop {
        let begun = clock::monotonic();
        if work()? {
            return Ok(true);
        }
        let took = clock::monotonic().saturating_sub(begun);
        if stopped.recv_timeout((took * OTHERS_SHARE).max(PAUSE)) == Err(RecvTimeoutError::Disconnected) {
            return Ok(false);
        }
    }
}
