//! The only reader of the clocks. Everything else takes `now` as an argument, so that time can be a number in a test.
//!
//! Wall time is for what is stored, signed or shown; monotonic time is for limits and deadlines, since it never steps.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The wall clock, in UTC.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Time since the process first asked, on a clock that never steps back.
pub(crate) fn monotonic() -> Duration {
    START.elapsed()
}
