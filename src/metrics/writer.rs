//! What the one writer of the database commits.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Writes of one commit, up to the most that it takes.
const WRITES: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
/// In seconds: a flash disk takes less than the first two, one that stalls more than the last.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

pub(crate) struct Writer {
    writes: Histogram,
    seconds: Histogram,
    failures: Counter,
}

impl Writer {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let writer =
            Self { writes: Histogram::new(WRITES), seconds: Histogram::new(SECONDS), failures: Counter::default() };
        registry.register("commit_writes", "Writes that one commit carried", writer.writes.clone());
        registry.register(
            "commit_seconds",
            "From the first write of a commit to its end, when it is on the disk",
            writer.seconds.clone(),
        );
        registry.register(
            "commit_failures",
            "Commits that failed, and all of their writes with them",
            writer.failures.clone(),
        );
        writer
    }

    /// A commit of so many writes ended.
    pub(crate) fn committed(&self, writes: usize, took: Duration, is_stored: bool) {
        self.writes.observe(f64::from(u32::try_from(writes).unwrap_or(u32::MAX)));
        self.seconds.observe(took.as_secs_f64());
        if !is_stored {
            self.failures.inc();
        }
    }
}
