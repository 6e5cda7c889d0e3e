//! `widgetd webhook test|list|replay`: does a receiver take what it is told, what became of what it was told, and once
//! more. All of it works while the server runs, which sees a replay within seconds.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use super::table::Table;
use super::{Options, USAGE, complain, fail, load, load_without_secrets, say, store};
use crate::clock;
use crate::config::Config;
use crate::domain::id::{DeliveryId, OccurrenceId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Details, Occasion, Payload};
use crate::store::{Delivery, Replayed};
use crate::webhook::{Notice, Settings, Target};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Post a test event now, and print what came back
    Test {
        /// The webhook's name in widget.toml; all of them, if it is left out
        name: Option<String>,
    },
    /// Print the latest deliveries, newest first
    List {
        /// Only those that were given up
        #[arg(long)]
        dead: bool,
        /// How many at most
        #[arg(long, value_name = "COUNT", default_value_t = 50)]
        limit: u32,
        /// A table for people, or JSON for programs
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Deliver again what was given up: the server tries it at once, and as often as a new one
    Replay {
        /// The delivery's id, as the list shows it
        #[arg(required_unless_present = "all_dead", conflicts_with = "all_dead")]
        id: Option<String>,
        /// All that were given up
        #[arg(long)]
        all_dead: bool,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Format {
    Table,
    Json,
}

pub(super) fn run(options: &Options, command: &Command) -> ExitCode {
    let done = match command {
        Command::Test { name } => test(options, name.as_deref()),
        Command::List { dead, limit, format } => list(options, *dead, *limit, *format),
        Command::Replay { id, .. } => replay(options, id.as_deref()),
    };
    match done {
        Ok(code) | Err(code) => code,
    }
}

fn test(options: &Options, name: Option<&str>) -> Result<ExitCode, ExitCode> {
    let config = load(options)?;
    let chosen: Vec<_> =
        config.webhooks.iter().filter(|webhook| name.is_none_or(|name| webhook.name == name)).collect();
    if chosen.is_empty() {
        let names: Vec<_> = config.webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        let source = config.source.display();
        match (name, names.is_empty()) {
            (Some(name), false) => {
                complain(format_args!("widgetd: {source} has no webhook {name:?}; it has: {}", names.join(", ")));
            }
            _ => complain(format_args!("widgetd: {source} has no [[webhook]]")),
        }
        return Err(ExitCode::from(USAGE));
    }
    let failed = chosen.into_iter().filter(|webhook| !passes(webhook, &config)).count();
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Posts one test event and prints what came back.
fn passes(webhook: &Settings, config: &Config) -> bool {
    let now = clock::now();
    let occurrence = OccurrenceId::new(now);
    // Nothing happened anywhere; the field is there as in every event.
    let Some(agent) = webhook.agents.first().or_else(|| config.agents.first().map(|agent| agent.id())) else {
        return false;
    };
    let details = Details::Test { webhook: webhook.name.clone() };
    let payload =
        Payload { id: occurrence, occasion: Occasion::Test, created_at: now, agent_id: agent.clone(), details };
    let payload = payload.to_json();
    let notice = Notice { id: DeliveryId::new(now), occurrence, occasion: Occasion::Test.as_str(), payload: &payload };
    let begun = clock::monotonic();
    let outcome = Target::new(webhook.clone()).post(notice, now);
    let ms = (clock::monotonic() - begun).as_millis();
    let name = &webhook.name;
    match &outcome {
        Ok(answer) if answer.is_success() => say(format_args!("{name}: delivered in {ms} ms, {answer}")),
        Ok(answer) => say(format_args!("{name}: refused after {ms} ms, {answer}")),
        Err(error) => say(format_args!("{name}: not reached after {ms} ms: {error}")),
    }
    outcome.is_ok_and(|answer| answer.is_success())
}

/// One delivery, as a program reads it.
#[derive(Serialize)]
struct Row<'a> {
    id: DeliveryId,
    webhook: &'a str,
    event: &'a str,
    status: &'a str,
    attempts: u32,
    created_at: Timestamp,
    /// Of a pending one; null: at once.
    next_attempt_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    last_error: Option<&'a str>,
}

fn list(options: &Options, dead_only: bool, limit: u32, format: Format) -> Result<ExitCode, ExitCode> {
    let store = store(&load_without_secrets(options)?)?;
    let deliveries = store.webhook_deliveries(dead_only, limit).map_err(|error| fail(&error))?;
    let dead = store.dead_deliveries().map_err(|error| fail(&error))?;
    store.close();
    match format {
        Format::Json => {
            let rows: Vec<_> = deliveries.iter().map(row).collect();
            say(format_args!("{}", serde_json::to_string_pretty(&rows).map_err(|error| fail(&error))?));
        }
        Format::Table if deliveries.is_empty() => say(format_args!("No deliveries.")),
        Format::Table => {
            table(&deliveries);
            if dead > 0 {
                complain(format_args!("{dead} given up; to try them again: widgetd webhook replay ID, or --all-dead"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(delivery: &Delivery) -> Row<'_> {
    Row {
        id: delivery.id,
        webhook: &delivery.webhook,
        event: &delivery.occasion,
        status: &delivery.status,
        attempts: delivery.attempts,
        created_at: delivery.created_at,
        next_attempt_at: delivery.next_attempt_at.filter(|at| at.ms() > 0),
        ended_at: delivery.ended_at,
        last_error: delivery.last_error.as_deref(),
    }
}

/// Columns as wide as what stands in them; the last one is open.
fn table(deliveries: &[Delivery]) {
    let mut table = Table::new(&["delivery", "created", "webhook", "event", "status", "tries", "last error"]);
    for delivery in deliveries {
        table.row([
            delivery.id.to_string(),
            delivery.created_at.to_string(),
            delivery.webhook.clone(),
            delivery.occasion.clone(),
            delivery.status.clone(),
            delivery.attempts.to_string(),
            delivery.last_error.clone().unwrap_or_default(),
        ]);
    }
    table.print();
}

/// `id`: none for all that are dead.
fn replay(options: &Options, id: Option<&str>) -> Result<ExitCode, ExitCode> {
    let id = id.map(|text| DeliveryId::parse(text).ok_or(text)).transpose().map_err(|text| {
        complain(format_args!("widgetd: {text:?} is no id of a delivery; `widgetd webhook list --dead` shows them"));
        ExitCode::from(USAGE)
    })?;
    let store = store(&load_without_secrets(options)?)?;
    let replayed = match id {
        Some(id) => store.replay_delivery(id).wait(),
        None => store.replay_dead_deliveries().wait().map(|count| {
            say(format_args!("{count} to be delivered again"));
            Replayed::Yes
        }),
    };
    store.close();
    match (replayed, id) {
        (Ok(Replayed::Yes), Some(id)) => say(format_args!("{id} is to be delivered again")),
        (Ok(Replayed::Yes), None) => {}
        (Ok(Replayed::NotDead), _) => return Err(fail(&"that delivery was not given up, so it need not be replayed")),
        (Ok(Replayed::Unknown), _) => return Err(fail(&"there is no delivery of that id")),
        (Err(error), _) => return Err(fail(&error)),
    }
    Ok(ExitCode::SUCCESS)
}
