//! How long visitors waited for the first word, as counts on a scale on which each bound is a quarter more than the one
//! before it: enough for a median that is at most an eighth off, in a handful of rows a day. Pure.

/// Of the shortest class, in milliseconds.
const FIRST_BOUND_MS: f64 = 10.0;
const RATIO: f64 = 1.25;
/// The last class takes all that is longer than some ten minutes.
const CLASSES: i32 = 50;

/// The upper bound of the class that a time falls in, in milliseconds.
pub(super) fn bound_ms(ms: i64) -> i64 {
    (0..CLASSES).map(bound_of).find(|bound| ms <= *bound).unwrap_or_else(|| bound_of(CLASSES))
}

fn bound_of(class: i32) -> i64 {
    // Of at most 700 000: no digit is lost.
    (FIRST_BOUND_MS * RATIO.powi(class)).round() as i64
}

/// The time below which `share` (0–1) of all lie: in its class taken as if its times lay evenly. `classes` are upper bounds
/// with counts, in order.
pub(super) fn quantile_ms(classes: &[(i64, u64)], share: f64) -> Option<u64> {
    let total: u64 = classes.iter().map(|(_, count)| count).sum();
    let wanted = share * total as f64;
    let mut below = 0.0;
    for &(bound, count) in classes {
        let count = count as f64;
        if count > 0.0 && below + count >= wanted {
            let lower = bound as f64 / RATIO;
            let lower = if bound_ms(0) == bound { 0.0 } else { lower };
            return Some((lower + (bound as f64 - lower) * (wanted - below) / count).round() as u64);
        }
        below += count;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn classes(times: impl Iterator<Item = i64>) -> Vec<(i64, u64)> {
        let mut classes = BTreeMap::new();
        times.for_each(|ms| *classes.entry(bound_ms(ms)).or_default() += 1);
        classes.into_iter().collect()
    }

    #[test]
    fn bounds_grow_by_a_quarter_and_end() {
        for (ms, bound) in [(0, 10), (10, 10), (11, 13), (13, 13), (14, 16), (i64::MAX, 700_649)] {
            assert_eq!(bound_ms(ms), bound, "{ms}");
        }
    }

    #[test]
    fn quantiles_are_near_the_true_ones() {
        let classes = classes(1..=10_000);
        for (share, truth) in [(0.5, 5000.0), (0.95, 9500.0), (0.1, 1000.0)] {
            let found = quantile_ms(&classes, share).unwrap() as f64;
            assert!((found / truth - 1.0).abs() < 0.125, "{share}: {found}");
        }
        assert_eq!(quantile_ms(&[], 0.5), None);
    }
}
