//! What the owner's own servers are told of, and in which words: the JSON of each event, as it was when it happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::domain::conversation::Page;
use crate::domain::id::{AgentId, ConversationId, LeadId, OccurrenceId};
use crate::domain::time::Timestamp;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion {
    LeadCaptured,
    LeadUpdated,
    /// An answer says that its author does not know.
    ConversationUnanswered,
    /// The owner tries it out.
    Test,
}

impl Occasion {
    /// Those that a webhook can be told of.
    pub(crate) const ALL: [Self; 3] = [Self::LeadCaptured, Self::LeadUpdated, Self::ConversationUnanswered];

    /// The event's type, as the owner and the receiver read it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::LeadCaptured => "lead.captured",
            Self::LeadUpdated => "lead.updated",
            Self::ConversationUnanswered => "conversation.unanswered",
            Self::Test => "webhook.test",
        }
    }
}

/// The webhooks of one agent by their names, each with what it is told of. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscribers(Arc<[(String, Vec<Occasion>)]>);

impl Subscribers {
    pub(crate) fn new(webhooks: impl IntoIterator<Item = (String, Vec<Occasion>)>) -> Self {
        Self(webhooks.into_iter().collect())
    }

    /// Who is to be told of this.
    pub(crate) fn of(&self, occasion: Occasion) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, wanted)| wanted.contains(&occasion)).map(|(name, _)| name.as_str())
    }

    /// Whether nobody is told of any of these.
    pub(crate) fn is_empty_for(&self, occasions: &[Occasion]) -> bool {
        occasions.iter().all(|occasion| self.of(*occasion).next().is_none())
    }
}

/// The JSON that a receiver reads: what all events have, then what this one has.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Payload {
    pub(crate) id: OccurrenceId,
    #[serde(rename = "type", serialize_with = "as_text")]
    pub(crate) occasion: Occasion,
    pub(crate) created_at: Timestamp,
    pub(crate) agent_id: AgentId,
    #[serde(flatten)]
    pub(crate) details: Details,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Details {
    Lead { lead: Box<Lead>, conversation_id: ConversationId },
    Unanswered { question: String, answer: String, conversation_id: ConversationId, page: ToldPage },
    Test { webhook: String },
}

/// The whole lead, as it is stored after what happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Lead {
    pub(crate) id: LeadId,
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) consent: Option<bool>,
    pub(crate) source: Option<String>,
    pub(crate) page_url: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A [`Page`], as the contract writes it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ToldPage {
    url: Option<String>,
    title: Option<String>,
    referrer: Option<String>,
}

impl From<Page> for ToldPage {
    fn from(Page { url, title, referrer }: Page) -> Self {
        Self { url, title, referrer }
    }
}

fn as_text<S: serde::Serializer>(occasion: &Occasion, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(occasion.as_str())
}

impl Payload {
    pub(crate) fn to_json(&self) -> String {
        // Texts, numbers and maps of texts: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
