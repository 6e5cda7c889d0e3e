//! Permits: a bound on how many do something at once, that says no instead of making anybody wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::metrics::Level;

/// So many permits, and no more.
pub(crate) struct Permits(Arc<Shared>);

struct Shared {
    max: usize,
    held: Mutex<usize>,
    none_held: Condvar,
}

/// The right to do it. Given back when dropped.
pub(crate) struct Permit(Arc<Shared>);

impl Permits {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Shared { max, held: Mutex::default(), none_held: Condvar::new() }))
    }

    /// A permit, if one is free.
    pub(crate) fn try_take(&self) -> Option<Permit> {
        let mut held = self.0.held.lock();
        if *held == self.0.max {
            return None;
        }
        *held += 1;
        Some(Permit(self.0.clone()))
    }

    pub(crate) fn held(&self) -> usize {
        *self.0.held.lock()
    }

    pub(crate) fn load(&self) -> Level {
        Level { used: self.held(), max: self.0.max }
    }

    /// Waits until none is held, at most `timeout`; says whether that came true.
    pub(crate) fn wait_until_none_is_held(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut held = self.0.held.lock();
        while *held > 0 {
            if self.0.none_held.wait_until(&mut held, deadline).timed_out() {
                return *held == 0;
            }
        }
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut held = self.0.held.lock();
        *held -= 1;
        if *held == 0 {
            self.0.none_held.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANG: Duration = Duration::from_secs(20);

    #[test]
    fn of_a_burst_of_thirty_on_twelve_places_exactly_eighteen_are_refused() {
        let permits = Permits::new(12);
        let taken: Vec<_> = (0..30).filter_map(|_| permits.try_take()).collect();
        assert_eq!((taken.len(), permits.held()), (12, 12));
        drop(taken);
        assert!(permits.wait_until_none_is_held(HANG) && permits.try_take().is_some());
    }

    #[test]
    fn waiting_ends_with_the_last_permit_or_the_time() {
        let permits = Permits::new(1);
        let permit = permits.try_take();
        assert!(!permits.wait_until_none_is_held(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| drop(permit));
            assert!(permits.wait_until_none_is_held(HANG));
        });
    }
}
