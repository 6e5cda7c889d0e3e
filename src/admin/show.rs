//! Figures, times and amounts as the owner reads them.

use std::fmt::Write;

use crate::domain::time::Timestamp;

/// `12,345`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `2026-11-25 22:41`.
pub(super) fn time(time: Timestamp) -> String {
    let text = time.to_string();
    match (text.get(..10), text.get(11..16)) {
        (Some(date), Some(clock)) => format!("{date} {clock}"),
        _ => text,
    }
}

/// `2026-11-25`.
pub(super) fn date(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..10).map_or_else(|| text.clone(), str::to_owned)
}

/// `340 ms`, `2.4 s`.
pub(super) fn ms(ms: u64) -> String {
    if ms < 1000 { format!("{ms} ms") } else { format!("{}.{} s", ms / 1000, ms % 1000 / 100) }
}

/// `37 %`, of nothing none.
pub(super) fn share(part: u64, whole: u64) -> String {
    let mut text = String::new();
    if let Some(percent) = part.saturating_mul(100).checked_div(whole) {
        let _ = write!(text, "{percent} %");
    }
    text
}

/// `1 message`, `2 messages`.
pub(super) fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", self::number(number), if number == 1 { one } else { many })
}

/// At most so many characters of it.
pub(super) fn beginning(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// As stored: never below zero.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_in_groups_and_times_without_seconds() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(number(n), text);
        }
        let now = Timestamp::from_ms(1_795_440_663_007);
        assert_eq!((time(now).as_str(), date(now).as_str()), ("2026-11-23 13:31", "2026-11-23"));
        assert_eq!((ms(340).as_str(), ms(2450).as_str()), ("340 ms", "2.4 s"));
        assert_eq!((share(1, 3).as_str(), share(1, 0).as_str()), ("33 %", ""));
        assert_eq!((count(1, "lead", "leads"), count(0, "lead", "leads")), ("1 lead".into(), "0 leads".into()));
    }
}
