//! Ids. Those of conversations, messages, leads and events are UUIDv7 (they sort by time); a visitor's is UUIDv4,
//! because it is what lets a visitor resume and must not be guessable (RFC 9562, sections 5.4, 5.7 and 8).
//!
//! `Debug` hides all of a visitor's and a conversation's id, so that none can slip into a log; `Display` shows it.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::domain::time::Timestamp;

/// The system's random source answers or the process cannot go on: there is no safe id without it.
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if let Err(error) = getrandom::fill(&mut bytes) {
        panic!("the operating system gives no random bytes: {error}");
    }
    bytes
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(Uuid);

        impl $name {
            /// As stored: 16 bytes.
            pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

macro_rules! made_at_a_time {
    ($($name:ident),*) => {$(
        impl $name {
            /// A new UUIDv7 of the moment `now`.
            pub(crate) fn new(now: Timestamp) -> Self {
                let ms = u64::try_from(now.ms()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(ms, &random_bytes()).into_uuid())
            }
        }
    )*};
}

uuid_id!(
    /// One person's browser, at one agent.
    VisitorId
);
uuid_id!(
    /// One conversation of a visitor with an agent.
    ConversationId
);
uuid_id!(
    /// A message of either side.
    MessageId
);
uuid_id!(
    /// A captured lead.
    LeadId
);
uuid_id!(
    /// A stored telemetry event.
    EventId
);
made_at_a_time!(ConversationId, MessageId, LeadId, EventId);

/// Those that come back in a request or a token.
macro_rules! read_from_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// Takes the hyphenated form, in either case; anything else is no id.
            pub(crate) fn parse(text: &str) -> Option<Self> {
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return None;
                }
                Uuid::try_parse(text).ok().map(Self)
            }
        }
    )*};
}

/// Those that are read back from storage.
macro_rules! read_from_storage {
    ($($name:ident),*) => {$(
        impl $name {
            pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }
    )*};
}

read_from_text!(VisitorId, ConversationId, LeadId);
read_from_storage!(VisitorId, ConversationId, MessageId, LeadId, EventId);

impl LeadId {
    /// What every id of this moment or later sorts after: for finding leads by their time.
    pub(crate) fn before_all_of(time: Timestamp) -> Self {
        let ms = u64::try_from(time.ms()).unwrap_or(0);
        Self(Uuid::from_u128(u128::from(ms) << 80))
    }
}

impl VisitorId {
    /// A new UUIDv4: 122 random bits from the operating system.
    pub(crate) fn new() -> Self {
        Self(uuid::Builder::from_random_bytes(random_bytes()).into_uuid())
    }
}

/// 128 random bits in hex: a token's `jti`, a request id.
pub(crate) fn random_hex() -> String {
    Uuid::from_bytes(random_bytes()).simple().to_string()
}

/// What the owner calls an agent in `widget.toml`: 1–64 of `a–z 0–9 - _`, beginning with a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AgentId(std::sync::Arc<str>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an agent id is 1 to 64 of a-z, 0-9, \"-\" and \"_\", and begins with a letter or a digit")]
pub(crate) struct AgentIdError;

impl AgentId {
    pub(crate) fn parse(text: &str) -> Result<Self, AgentIdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let first_is_alphanumeric = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if first_is_alphanumeric && text.len() <= 64 && text.bytes().all(allowed) {
            Ok(Self(text.into()))
        } else {
            Err(AgentIdError)
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for AgentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_one_moment_differ_and_sort_by_time() {
        let early = MessageId::new(Timestamp::from_ms(1_000));
        let late = MessageId::new(Timestamp::from_ms(2_000));
        assert!(early < late);
        assert_ne!(early, MessageId::new(Timestamp::from_ms(1_000)));
    }

    #[test]
    fn versions_are_what_the_contract_says() {
        let version = |text: String| text.as_bytes()[14];
        assert_eq!(version(VisitorId::new().to_string()), b'4');
        assert_eq!(version(LeadId::new(Timestamp::from_ms(1)).to_string()), b'7');
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = ConversationId::new(Timestamp::from_ms(1));
        assert_eq!(ConversationId::parse(&id.to_string()), Some(id));
        for text in ["", "x", "{00000000-0000-0000-0000-000000000000}", &"0".repeat(32), &"é".repeat(18)] {
            assert_eq!(ConversationId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn debug_hides_an_id() {
        assert_eq!(format!("{:?}", VisitorId::new()), "VisitorId(…)");
    }

    #[test]
    fn agent_ids_are_plain() {
        for good in ["demo", "a", "shop-2", "0_x", &"a".repeat(64)] {
            assert!(AgentId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "Demo", "a b", "a/b", "ä", &"a".repeat(65)] {
            assert!(AgentId::parse(bad).is_err(), "{bad}");
        }
    }

    /// Texts that are nearly an id: the right length, the right characters, the hyphens somewhere.
    fn near_misses() -> impl Strategy<Value = String> {
        prop_oneof![
            "[0-9a-fA-F-]{36}",
            "[0-9a-fg]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-fA-F]{12}",
            "\\{?(urn:uuid:)?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\\}?",
            any::<String>(),
        ]
    }

    proptest! {
        #[test]
        fn an_id_that_is_shown_is_read_again(bytes: [u8; 16]) {
            let (visitor, conversation) = (VisitorId(Uuid::from_bytes(bytes)), ConversationId::from_bytes(bytes));
            prop_assert_eq!(VisitorId::parse(&visitor.to_string()), Some(visitor));
            prop_assert_eq!(ConversationId::parse(&conversation.to_string()), Some(conversation));
            prop_assert_eq!(ConversationId::from_bytes(*conversation.as_bytes()), conversation);
        }

        /// The form that is shown is the only one that is taken, but for the case of its letters.
        #[test]
        fn any_other_text_is_no_id(text in near_misses()) {
            let is_hyphenated = text.len() == 36
                && text.bytes().enumerate().all(|(place, byte)| match place {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                });
            let visitor = VisitorId::parse(&text);
            prop_assert_eq!(visitor.is_some(), is_hyphenated);
            if let Some(visitor) = visitor {
                prop_assert_eq!(visitor.to_string(), text.to_ascii_lowercase());
            }
            prop_assert_eq!(ConversationId::parse(&text).is_some(), is_hyphenated);
        }

        #[test]
        fn an_agent_id_is_shown_as_it_was_written_or_refused(text in prop_oneof!["[a-z0-9_-]{0,66}", any::<String>()]) {
            let is_good = (1..=64).contains(&text.len())
                && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
                && !text.starts_with(['-', '_']);
            let parsed = AgentId::parse(&text);
            prop_assert_eq!(parsed.is_ok(), is_good);
            if let Ok(id) = parsed {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
