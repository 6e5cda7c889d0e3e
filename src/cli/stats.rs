//! `widgetd stats` and `widgetd events`: the days at a glance.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::lists::{ListFormat, agent_id, open, print_csv, print_json};
use super::table::{Table, one_line};
use super::{Options, fail, say};
use crate::clock;
use crate::domain::id::AgentId;
use crate::export;
use crate::store::{
    DayRow, DaySums, EventCount, FirstToken, Funnel, Overview, Refusal, RefusedOrigin, UnansweredQuestion,
};

#[derive(Subcommand)]
pub(super) enum EventsCommand {
    /// Count the events that widgets reported, by type
    Summary(Days),
}

#[derive(Args)]
pub(super) struct Days {
    /// Only those of this agent
    #[arg(long, value_name = "ID", value_parser = agent_id)]
    agent: Option<AgentId>,
    /// How many days, today included (days are UTC)
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
    days: u32,
    /// How they are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    format: ListFormat,
}

const DAY_COLUMNS: [&str; 10] = [
    "day",
    "conversations",
    "messages",
    "answers",
    "unanswered",
    "leads",
    "input_tokens",
    "output_tokens",
    "cost",
    "refused",
];

fn overview(options: &Options, days: &Days) -> Result<Overview, ExitCode> {
    open(options)?.overview(days.agent.as_ref(), clock::now().day(), days.days).map_err(|error| fail(&error))
}

pub(super) fn run(options: &Options, days: &Days) -> Result<(), ExitCode> {
    let overview = overview(options, days)?;
    match days.format {
        ListFormat::Json => print_json(&overview),
        ListFormat::Csv => {
            print_csv(&DAY_COLUMNS, overview.days.iter().map(|day| cells(export::date(day.day), &day.sums)))
        }
        ListFormat::Table => {
            print(&overview);
            Ok(())
        }
    }
}

pub(super) fn events(options: &Options, command: &EventsCommand) -> Result<(), ExitCode> {
    let EventsCommand::Summary(days) = command;
    let events = overview(options, days)?.events;
    match days.format {
        ListFormat::Json => print_json(&events),
        ListFormat::Csv => {
            let rows = events.iter().map(|event| [event.event_type.clone(), event.count.to_string()]);
            print_csv(&["type", "count"], rows)
        }
        ListFormat::Table => {
            print_events(&events);
            Ok(())
        }
    }
}

fn cells(day: String, sums: &DaySums) -> [String; DAY_COLUMNS.len()] {
    [
        day,
        sums.conversations.to_string(),
        sums.messages.to_string(),
        sums.answers.to_string(),
        sums.unanswered.to_string(),
        sums.leads.to_string(),
        sums.input_tokens.to_string(),
        sums.output_tokens.to_string(),
        export::amount(sums.cost_nanos),
        sums.refused.to_string(),
    ]
}

fn print(overview: &Overview) {
    print_days(&overview.days, &overview.total);
    say(format_args!(""));
    tell_funnel(&overview.funnel);
    overview.first_token.iter().for_each(tell_first_token);
    print_refused(&overview.refused);
    print_origins(&overview.refused_origins);
    print_unanswered(&overview.unanswered);
}

fn print_days(days: &[DayRow], total: &DaySums) {
    let mut table = Table::new(&DAY_COLUMNS);
    // Days before the first on which there was something tell nothing.
    let quiet = days.iter().take_while(|day| day.sums == DaySums::default()).count();
    let told = days.iter().skip(quiet.min(days.len().saturating_sub(1)));
    told.for_each(|day| table.row(cells(export::date(day.day), &day.sums)));
    table.row(cells("total".into(), total));
    table.print();
}

fn tell_funnel(funnel: &Funnel) {
    say(format_args!(
        "Of {} who opened the widget, {} wrote and {} opened the form; {} left an address.",
        funnel.launcher_opened, funnel.conversations, funnel.lead_form_opened, funnel.leads
    ));
}

fn tell_first_token(first: &FirstToken) {
    say(format_args!(
        "Of {} answers half began within {} ms, and 95 of 100 within {} ms.",
        first.answers, first.median_ms, first.p95_ms
    ));
}

fn print_refused(refused: &[Refusal]) {
    if refused.is_empty() {
        return;
    }
    say(format_args!(""));
    let mut table = Table::new(&["refused", "count"]);
    refused.iter().for_each(|refusal| table.row([refusal.code.clone(), refusal.count.to_string()]));
    table.print();
}

fn print_origins(origins: &[RefusedOrigin]) {
    if origins.is_empty() {
        return;
    }
    say(format_args!(""));
    let mut table = Table::new(&["count", "agent", "refused origin"]);
    for refused in origins {
        table.row([refused.count.to_string(), refused.agent_id.clone(), named(refused)]);
    }
    table.print();
    say(format_args!("If one is yours: widgetd origin AGENT URL prints what to write into widget.toml."));
}

fn print_unanswered(unanswered: &[UnansweredQuestion]) {
    if unanswered.is_empty() {
        return;
    }
    say(format_args!(""));
    let mut table = Table::new(&["not known", "agent", "conversation", "question"]);
    for asked in unanswered {
        let (agent, conversation) = (asked.agent_id.clone(), asked.conversation_id.to_string());
        table.row([export::date(asked.answered_at), agent, conversation, asked.question.clone()]);
    }
    table.print();
}

fn print_events(events: &[EventCount]) {
    if events.is_empty() {
        return say(format_args!("No events."));
    }
    let mut table = Table::new(&["type", "count"]);
    events.iter().for_each(|event| table.row([event.event_type.clone(), event.count.to_string()]));
    table.print();
}

fn named(refused: &RefusedOrigin) -> String {
    match refused.origin.as_str() {
        "" => "(none was named)".into(),
        "*" => "(others)".into(),
        origin => one_line(origin),
    }
}
