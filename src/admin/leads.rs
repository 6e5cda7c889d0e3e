//! The list of leads, and each of them with what the owner writes on it.

use askama::Template;

use super::filter::{self, Agents, ROWS};
use super::page::{self, Inside, Section};
use super::{Ctx, Outcome, Refusal, show};
use crate::domain::id::LeadId;
use crate::domain::lead::{LeadStatus, NOTE_CHARS_MAX};
use crate::store::{LeadFilter, LeadRow};

/// A status to choose.
struct StatusChoice {
    status: &'static str,
    is_chosen: bool,
}

fn statuses(chosen: Option<LeadStatus>) -> Vec<StatusChoice> {
    LeadStatus::ALL.map(|status| StatusChoice { status: status.as_str(), is_chosen: chosen == Some(status) }).into()
}

#[derive(Template)]
#[template(path = "leads.html")]
struct List<'a> {
    page: Inside,
    agents: Agents,
    statuses: Vec<StatusChoice>,
    search: &'a str,
    from: &'a str,
    to: &'a str,
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
    /// The filter, for the export of the same leads.
    export: String,
}

struct Row {
    id: String,
    created: String,
    agent: String,
    email: String,
    /// Name and company.
    who: String,
    message: String,
    status: &'static str,
}

pub(super) fn filter(ctx: &Ctx<'_>) -> LeadFilter {
    let query = &ctx.query;
    LeadFilter {
        agent: filter::agent(query),
        status: query.some("status").and_then(LeadStatus::parse),
        period: filter::period(query),
        search: query.some("q").map(str::to_owned),
    }
}

pub(super) fn list(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let (query, filter) = (&ctx.query, filter(ctx));
    let after = query.some("after").and_then(LeadId::parse);
    let found = ctx.admin.store.leads(&filter, after, ROWS)?;
    page::html(&List {
        page: Inside::new(ctx, Section::Leads, "Leads"),
        agents: Agents::of(ctx),
        statuses: statuses(filter.status),
        search: query.text("q"),
        from: query.text("from"),
        to: query.text("to"),
        rows: found.rows.into_iter().map(shown).collect(),
        older: found.next.map(|id| query.with(&[("after", &id.to_string()), ("done", "")])),
        newest: after.map(|_| query.with(&[("after", ""), ("done", "")])),
        export: query.with(&[("after", ""), ("done", "")]),
    })
}

fn shown(lead: LeadRow) -> Row {
    let who: Vec<_> = [lead.name, lead.company].into_iter().flatten().collect();
    Row {
        id: lead.id.to_string(),
        created: show::time(lead.created_at),
        agent: lead.agent_id,
        email: lead.email,
        who: who.join(", "),
        message: show::beginning(&lead.message.unwrap_or_default(), MESSAGE_CHARS),
        status: lead.status.as_str(),
    }
}

/// Of a lead's message in the list.
const MESSAGE_CHARS: usize = 160;

#[derive(Template)]
#[template(path = "lead.html")]
struct One<'a> {
    page: Inside,
    lead: &'a LeadRow,
    created: String,
    updated: String,
    /// What was agreed to, and since when that is the text.
    consent: String,
    consent_text: Option<String>,
    statuses: Vec<StatusChoice>,
    note_chars_max: usize,
    history: Vec<Change>,
}

/// What the lead was before it was left again.
struct Change {
    at: String,
    conversation: Option<String>,
    /// Names and old values.
    old: Vec<(String, String)>,
}

pub(super) fn one(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let store = &ctx.admin.store;
    let lead = store.lead(id(ctx)?)?.ok_or(Refusal::NotFound)?;
    let version = lead.consent_version;
    let consent = match (lead.consent, version) {
        (None, _) => "not asked".to_owned(),
        (Some(false), _) => "refused".to_owned(),
        (Some(true), None) => "given".to_owned(),
        (Some(true), Some(version)) => format!("given, to version {version} of the text"),
    };
    let consent_text = version.map(|version| store.consent_text(&lead.agent_id, version)).transpose()?.flatten();
    let history = store.lead_history(lead.id)?.into_iter().map(|change| Change {
        at: show::time(change.changed_at),
        conversation: change.conversation_id.map(|id| id.to_string()),
        old: change.old,
    });
    page::html(&One {
        page: Inside::new(ctx, Section::Leads, lead.email.clone()),
        created: show::time(lead.created_at),
        updated: show::time(lead.updated_at),
        consent,
        consent_text,
        statuses: statuses(Some(lead.status)),
        note_chars_max: NOTE_CHARS_MAX,
        history: history.collect(),
        lead: &lead,
    })
}

/// Takes what the owner says of it.
pub(super) fn save(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let id = id(ctx)?;
    let status = LeadStatus::parse(ctx.form.text("status")).ok_or(Refusal::Form("Choose one of the four states."))?;
    // A browser sends the ends of lines as CR LF.
    let note = ctx.form.text("note").replace("\r\n", "\n").trim().to_owned();
    if note.chars().count() > NOTE_CHARS_MAX {
        return Err(Refusal::Form("The note is too long: it may have 4,000 characters."));
    }
    if !ctx.admin.store.set_lead_status_and_note(id, status, note).wait()? {
        return Err(Refusal::NotFound);
    }
    Ok(page::see_other(&format!("/admin/leads/{id}?done=saved")).into())
}

fn id(ctx: &Ctx<'_>) -> Result<LeadId, Refusal> {
    ctx.parts.get(1).and_then(|text| LeadId::parse(text)).ok_or(Refusal::NotFound)
}
