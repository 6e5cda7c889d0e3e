//! Everything that is stored of one visitor, as the visitor and the owner may take it with them.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::domain::id::{AgentId, ConversationId, EventId, LeadId, MessageId, VisitorId};
use crate::domain::lead_values::LeadValues;
use crate::domain::time::Timestamp;

#[derive(Debug, Serialize)]
pub(crate) struct VisitorRecord {
    pub(crate) visitor_id: VisitorId,
    pub(crate) agent_id: AgentId,
    pub(crate) created_at: Timestamp,
    /// Oldest first, as everything below it.
    pub(crate) conversations: Vec<ConversationRecord>,
    pub(crate) leads: Vec<LeadRecord>,
    /// False: there was more than could be shown at once, and the newest is left out.
    pub(crate) is_whole: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct ConversationRecord {
    pub(crate) id: ConversationId,
    pub(crate) created_at: Timestamp,
    pub(crate) messages: Vec<MessageRecord>,
    pub(crate) events: Vec<EventRecord>,
}

#[derive(Debug, Serialize)]
pub(crate) struct MessageRecord {
    pub(crate) id: MessageId,
    /// `user` or `assistant`.
    pub(crate) role: String,
    pub(crate) content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page_url: Option<String>,
    pub(crate) created_at: Timestamp,
}

#[derive(Debug, Serialize)]
pub(crate) struct EventRecord {
    pub(crate) id: EventId,
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) props: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page_url: Option<String>,
    pub(crate) created_at: Timestamp,
}

/// Of a lead only what this visitor has left: another one may have left the same address.
#[derive(Debug, Serialize)]
pub(crate) struct LeadRecord {
    pub(crate) id: LeadId,
    pub(crate) email: String,
    #[serde(flatten)]
    pub(crate) values: LeadValues,
}

/// What was erased of a visitor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Erased {
    pub(crate) conversations: u64,
    pub(crate) messages: u64,
    pub(crate) events: u64,
    /// Leads that were the visitor's alone.
    pub(crate) leads: u64,
    /// Leads that others had left too: what was the visitor's is out of them.
    pub(crate) leads_cleaned: u64,
}

impl Erased {
    pub(crate) fn is_nothing(self) -> bool {
        self == Self::default()
    }
}
