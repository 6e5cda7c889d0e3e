//! Signs of life, for whoever must tell a front that serves from one that only is there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pool::Pool;

/// What was counted until now. That something moves shows in two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// Turns of the intake that have heard of connections; ten a second at least.
    pub(crate) turns: u64,
    /// Requests that workers took.
    pub(crate) taken: u64,
    /// Requests that wait for a worker.
    pub(crate) waiting: usize,
}

#[derive(Default)]
pub(super) struct Pulse {
    turns: AtomicU64,
    workers: OnceLock<Pool>,
}

impl Pulse {
    pub(super) fn turn(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on these are the workers.
    pub(super) fn watch(&self, workers: Pool) {
        let _ = self.workers.set(workers);
    }

    pub(super) fn signs(&self) -> Signs {
        let (taken, waiting) = self.workers.get().map(Pool::progress).unwrap_or_default();
        Signs { turns: self.turns.load(Ordering::Relaxed), taken, waiting }
    }
}
