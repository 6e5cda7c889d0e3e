//! Telemetry events of a widget.

use crate::domain::conversation::Page;
use crate::domain::time::Timestamp;

pub(crate) const BATCH_MAX: usize = 50;
pub(crate) const CLIENT_ID_CHARS_MAX: usize = 128;
/// Of `props` as compact JSON.
pub(crate) const PROPS_BYTES_MAX: usize = 2048;
const CUSTOM_NAME_CHARS_MAX: usize = 64;

/// The types that the contract names; any other begins with `custom.`.
pub(crate) const TYPES: [&str; 11] = [
    "launcher_open",
    "launcher_close",
    "cta_click",
    "dismiss",
    "scroll_trigger",
    "idle_trigger",
    "exit_intent",
    "url_trigger",
    "lead_form_open",
    "message_sent",
    "link_click",
];

/// One of [`TYPES`], or `custom.` and 1–64 of `a–z A–Z 0–9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventType(String);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {}, or \"custom.\" and a name of 1 to 64 letters, digits, \".\", \"_\" or \"-\"", TYPES.join(", "))]
pub(crate) struct EventTypeError;

impl EventType {
    pub(crate) fn parse(text: &str) -> Result<Self, EventTypeError> {
        let is_custom = text.strip_prefix("custom.").is_some_and(|name| {
            (1..=CUSTOM_NAME_CHARS_MAX).contains(&name.len())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        });
        if is_custom || TYPES.contains(&text) { Ok(Self(text.to_owned())) } else { Err(EventTypeError) }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a widget reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewEvent {
    pub(crate) event_type: EventType,
    /// The client's own id: a repetition in the same conversation counts once.
    pub(crate) client_id: Option<String>,
    /// When it happened by the client's clock.
    pub(crate) client_time: Option<Timestamp>,
    /// A JSON object as compact text, at most [`PROPS_BYTES_MAX`].
    pub(crate) props: Option<String>,
    pub(crate) page: Page,
}

impl NewEvent {
    /// What it counts against the agent's daily allowance, in bytes: its texts and 64 for the row around them.
    pub(crate) fn stored_bytes(&self) -> u64 {
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = self.event_type.0.len()
            + of(&self.client_id)
            + of(&self.props)
            + of(&self.page.url)
            + of(&self.page.title)
            + of(&self.page.referrer);
        64 + texts as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_the_contracts_or_custom() {
        for good in ["launcher_open", "link_click", "custom.a", "custom.video.play-2_x"] {
            assert!(EventType::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "open", "custom.", "custom", "custom.a b", "custom.é", &format!("custom.{}", "a".repeat(65))] {
            assert!(EventType::parse(bad).is_err(), "{bad}");
        }
    }
}
