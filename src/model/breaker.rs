//! Whether a model is worth asking: one that failed several times in a row is left alone for a while. Pure.

use std::time::Duration;

const FAILURES_MAX: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breaker {
    /// How long it is left alone.
    pause: Duration,
    /// In a row.
    failures: u32,
    skipped_until: Option<Duration>,
}

/// For the operator to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkStatus {
    pub(crate) is_skipped: bool,
    pub(crate) failures: u32,
}

impl Breaker {
    pub(super) fn new(pause: Duration) -> Self {
        Self { pause, failures: 0, skipped_until: None }
    }

    pub(super) fn status(&self, now: Duration) -> LinkStatus {
        LinkStatus { is_skipped: self.skipped_until.is_some_and(|until| now < until), failures: self.failures }
    }

    /// Whether to ask now. When the pause is over one question goes through as a probe, and the pause begins anew for the
    /// others until it is known how that went.
    pub(super) fn admit(&mut self, now: Duration) -> bool {
        match self.skipped_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                self.skipped_until = Some(now + self.pause);
                true
            }
        }
    }

    /// Whether this success ends a pause.
    pub(super) fn succeeded(&mut self) -> bool {
        let ends_pause = self.skipped_until.is_some();
        *self = Self::new(self.pause);
        ends_pause
    }

    /// Whether this failure begins a pause.
    pub(super) fn failed(&mut self, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < FAILURES_MAX {
            return false;
        }
        self.skipped_until = Some(now + self.pause);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn three_failures_in_a_row_begin_a_pause_and_one_probe_ends_it() {
        let mut breaker = Breaker::new(at(30));
        assert!(!breaker.failed(at(0)));
        assert!(!breaker.failed(at(1)));
        assert!(breaker.admit(at(2)));
        assert!(breaker.failed(at(2)));
        assert!(!breaker.admit(at(31)));
        assert!(breaker.status(at(31)).is_skipped);
        assert!(breaker.admit(at(32)), "the probe");
        assert!(!breaker.admit(at(33)), "one probe at a time");
        assert!(breaker.succeeded());
        assert!(breaker.admit(at(34)));
        assert_eq!(breaker.status(at(34)), LinkStatus { is_skipped: false, failures: 0 });
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let mut breaker = Breaker::new(at(30));
        for second in 0..20 {
            assert!(!breaker.failed(at(second)));
            assert!(!breaker.failed(at(second)));
            assert!(!breaker.succeeded());
        }
    }
}
