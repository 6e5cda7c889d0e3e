//! Values with units, as they stand in `widget.toml`: durations, sizes, rates. Pure.

use std::time::Duration;

use crate::limiter::Rate;

/// `24h`, `90s`, `1m 30s`, `500ms`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let duration: jiff::SignedDuration = text.trim().parse().ok()?;
    Duration::try_from(duration).ok()
}

/// `256 MiB`, `64 KiB`, `1 GiB`, `512 B`.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(unit)
}

/// `60/1m`: so many in any such time.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (requests, window) = text.split_once('/')?;
    let requests = requests
        .trim()
        .parse()
        .ok()
        .filter(|requests| (1..=100_000).contains(requests))?;
    // Longer than a day would keep the moments of too many requests in memory.
    let window =
        duration(window).filter(|window| (100..=86_400_000).contains(&window.as_millis()))?;
    Some(Rate { requests, window })
}

/// A duration as it is written here.
pub(super) fn shown(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        _ if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        _ if ms % 1000 == 0 => format!("{}s", ms / 1000),
        _ => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("24h", 86_400.0),
            ("90s", 90.0),
            ("1m 30s", 90.0),
            ("500ms", 0.5),
            (" 20s ", 20.0),
        ] {
            assert_eq!(
                duration(text),
                Some(Duration::from_secs_f64(seconds)),
                "{text}"
            );
        }
        for bad in ["", "20", "-5s", "s", "1 fortnight", "5 s s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
        assert_eq!(shown(Duration::from_secs(90)), "90s");
        assert_eq!(shown(Duration::from_secs(7200)), "2h");
    }

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("256 MiB", 256 << 20),
            ("64KiB", 64 << 10),
            ("0 B", 0),
            ("1 GiB", 1 << 30),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for bad in [
            "",
            "256",
            "MiB",
            "256 MB",
            "-1 B",
            "1.5 GiB",
            "99999999999999 TiB",
        ] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(
            rate("60/1m"),
            Some(Rate {
                requests: 60,
                window: Duration::from_secs(60)
            })
        );
        assert_eq!(
            rate(" 5 / 1s "),
            Some(Rate {
                requests: 5,
                window: Duration::from_secs(1)
            })
        );
        for bad in [
            "",
            "60",
            "60/",
            "/1m",
            "0/1m",
            "60/0s",
            "60/2d",
            "x/1m",
            "60/1m/2",
            "1000000/1m",
        ] {
            assert_eq!(rate(bad), None, "{bad}");
        }
    }
}
