//! The list of conversations, and each of them.

use askama::Template;

use super::filter::{self, Agents, ROWS};
use super::page::{self, Inside, Section};
use super::{Ctx, Outcome, Refusal, show};
use crate::domain::conversation::{Role, Status};
use crate::domain::id::ConversationId;
use crate::domain::money;
use crate::store::{ConversationFilter, ConversationKey, ConversationRow, ConversationView, SaidMessage};

#[derive(Template)]
#[template(path = "conversations.html")]
struct List<'a> {
    page: Inside,
    agents: Agents,
    search: &'a str,
    from: &'a str,
    to: &'a str,
    unanswered: bool,
    with_lead: bool,
    rows: Vec<Row>,
    /// The address of the next page, and of the first if this is another.
    older: Option<String>,
    newest: Option<String>,
    /// The filter, for the export of the same conversations.
    export: String,
}

struct Row {
    id: String,
    began: String,
    agent: String,
    question: String,
    messages: String,
    tokens: String,
    cost: String,
    unanswered: u64,
    lead: Option<(String, String)>,
}

pub(super) fn list(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let query = &ctx.query;
    let filter = filter(ctx);
    let after = query.some("after").and_then(ConversationKey::parse);
    let found = ctx.admin.store.conversations(&filter, after, ROWS)?;
    page::html(&List {
        page: Inside::new(ctx, Section::Conversations, "Conversations"),
        agents: Agents::of(ctx),
        search: query.text("q"),
        from: query.text("from"),
        to: query.text("to"),
        unanswered: filter.unanswered,
        with_lead: filter.with_lead,
        rows: found.rows.into_iter().map(|row| shown(ctx, row)).collect(),
        older: found.next.map(|key| query.with(&[("after", &key.to_string()), ("done", "")])),
        newest: after.map(|_| query.with(&[("after", ""), ("done", "")])),
        export: query.with(&[("after", ""), ("done", "")]),
    })
}

pub(super) fn filter(ctx: &Ctx<'_>) -> ConversationFilter {
    let query = &ctx.query;
    ConversationFilter {
        agent: filter::agent(query),
        period: filter::period(query),
        unanswered: query.is_checked("unanswered"),
        with_lead: query.is_checked("lead"),
        search: query.some("q").map(str::to_owned),
    }
}

fn shown(ctx: &Ctx<'_>, row: ConversationRow) -> Row {
    Row {
        id: row.id.to_string(),
        began: show::time(row.began_at),
        agent: row.agent_id,
        question: row.first_question,
        messages: show::number(row.messages),
        tokens: show::number(row.input_tokens + row.output_tokens),
        cost: money::show(show::unsigned(row.cost_nanos), ctx.config.currency),
        unanswered: row.unanswered,
        lead: row.lead_id.map(|id| id.to_string()).zip(row.lead_email),
    }
}

#[derive(Template)]
#[template(path = "conversation.html")]
struct One<'a> {
    page: Inside,
    view: &'a ConversationView,
    began: String,
    active: String,
    tokens: String,
    cost: String,
    turns: Vec<Turn<'a>>,
}

/// A message as it is read.
struct Turn<'a> {
    is_visitors: bool,
    said: &'a str,
    /// What it took, and where it was said.
    notes: Vec<String>,
    is_unanswered: bool,
    page_url: Option<&'a str>,
    page_title: Option<&'a str>,
}

pub(super) fn one(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let view = view(ctx)?;
    page::html(&One {
        page: Inside::new(ctx, Section::Conversations, "Conversation"),
        began: show::time(view.created_at),
        active: show::time(view.active_at),
        tokens: tokens(view.input_tokens, view.output_tokens),
        cost: money::show(show::unsigned(view.cost_nanos), ctx.config.currency),
        turns: view.messages.iter().map(|message| turn(ctx, message)).collect(),
        view: &view,
    })
}

fn turn<'a>(ctx: &Ctx<'_>, message: &'a SaidMessage) -> Turn<'a> {
    let mut notes = vec![show::time(message.created_at)];
    notes.extend(message.model.clone());
    if let (Some(input), Some(output)) = (message.input_tokens, message.output_tokens) {
        notes.push(tokens(show::unsigned(input), show::unsigned(output)));
    }
    notes.extend(message.first_token_ms.map(|ms| format!("first word after {}", show::ms(show::unsigned(ms)))));
    notes.extend(
        message
            .cost_nanos
            .map(|nanos| money::show(show::unsigned(nanos), ctx.config.currency))
            .map(|cost| format!("cost {cost}")),
    );
    if message.status == Some(Status::Partial) {
        notes.push("not complete".into());
    }
    Turn {
        is_visitors: message.role == Role::User,
        said: &message.content,
        notes,
        is_unanswered: message.is_unanswered,
        page_url: message.page_url.as_deref(),
        page_title: message.page_title.as_deref(),
    }
}

fn tokens(input: u64, output: u64) -> String {
    format!("{} tokens in, {} out", show::number(input), show::number(output))
}

#[derive(Template)]
#[template(path = "delete.html")]
struct Delete {
    page: Inside,
    id: String,
    began: String,
    messages: String,
    leads: usize,
}

/// Asks before anything is deleted.
pub(super) fn confirm(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    let view = view(ctx)?;
    page::html(&Delete {
        page: Inside::new(ctx, Section::Conversations, "Delete this conversation?"),
        id: view.id.to_string(),
        began: show::time(view.created_at),
        messages: show::count(view.messages.len() as u64, "message", "messages"),
        leads: view.leads.len(),
    })
}

pub(super) fn delete(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    if !ctx.admin.store.delete_conversation(id(ctx)?)? {
        return Err(Refusal::NotFound);
    }
    Ok(page::see_other("/admin/conversations?done=deleted").into())
}

fn view(ctx: &Ctx<'_>) -> Result<ConversationView, Refusal> {
    ctx.admin.store.conversation(id(ctx)?)?.ok_or(Refusal::NotFound)
}

/// The one that the address names.
fn id(ctx: &Ctx<'_>) -> Result<ConversationId, Refusal> {
    ctx.parts.get(1).and_then(|text| ConversationId::parse(text)).ok_or(Refusal::NotFound)
}
