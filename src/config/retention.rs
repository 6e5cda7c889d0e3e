//! The section `[retention]`: how long what is stored is kept.

use std::time::Duration;

use crate::config::section::Section;
use crate::config::units::{parse_duration, show_duration};
use crate::config::value::Value;
use crate::store::Retention;

const DAY: Duration = Duration::from_hours(24);
/// A conversation must outlive every window that it is resumed or counted in.
const KEPT_MIN: Duration = DAY;
const KEPT_MAX: Duration = Duration::from_hours(24 * 3650);
const FOREVER: &str = "forever";

/// `conversations_min` is the longest window that looks back into conversations.
pub(super) fn read(section: &Section, conversations_min: Duration) -> Retention {
    let conversations = section.get("conversations");
    let kept = kept(&conversations).unwrap_or(Some(90 * DAY));
    if kept.is_some_and(|kept| kept < conversations_min) {
        let least = show_duration(conversations_min);
        conversations.complain(&format!(
            "is shorter than conversation.resume_window or a budget's window; write \"{least}\" or more"
        ));
    }
    Retention {
        conversations: kept,
        events: self::kept(&section.get("events")).unwrap_or(Some(30 * DAY)),
        leads: self::kept(&section.get("leads")).unwrap_or(None),
    }
}

/// None: it is absent, or wrong; else for how long, or for ever.
fn kept(value: &Value) -> Option<Option<Duration>> {
    value.parse(|text| {
        if text == FOREVER {
            return Ok(None);
        }
        let time = parse_duration(text)?;
        if (KEPT_MIN..=KEPT_MAX).contains(&time) {
            Ok(Some(time))
        } else {
            Err(format!("is out of range; write \"1d\" to \"3650d\", or \"{FOREVER}\""))
        }
    })
}
