//! What is kept, for how long, and when that was last enforced.

use std::time::Duration;

use askama::Template;

use super::page::{self, Inside, Section};
use super::{Ctx, Outcome, Refusal, show};

const DAY: Duration = Duration::from_hours(24);

#[derive(Template)]
#[template(path = "retention.html")]
struct Page {
    page: Inside,
    classes: Vec<Class>,
    /// When it was last enforced.
    enforced: Option<String>,
    /// The file to change.
    file: String,
}

/// A kind of data.
struct Class {
    name: &'static str,
    what: &'static str,
    /// Its key under `[retention]`.
    key: &'static str,
    kept: String,
    /// What the last time took away; none: never yet.
    expired: Option<String>,
}

pub(super) fn show(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let retention = ctx.config.retention;
    let enforced = ctx.admin.store.enforced()?;
    let expired = enforced.map(|enforced| enforced.expired);
    let class = |name, what, key, period, expired: Option<u64>| Class {
        name,
        what,
        key,
        kept: kept(period),
        expired: expired.map(show::number),
    };
    page::html(&Page {
        page: Inside::new(ctx, Section::Retention, "Retention"),
        classes: vec![
            class(
                "Conversations",
                "what was said, after the last activity",
                "conversations",
                retention.conversations,
                expired.map(|expired| expired.conversations),
            ),
            class("Events", "what widgets reported", "events", retention.events, expired.map(|expired| expired.events)),
            class(
                "Leads",
                "who left an address, after it was last left",
                "leads",
                retention.leads,
                expired.map(|expired| expired.leads),
            ),
        ],
        enforced: enforced.map(|enforced| show::time(enforced.at)),
        file: ctx.config.source.display().to_string(),
    })
}

/// `90 days`, `1 day and 6 hours`, `for ever`.
fn kept(period: Option<Duration>) -> String {
    let Some(period) = period else {
        return "for ever".into();
    };
    let (days, seconds) = (period.as_secs() / DAY.as_secs(), period.as_secs() % DAY.as_secs());
    let days_text = show::count(days, "day", "days");
    let rest = match seconds {
        0 => return days_text,
        seconds if seconds % 3600 == 0 => show::count(seconds / 3600, "hour", "hours"),
        seconds => show::count(seconds, "second", "seconds"),
    };
    if days == 0 { rest } else { format!("{days_text} and {rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_told_in_days_and_what_is_over() {
        for (seconds, text) in
            [(90 * 86_400, "90 days"), (108_000, "1 day and 6 hours"), (3600, "1 hour"), (61, "61 seconds")]
        {
            assert_eq!(kept(Some(Duration::from_secs(seconds))), text);
        }
        assert_eq!(kept(None), "for ever");
    }
}
