//! A moment in UTC, to the millisecond.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Milliseconds since 1970-01-01T00:00:00Z. Shown and serialised as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Timestamp(i64);

const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    pub(crate) const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    pub(crate) const fn ms(self) -> i64 {
        self.0
    }

    /// The beginning of a UTC day that is written like `2026-11-25`.
    pub(crate) fn parse_date(text: &str) -> Option<Self> {
        // Jiff reads a date out of much more.
        let is_plain = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        let date: jiff::civil::Date = is_plain.then(|| text.parse().ok()).flatten()?;
        let start = jiff::tz::TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
        Some(Self(start.as_millisecond()))
    }

    /// Whole seconds since the epoch, rounded down: the NumericDate of RFC 7519, section 2.
    pub(crate) const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    pub(crate) fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(ms_of(duration)))
    }

    pub(crate) fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(ms_of(duration)))
    }

    /// From `earlier` to this moment; zero when `earlier` is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The UTC day as days since the epoch: what daily budgets are counted by.
    pub(crate) const fn day(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }

    /// When this UTC day begins.
    pub(crate) const fn of_day(day: i64) -> Self {
        Self(day.saturating_mul(DAY_MS))
    }

    /// When the next UTC day begins.
    pub(crate) const fn next_day(self) -> Self {
        Self::of_day(self.day() + 1)
    }
}

fn ms_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}ms", self.0), // beyond the year 9999
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_ms(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_ms(1_795_440_663_007).to_string(), "2026-11-23T13:31:03.007Z");
    }

    #[test]
    fn a_date_is_read_as_the_beginning_of_its_day() {
        assert_eq!(Timestamp::parse_date("1970-01-02"), Some(Timestamp::from_ms(DAY_MS)));
        assert_eq!(
            Timestamp::parse_date("2026-11-23").map(|time| time.to_string()[..10].to_owned()),
            Some("2026-11-23".into())
        );
        for bad in ["", "2026-02-30", "2026-11-23T01:00", "20261123", "2026-1-2", "yesterday", "2026-11-2é"] {
            assert_eq!(Timestamp::parse_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_day_ends_at_midnight_in_utc() {
        let noon = Timestamp::from_ms(10 * DAY_MS + DAY_MS / 2);
        assert_eq!(noon.day(), 10);
        assert_eq!(noon.next_day(), Timestamp::from_ms(11 * DAY_MS));
    }

    #[test]
    fn a_clock_that_stepped_back_gives_no_negative_time() {
        assert_eq!(Timestamp::from_ms(5).since(Timestamp::from_ms(9)), Duration::ZERO);
    }
}
