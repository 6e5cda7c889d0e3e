//! What webhooks were told, and what of it waits.

use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::registry::Registry;

use super::labels::Known;

const OUTCOMES: [&str; 3] = ["delivered", "failed", "given_up"];

pub(crate) struct Webhooks {
    attempts: Known,
    pending: AtomicU64,
    dead: AtomicU64,
}

impl Webhooks {
    pub(super) fn new(registry: &mut Registry) -> Self {
        Self {
            attempts: Known::new(
                registry,
                "webhook_attempts",
                "Attempts to tell a webhook, by outcome; one that failed is made again, one that was given up is not",
                "outcome",
                &OUTCOMES,
            ),
            pending: AtomicU64::new(0),
            dead: AtomicU64::new(0),
        }
    }

    pub(crate) fn attempted(&self, outcome: &'static str) {
        self.attempts.count(outcome);
    }

    /// How many deliveries wait, and how many were given up, as the sender finds each few seconds. They are kept here, not
    /// counted at a scrape: that would wait for a database that stalls.
    pub(crate) fn stands_at(&self, pending: u64, dead: u64) {
        self.pending.store(pending, Ordering::Relaxed);
        self.dead.store(dead, Ordering::Relaxed);
    }

    /// Pending and dead.
    pub(super) fn stock(&self) -> [u64; 2] {
        [self.pending.load(Ordering::Relaxed), self.dead.load(Ordering::Relaxed)]
    }
}
