//! Numbers with units, as they stand in `widget.toml`: `"1m 30s"`, `"256 MiB"`, `"60/1m"`. Pure. Each error is the end of
//! a complaint that began with what was found.

use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};

use crate::limiter::Rate;

/// What the limiter keeps a key for: it remembers each request of the window.
const RATE_REQUESTS_MAX: u32 = 100_000;
const RATE_WINDOW_MIN: Duration = Duration::from_millis(100);
/// The limiter counts milliseconds of a window in 32 bits, and it forgets at a restart anyway.
const RATE_WINDOW_MAX: Duration = Duration::from_hours(24);

/// `24h`, `90s`, `1m 30s`, `500ms`, `7d`: a day has 24 hours. A unit is required, a sign is not allowed.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || {
        let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if is_number {
            format!("has no unit; write \"{text}s\" for seconds")
        } else {
            "is not a time; write a number and its unit, such as \"30s\", \"1m 30s\" or \"24h\"".to_owned()
        }
    };
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(duration).map_err(|_| "is negative; write a time without a sign".to_owned())
}

pub(super) fn show_duration(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{}s", duration.as_secs()), |duration| format!("{duration:#}"))
}

const UNITS: [(&str, u64); 9] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// `256 MiB`, `1 GB`, `0 B`: a whole number and its unit, in bytes.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let wrong = "is not a size; write a whole number and its unit, such as \"256 MiB\"";
    let number: u64 = digits.parse().map_err(|_| wrong.to_owned())?;
    let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        let meant = meant_unit(unit);
        return Err(
            meant.map_or(wrong.to_owned(), |unit| format!("has no unit that is known; write \"{number} {unit}\""))
        );
    };
    number.checked_mul(*factor).ok_or_else(|| "is out of range".to_owned())
}

fn meant_unit(unit: &str) -> Option<&'static str> {
    match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => Some("KiB"),
        "" | "m" | "mb" | "mib" => Some("MiB"),
        "g" | "gb" | "gib" => Some("GiB"),
        "t" | "tb" | "tib" => Some("TiB"),
        "b" | "byte" | "bytes" => Some("B"),
        _ => None,
    }
}

pub(super) fn show_bytes(bytes: u64) -> String {
    let (name, factor) = UNITS
        .iter()
        .filter(|(_, factor)| factor.is_power_of_two() && bytes > 0 && bytes.is_multiple_of(*factor))
        .max_by_key(|(_, factor)| *factor)
        .unwrap_or(&UNITS[0]);
    format!("{} {name}", bytes / factor)
}

/// `60/1m`: requests, a slash, the window.
pub(super) fn parse_rate(text: &str) -> Result<Rate, String> {
    let wrong = "is not a rate; write requests, a slash and a time, such as \"60/1m\"";
    let (requests, window) = text.split_once('/').ok_or(wrong)?;
    let requests = requests.trim().parse().map_err(|_| wrong)?;
    let window = parse_duration(window).map_err(|_| match meant_window(window) {
        Some(meant) => {
            let meant = show_duration(meant);
            format!("has no number before its unit; write \"{requests}/{meant}\"")
        }
        None => wrong.to_owned(),
    })?;
    if !(1..=RATE_REQUESTS_MAX).contains(&requests) {
        return Err(format!("is out of range; write 1 to {RATE_REQUESTS_MAX} requests"));
    }
    if !(RATE_WINDOW_MIN..=RATE_WINDOW_MAX).contains(&window) {
        let [least, most] = [RATE_WINDOW_MIN, RATE_WINDOW_MAX].map(show_duration);
        return Err(format!("is out of range; write a window of {least} to {most}"));
    }
    Ok(Rate { requests, window })
}

/// `60/m` and `60/minute` are what many would write.
fn meant_window(unit: &str) -> Option<Duration> {
    let unit = unit.trim();
    parse_duration(&format!("1{unit}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_units() {
        let check = |text: &str, ms| {
            let duration = parse_duration(text);
            assert_eq!(duration, Ok(Duration::from_millis(ms)), "{text}");
        };
        check("24h", 86_400_000);
        check("90s", 90_000);
        check("1m 30s", 90_000);
        check("2 minutes", 120_000);
        check("500ms", 500);
        check("7d", 7 * 86_400_000);
        check("0s", 0);
        for bad in ["", "30", "-5s", "soon", "1h30", "3 months", "9999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_whole_numbers_with_units() {
        let check = |text: &str, bytes| assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        check("256 MiB", 256 << 20);
        check("256MiB", 256 << 20);
        check("1 GB", 1_000_000_000);
        check("0 B", 0);
        for bad in ["", "MiB", "1.5 GiB", "-1 B", "1 XB", "99999999999 TiB", "é"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
        let advice = parse_bytes("256mb").unwrap_err();
        assert!(advice.ends_with("write \"256 MiB\""), "{advice}");
    }

    #[test]
    fn sizes_are_shown_as_they_are_written() {
        for text in ["0 B", "1 B", "1000 B", "1 KiB", "256 MiB", "1 TiB"] {
            assert_eq!(parse_bytes(text).map(show_bytes).as_deref(), Ok(text));
        }
    }

    #[test]
    fn rates_are_requests_in_a_window() {
        let rate = |requests, seconds| Rate { requests, window: Duration::from_secs(seconds) };
        assert_eq!(parse_rate("60/1m"), Ok(rate(60, 60)));
        assert_eq!(parse_rate("5 / 90s"), Ok(rate(5, 90)));
        assert_eq!(parse_rate("100000/24h"), Ok(rate(100_000, 86_400)));
        for bad in ["", "60", "60/", "/1m", "0/1m", "-1/1m", "100001/1m", "1/99ms", "1/25h", "1/1m/1m"] {
            assert!(parse_rate(bad).is_err(), "{bad}");
        }
        for text in ["60/m", "60/min", "60/minute"] {
            let advice = parse_rate(text).unwrap_err();
            assert!(advice.ends_with("write \"60/1m\""), "{text}: {advice}");
        }
    }
}
