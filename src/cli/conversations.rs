//! `widgetd conversations`: what was said.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::lists::{ExportAs, ListAs, ListFormat, Narrow, ShowFormat, open, print_csv, print_json};
use super::table::{self, Table};
use super::{Options, complain, fail, say};
use crate::domain::conversation::Role;
use crate::domain::id::ConversationId;
use crate::export;
use crate::store::{
    ConversationFilter, ConversationKey, ConversationPage, ConversationRow, ConversationView, SaidMessage, SeenEvent,
    Store,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the newest conversations in which the visitor wrote
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: ListAs,
        /// Begin after this one: "next" of the JSON document before
        #[arg(long, value_name = "KEY", value_parser = key)]
        after: Option<ConversationKey>,
    },
    /// Print one conversation with all that was said
    Show {
        /// The conversation's id
        #[arg(value_parser = conversation_id)]
        id: ConversationId,
        /// How it is written
        #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
        format: ShowFormat,
    },
    /// Write all conversations: as CSV a line for each, as JSON each with all that was said
    Export {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: ExportAs,
    },
    /// Delete a conversation with its messages and events; its leads stay
    Delete {
        /// The conversation's id
        #[arg(value_parser = conversation_id)]
        id: ConversationId,
    },
}

#[derive(Args)]
pub(super) struct Which {
    #[command(flatten)]
    narrow: Narrow,
    /// Only those in which an answer did not know
    #[arg(long)]
    unanswered: bool,
    /// Only those in which an address was left
    #[arg(long)]
    with_lead: bool,
}

fn conversation_id(text: &str) -> Result<ConversationId, String> {
    ConversationId::parse(text)
        .ok_or_else(|| "a conversation's id looks like 01890a5d-ac96-774b-bcce-b302099a8057".into())
}

fn key(text: &str) -> Result<ConversationKey, String> {
    ConversationKey::parse(text).ok_or_else(|| "it must be what stands in \"next\"".into())
}

#[derive(Serialize)]
struct Document<'a> {
    conversations: &'a [ConversationRow],
    next: Option<String>,
}

impl Which {
    fn filter(&self) -> ConversationFilter {
        let Self { narrow, unanswered, with_lead } = self;
        ConversationFilter {
            agent: narrow.agent.clone(),
            period: narrow.period(),
            unanswered: *unanswered,
            with_lead: *with_lead,
            search: narrow.search.clone(),
        }
    }
}

pub(super) fn run(options: &Options, command: &Command) -> Result<(), ExitCode> {
    let store = open(options)?;
    match command {
        Command::List { which, how, after } => list(&store, which, how, *after),
        Command::Show { id, format } => show(&store, *id, *format),
        Command::Export { which, how } => how.run("conversations", |limit, format, out, progress| {
            export::conversations(&store, &which.filter(), limit, format, out, progress)
        }),
        Command::Delete { id } => delete(&store, *id),
    }
}

fn list(store: &Store, which: &Which, how: &ListAs, after: Option<ConversationKey>) -> Result<(), ExitCode> {
    let filter = which.filter();
    let page = store.conversations(&filter, after, how.limit).map_err(|error| fail(&error))?;
    match how.format {
        ListFormat::Csv => print_csv(&export::CONVERSATION_COLUMNS, page.rows.iter().map(export::conversation_cells)),
        ListFormat::Json => {
            let next = page.next.map(|key| key.to_string());
            print_json(&Document { conversations: &page.rows, next })
        }
        ListFormat::Table => {
            print(&page);
            Ok(())
        }
    }
}

fn print(page: &ConversationPage) {
    if page.rows.is_empty() {
        return say(format_args!("No conversations."));
    }
    let mut table =
        Table::new(&["id", "began", "lead", "agent", "unanswered", "messages", "cost", "tokens", "first question"]);
    for row in &page.rows {
        table.row([
            row.id.to_string(),
            minute(&row.began_at.to_string()),
            row.lead_email.clone().unwrap_or_default(),
            row.agent_id.clone(),
            row.unanswered.to_string(),
            row.messages.to_string(),
            export::amount(row.cost_nanos),
            (row.input_tokens + row.output_tokens).to_string(),
            row.first_question.clone(),
        ]);
    }
    table.print();
    if page.next.is_some() {
        say(format_args!("There are more: use --limit, or narrow the list."));
    }
}

/// A time without its seconds.
fn minute(time: &str) -> String {
    time.chars().take(16).collect::<String>().replace('T', " ")
}

fn show(store: &Store, id: ConversationId, format: ShowFormat) -> Result<(), ExitCode> {
    let view = store.conversation(id).map_err(|error| fail(&error))?.ok_or_else(|| unknown(id))?;
    match format {
        ShowFormat::Json => print_json(&view),
        ShowFormat::Table => {
            tell(&view);
            Ok(())
        }
    }
}

fn tell(view: &ConversationView) {
    say(format_args!("conversation  {}", view.id));
    say(format_args!("agent         {}", view.agent_id));
    say(format_args!("visitor       {}", view.visitor_id));
    say(format_args!("first seen    {}", view.created_at));
    say(format_args!("last active   {}", view.active_at));
    say(format_args!("tokens        {} in, {} out", view.input_tokens, view.output_tokens));
    say(format_args!("cost          {}", export::amount(view.cost_nanos)));
    for lead in &view.leads {
        say(format_args!("lead          {} ({})", table::one_line(&lead.email), lead.status.as_str()));
    }
    for message in &view.messages {
        say(format_args!(""));
        say(format_args!("{}", heading(message)));
        table::lines(&message.content).for_each(|line| say(format_args!("  {line}")));
    }
    print_events(&view.events);
}

fn print_events(events: &[SeenEvent]) {
    if events.is_empty() {
        return;
    }
    say(format_args!(""));
    let mut table = Table::new(&["event", "at", "page"]);
    for event in events {
        let page = event.page_url.clone().unwrap_or_default();
        table.row([event.event_type.clone(), event.created_at.to_string(), page]);
    }
    table.print();
}

/// Who speaks, when, and what of it matters to the owner.
fn heading(message: &SaidMessage) -> String {
    let who = if message.role == Role::User { "visitor" } else { "answer" };
    let mut notes = Vec::new();
    notes.extend(message.page_url.as_deref().map(|url| format!("on {}", table::one_line(url))));
    notes.extend(message.model.as_deref().filter(|model| !model.is_empty()).map(|model| format!("by {model}")));
    notes.extend(message.first_token_ms.map(|ms| format!("first word after {ms} ms")));
    notes.extend(message.is_unanswered.then(|| "did not know".into()));
    notes.extend(message.cost_nanos.map(|nanos| format!("cost {}", export::amount(nanos))));
    let notes = if notes.is_empty() { String::new() } else { format!("  ({})", notes.join(", ")) };
    format!("{who}  {}{notes}", message.created_at)
}

fn delete(store: &Store, id: ConversationId) -> Result<(), ExitCode> {
    let deleted = store.delete_conversation(id).map_err(|error| fail(&error))?;
    store.close();
    if !deleted {
        return Err(unknown(id));
    }
    complain(format_args!("Deleted. Its leads, if there are any, were kept."));
    Ok(())
}

fn unknown(id: ConversationId) -> ExitCode {
    fail(&format_args!("there is no conversation {id}"))
}
