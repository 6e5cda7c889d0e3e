//! A lead: who wants to be contacted, and about what. One for each agent and email address.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::conversation::Page;
use crate::domain::email::Email;
use crate::domain::id::LeadId;
use crate::domain::time::Timestamp;

pub(crate) const NAME_CHARS_MAX: usize = 200;
pub(crate) const PHONE_CHARS_MAX: usize = 50;
pub(crate) const COMPANY_CHARS_MAX: usize = 200;
pub(crate) const MESSAGE_CHARS_MAX: usize = 4000;
pub(crate) const FIELDS_MAX: usize = 20;
pub(crate) const FIELD_KEY_CHARS_MAX: usize = 64;
pub(crate) const FIELD_VALUE_CHARS_MAX: usize = 1000;

/// What made the visitor leave an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeadSource {
    Form,
    Cta,
    Rule,
    Intent,
}

impl LeadSource {
    pub(crate) const ALL: [Self; 4] = [Self::Form, Self::Cta, Self::Rule, Self::Intent];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Cta => "cta",
            Self::Rule => "rule",
            Self::Intent => "intent",
        }
    }
}

/// How far the owner has come with a lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LeadStatus {
    New,
    Contacted,
    Won,
    Lost,
}

impl LeadStatus {
    pub(crate) const ALL: [Self; 4] = [Self::New, Self::Contacted, Self::Won, Self::Lost];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Contacted => "contacted",
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// The most that the owner's note on a lead may have, in characters.
pub(crate) const NOTE_CHARS_MAX: usize = 4000;

/// What a visitor sent. A member that is absent leaves what is stored as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewLead {
    pub(crate) email: Email,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) consent: Option<bool>,
    /// What stood beside the box, if it was ticked and there is one.
    pub(crate) consent_text: Option<String>,
    pub(crate) source: Option<LeadSource>,
    pub(crate) page: Page,
}

/// What the visitor may know of the stored lead: nothing that another visitor left there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoredLead {
    pub(crate) id: LeadId,
    pub(crate) created: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}
