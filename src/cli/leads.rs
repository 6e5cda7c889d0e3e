//! `widgetd leads`: who left an address.

use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::lists::{ExportAs, ListAs, ListFormat, Narrow, open, print_csv, print_json};
use super::table::Table;
use super::{Options, complain, fail, say};
use crate::domain::id::LeadId;
use crate::domain::lead::{LeadStatus, NOTE_CHARS_MAX};
use crate::export;
use crate::store::{LeadFilter, LeadPage, LeadRow, Store};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print the newest leads
    List {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: ListAs,
        /// Begin after this one: "next" of the JSON document before
        #[arg(long, value_name = "ID", value_parser = lead_id)]
        after: Option<LeadId>,
    },
    /// Write all leads as CSV or JSON
    Export {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: ExportAs,
    },
    /// Note how far you have come with a lead
    Set(Set),
}

#[derive(Args)]
pub(super) struct Set {
    /// The lead's id
    #[arg(value_parser = lead_id)]
    id: LeadId,
    #[command(flatten)]
    change: Change,
}

/// One of them, or both.
#[derive(Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// How far you have come; left out, it stays as it is
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    status: Option<LeadStatus>,
    /// A note of your own, in place of the one before; left out, that one stays
    #[arg(long, value_name = "TEXT", value_parser = note)]
    note: Option<String>,
}

fn lead_id(text: &str) -> Result<LeadId, String> {
    LeadId::parse(text).ok_or_else(|| "a lead's id looks like 01890a5d-ac96-774b-bcce-b302099a8057".into())
}

fn note(text: &str) -> Result<String, String> {
    let is_short = text.chars().count() <= NOTE_CHARS_MAX;
    is_short.then(|| text.to_owned()).ok_or_else(|| format!("it may have {NOTE_CHARS_MAX} characters"))
}

#[derive(Serialize)]
struct Document<'a> {
    leads: &'a [LeadRow],
    next: Option<LeadId>,
}

#[derive(Args)]
pub(super) struct Which {
    #[command(flatten)]
    narrow: Narrow,
    /// Only those with this status
    #[arg(long, value_name = "STATUS", value_parser = statuses())]
    status: Option<LeadStatus>,
}

/// The statuses by their names, which help and completions show.
fn statuses() -> impl TypedValueParser<Value = LeadStatus> {
    let names = PossibleValuesParser::new(LeadStatus::ALL.map(LeadStatus::as_str));
    names.try_map(|name| LeadStatus::parse(&name).ok_or("it is none of them"))
}

impl Which {
    fn filter(&self) -> LeadFilter {
        let Self { narrow, status } = self;
        LeadFilter {
            agent: narrow.agent.clone(),
            status: *status,
            period: narrow.period(),
            search: narrow.search.clone(),
        }
    }
}

pub(super) fn run(options: &Options, command: &Command) -> Result<(), ExitCode> {
    let store = open(options)?;
    match command {
        Command::Export { which, how } => how.run("leads", |limit, format, out, progress| {
            export::leads(&store, &which.filter(), limit, format, out, progress)
        }),
        Command::List { which, how, after } => list(&store, which, how, *after),
        Command::Set(set) => self::set(&store, set),
    }
}

fn set(store: &Store, set: &Set) -> Result<(), ExitCode> {
    let unknown = || fail(&format_args!("there is no lead {}", set.id));
    let lead = store.lead(set.id).map_err(|error| fail(&error))?.ok_or_else(unknown)?;
    let status = set.change.status.unwrap_or(lead.status);
    let note = set.change.note.clone().unwrap_or(lead.note);
    let found = store.set_lead_status_and_note(set.id, status, note).wait().map_err(|error| fail(&error))?;
    store.close();
    if !found {
        return Err(unknown());
    }
    complain(format_args!("Noted: {} is {}.", super::table::one_line(&lead.email), status.as_str()));
    Ok(())
}

fn list(store: &Store, which: &Which, how: &ListAs, after: Option<LeadId>) -> Result<(), ExitCode> {
    let page = store.leads(&which.filter(), after, how.limit).map_err(|error| fail(&error))?;
    match how.format {
        ListFormat::Csv => print_csv(&export::LEAD_COLUMNS, page.rows.iter().map(export::lead_cells)),
        ListFormat::Json => print_json(&Document { leads: &page.rows, next: page.next }),
        ListFormat::Table => {
            print(&page);
            Ok(())
        }
    }
}

fn print(page: &LeadPage) {
    if page.rows.is_empty() {
        return say(format_args!("No leads."));
    }
    let mut table = Table::new(&["id", "email", "status", "created", "name", "phone", "agent", "company", "message"]);
    for lead in &page.rows {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row([
            lead.id.to_string(),
            lead.email.clone(),
            lead.status.as_str().into(),
            export::date(lead.created_at),
            text(&lead.name),
            text(&lead.phone),
            lead.agent_id.clone(),
            text(&lead.company),
            text(&lead.message),
        ]);
    }
    table.print();
    if page.next.is_some() {
        say(format_args!("There are more: use --limit, or narrow the list."));
    }
}
