//! A conversation's messages, and how an answer can end.

use serde::Serialize;

use crate::domain::id::MessageId;
use crate::domain::time::Timestamp;

/// The most that a visitor may write in one message, in characters after trimming.
pub(crate) const CONTENT_CHARS_MAX: usize = 4000;
/// The most that a `client_message_id` may have, in characters.
pub(crate) const CLIENT_MESSAGE_ID_CHARS_MAX: usize = 128;
/// How many messages a resuming visitor is given back.
pub(crate) const RESUMED_MESSAGES_MAX: u32 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    User,
    Assistant,
}

/// Whether an answer is whole. A visitor's message is always `Complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Complete,
    /// The visitor left, the model failed midway or the server stopped: this is what was sent until then.
    Partial,
}

/// Why an answer ended, as the contract's `finish_reason` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FinishReason {
    Stop,
    /// The limit of output tokens was reached.
    Length,
    ContentFilter,
    /// It was not finished: the answer is partial.
    Cancelled,
}

impl FinishReason {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Stop, Self::Length, Self::ContentFilter, Self::Cancelled]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// Tokens that an answer took, as the models that were asked report them or as estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Usage {
    pub(crate) input_tokens: u32,
    pub(crate) output_tokens: u32,
}

impl Usage {
    pub(crate) const fn total(self) -> u64 {
        self.input_tokens as u64 + self.output_tokens as u64
    }

    pub(crate) const fn plus(self, more: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(more.input_tokens),
            output_tokens: self.output_tokens.saturating_add(more.output_tokens),
        }
    }
}

/// A stored message. Serialises as the contract's `messages` entries do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    pub(crate) id: MessageId,
    pub(crate) role: Role,
    pub(crate) content: String,
    /// Only an answer has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Status>,
    pub(crate) created_at: Timestamp,
}

/// A visitor's message, as far as an answer needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) id: MessageId,
    pub(crate) created_at: Timestamp,
}

impl Question {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { id: MessageId::new(now), created_at: now }
    }
}

/// The page on which the widget stands, as the page says: data, never an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) url: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) referrer: Option<String>,
}

/// What is kept of each field of a [`Page`], in characters; the rest is cut off.
pub(crate) const PAGE_FIELD_CHARS_MAX: usize = 2048;
