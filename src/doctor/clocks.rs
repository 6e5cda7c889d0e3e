//! Whether this machine's clock is right, by what others say of theirs. Tokens, budgets and certificates all go by it. Pure.

use super::finding::Finding;

/// What a `Date` header, which has whole seconds, and a slow call may be off.
const OFF_MAX_MS: i64 = 60_000;

/// `ahead_ms` is by how much this machine is ahead of `who`.
pub(super) fn judge(ahead_ms: Option<i64>, who: &str) -> Option<Finding> {
    let ahead_ms = ahead_ms.filter(|ahead| ahead.saturating_abs() > OFF_MAX_MS)?;
    let minutes = ahead_ms.saturating_abs() / 60_000;
    let direction = if ahead_ms > 0 { "ahead of" } else { "behind" };
    let unit = if minutes == 1 { "minute" } else { "minutes" };
    Some(
        Finding::warning("clock-off", format!("This machine's clock is {minutes} {unit} {direction} that of {who}."))
            .advise("One of the two is wrong. Let this one be set by the network:")
            .line("timedatectl set-ntp true"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_minute_is_told() {
        let told = |ahead| judge(ahead, "https://a.example").map(|finding| finding.found);
        assert_eq!(told(None), None);
        assert_eq!(told(Some(60_000)), None);
        assert_eq!(
            told(Some(-150_000)).as_deref(),
            Some("This machine's clock is 2 minutes behind that of https://a.example.")
        );
        assert!(told(Some(61_000)).is_some_and(|found| found.contains("1 minute ahead of")));
        assert!(told(Some(i64::MIN)).is_some());
    }
}
