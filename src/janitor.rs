//! The thread that keeps house behind the requests: what they stored is added up and indexed, what was refused is stored. It
//! works in small batches through the writer's queue, one at a time, so that a visitor waits for one batch at most.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::store::Store;

/// Between two looks whether there is something to do.
const REST: Duration = Duration::from_secs(5);

/// The running thread.
pub(crate) struct Janitor {
    /// Dropped, it tells the thread to end.
    running: Sender<()>,
    thread: JoinHandle<()>,
}

impl Janitor {
    pub(crate) fn start(store: Store) -> io::Result<Self> {
        let (running, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("janitor".into()).spawn(move || keep_house(&store, &stopped))?;
        Ok(Self { running, thread })
    }

    /// Lets it end what it has begun and store what was refused. The store must still be open.
    pub(crate) fn stop(self) {
        drop(self.running);
        let _ = self.thread.join();
    }
}

fn keep_house(store: &Store, stopped: &Receiver<()>) {
    let mut has_failed = false;
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
        rest = if matches!(caught_up, Ok(true)) { Duration::ZERO } else { REST };
    }
}
