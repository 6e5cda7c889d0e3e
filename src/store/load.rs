//! What the database takes and has to do, told without asking it: while it stalls, this is when it matters.

use std::path::Path;
use std::time::Duration;

use super::Store;
use crate::metrics::Level;

/// One look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Whether nothing is known that speaks against it; what `/readyz` asks the database itself, it does not know.
    pub(crate) is_well: bool,
    /// Writes that wait for the writer.
    pub(crate) queue: Level,
    /// For how long the commit under way has been under way; zero: there is none.
    pub(crate) committing: Duration,
    /// None: the system does not tell.
    pub(crate) database_bytes: Option<u64>,
    pub(crate) log_bytes: Option<u64>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) free_floor_bytes: u64,
}

impl Store {
    /// Takes no connection, and waits for neither the writer nor a lock of the database.
    pub(crate) fn load(&self, now: Duration) -> Load {
        let path = self.path();
        let (queue, committing) = self.0.writer.load(now);
        let disk = rustix::fs::statvfs(&self.0.disk.folder).ok();
        let log = path.with_extension("db-wal");
        Load {
            is_well: self.0.health.ready().is_ok() && self.0.writer.ready().is_ok(),
            queue,
            committing,
            database_bytes: size(path),
            // Without a log there is none yet.
            log_bytes: size(path).map(|_| size(&log).unwrap_or(0)),
            free_bytes: disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
            free_floor_bytes: self.0.disk.floor_bytes,
        }
    }
}

fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|file| file.len())
}
