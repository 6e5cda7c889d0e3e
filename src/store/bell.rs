//! Wakes the one thread that sends what commits have left for it. A bell that rings while nobody waits is heard by the
//! next who does, so that nothing is slept through.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Clones are the same one.
#[derive(Clone, Default)]
pub(crate) struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    pub(crate) fn ring(&self) {
        let (has_rung, changed) = &*self.0;
        *has_rung.lock() = true;
        changed.notify_one();
    }

    /// Blocks until it rings or has rung since the last time, and no longer than `patience`.
    pub(crate) fn wait(&self, patience: Duration) {
        let (has_rung, changed) = &*self.0;
        let mut has_rung = has_rung.lock();
        if !*has_rung {
            changed.wait_for(&mut has_rung, patience);
        }
        *has_rung = false;
    }
}
