//! `POST /v1/widget/leads`: an address that a visitor leaves; one lead for each agent and email.

use std::collections::BTreeMap;

use rouille::Response;
use serde::Serialize;
use serde_json::Value;

use super::body::Fields;
use super::error::ApiError;
use super::{Ctx, Outcome, body, gate, limits, stored};
use crate::domain::email::Email;
use crate::domain::id::LeadId;
use crate::domain::lead::{self, LeadSource, NewLead, StoredLead};
use crate::domain::text;
use crate::domain::time::Timestamp;

#[derive(Serialize)]
struct Answer {
    lead: Lead,
}

/// Nothing of what was stored before: another visitor may have left the same address.
#[derive(Serialize)]
struct Lead {
    id: LeadId,
    email: String,
    created: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

pub(super) fn leads(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let mut lead = body::parse(ctx.request, ctx.body, parse)?;
    // The owner's record of what was agreed to: the text that the agent has now.
    lead.consent_text =
        lead.consent.filter(|is_given| *is_given).and(visit.assistant.agent.appearance.lead_form.consent.clone());
    let quotas = ctx.snapshot.limits.leads(&visit.claims.jti, &visit.claims.agent, ctx.client(), ctx.monotonic)?;
    let email = lead.email.as_str().to_owned();
    let permit = stored::may_wait(ctx)?;
    let commit = ctx.app.store.upsert_lead(visit.speaker(), LeadId::new(ctx.now), lead, ctx.now);
    stored::answer(permit, commit, move |lead| Ok(limits::tell(answer(&lead, email), &quotas)))
}

fn answer(stored: &StoredLead, email: String) -> Response {
    let answer = Answer {
        lead: Lead {
            id: stored.id,
            email,
            created: stored.created,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        },
    };
    Response::json(&answer).with_status_code(if stored.created { 201 } else { 200 })
}

pub(super) fn parse(fields: &mut Fields<'_>) -> Option<NewLead> {
    let page = fields.page();
    let name = fields.text_or_empty("name", lead::NAME_CHARS_MAX);
    let phone = fields.text_or_empty("phone", lead::PHONE_CHARS_MAX);
    let company = fields.text_or_empty("company", lead::COMPANY_CHARS_MAX);
    let message = fields.text_or_empty("message", lead::MESSAGE_CHARS_MAX);
    let consent = fields.bool("consent");
    let source = fields.parsed("source", parse_source);
    let extra = parse_extra(fields);
    if !fields.has("email") {
        fields.complain("email", "is required");
    }
    let email = fields.parsed("email", Email::parse)?;
    Some(NewLead { email, name, phone, company, message, fields: extra, consent, consent_text: None, source, page })
}

fn parse_source(text: &str) -> Result<LeadSource, String> {
    let sources = LeadSource::ALL;
    sources
        .into_iter()
        .find(|source| source.as_str() == text)
        .ok_or_else(|| format!("must be one of {}", sources.map(LeadSource::as_str).join(", ")))
}

/// The owner's own fields: texts under keys of the owner's choice.
fn parse_extra(fields: &mut Fields<'_>) -> BTreeMap<String, String> {
    let members = fields.object("fields").unwrap_or_default();
    if members.len() > lead::FIELDS_MAX {
        fields.complain("fields", format!("must have at most {} entries", lead::FIELDS_MAX));
        return BTreeMap::new();
    }
    let mut extra = BTreeMap::new();
    for (key, value) in &members {
        let checked = text::trimmed(key, lead::FIELD_KEY_CHARS_MAX)
            .map_err(|error| format!("its key {error}"))
            .and_then(|key| match value {
                Value::String(value) => text::bounded(value, lead::FIELD_VALUE_CHARS_MAX)
                    .map(|value| (key.to_owned(), value.to_owned()))
                    .map_err(|error| error.to_string()),
                _ => Err("must be a string".to_owned()),
            });
        match checked {
            Ok((key, value)) => {
                extra.insert(key, value);
            }
            Err(message) => fields.complain(&format!("fields.{}", shortened(key)), message),
        }
    }
    extra
}

/// A key as it is named in a complaint.
fn shortened(key: &str) -> String {
    key.chars().take(lead::FIELD_KEY_CHARS_MAX).collect()
}
