//! When a delivery that failed is tried again, and when it is given up: about a day after the first try. Pure.

use std::time::Duration;

/// Before the second attempt, the third, and so on: 23.6 hours in all.
const WAITS: [Duration; 9] = [
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(6),
    Duration::from_hours(10),
];
/// What a receiver may ask for by `Retry-After` beyond its turn.
const ASKED_MAX: Duration = Duration::from_hours(1);

/// How long to wait after so many failed attempts, of which there is at least one; none: it is given up. `jitter`, 0 to 1,
/// moves it by up to a tenth in either direction, so that what failed together does not come back together. `asked` is
/// what the receiver wants to be left alone for.
pub(super) fn wait(failed: u32, jitter: f64, asked: Option<Duration>) -> Option<Duration> {
    let wait = WAITS.get(usize::try_from(failed).ok()?.checked_sub(1)?)?;
    let wait = wait.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0));
    Some(wait.max(asked.unwrap_or_default().min(ASKED_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ten_times_in_about_a_day_and_then_given_up() {
        let waits: Vec<Duration> = (1..).map_while(|failed| wait(failed, 0.5, None)).collect();
        assert_eq!(waits.len() + 1, 10);
        assert!(waits.is_sorted());
        let whole: Duration = waits.iter().sum();
        assert!((Duration::from_hours(22)..Duration::from_hours(25)).contains(&whole), "{whole:?}");
        assert_eq!(wait(10, 0.5, None), None);
        assert_eq!(wait(10, 0.5, Some(Duration::from_secs(1))), None, "nobody can ask for more attempts");
        assert_eq!(wait(u32::MAX, 0.5, None), None);
    }

    #[test]
    fn what_failed_together_does_not_come_back_together() {
        assert_eq!(wait(1, 0.0, None), Some(Duration::from_secs(9)));
        assert_eq!(wait(1, 1.0, None), Some(Duration::from_secs(11)));
        assert_eq!(wait(2, 0.5, None), Some(Duration::from_mins(1)));
    }

    #[test]
    fn a_receiver_is_left_alone_for_as_long_as_it_asks_within_an_hour() {
        let asks = |asked| wait(1, 0.0, Some(asked)).unwrap();
        assert_eq!(asks(Duration::from_secs(90)), Duration::from_secs(90));
        assert_eq!(asks(Duration::from_secs(1)), Duration::from_secs(9), "never sooner than its turn");
        assert_eq!(asks(Duration::from_hours(1000)), Duration::from_hours(1));
    }
}
