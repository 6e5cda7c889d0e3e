//! `widgetd visitor`: what is stored of one visitor, for whoever asks for it or wants it erased.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use clap::Subcommand;

use super::lists::{open, print_json};
use super::{Options, complain, fail};
use crate::domain::id::VisitorId;
use crate::domain::visitor::Erased;
use crate::store::Store;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print everything that is stored of a visitor, as JSON
    Export {
        /// The visitor's id, as conversations and leads show it
        #[arg(value_parser = visitor_id)]
        id: VisitorId,
    },
    /// Erase everything that is stored of a visitor, in the file and in its log
    Erase {
        /// The visitor's id, as conversations and leads show it
        #[arg(value_parser = visitor_id)]
        id: VisitorId,
        /// Do not ask first
        #[arg(long)]
        yes: bool,
    },
}

fn visitor_id(text: &str) -> Result<VisitorId, String> {
    VisitorId::parse(text).ok_or_else(|| "a visitor's id looks like 3f0e8c1a-5b7d-4c2e-9a64-1d2b3c4d5e6f".into())
}

pub(super) fn run(options: &Options, command: &Command) -> Result<(), ExitCode> {
    let store = open(options)?;
    let done = match command {
        Command::Export { id } => export(&store, *id),
        Command::Erase { id, yes } => erase(&store, *id, *yes),
    };
    store.close();
    done
}

fn export(store: &Store, id: VisitorId) -> Result<(), ExitCode> {
    match store.visitor_record(id, usize::MAX).map_err(|error| fail(&error))? {
        Some(record) => print_json(&record),
        None => Err(unknown(id)),
    }
}

fn erase(store: &Store, id: VisitorId, is_sure: bool) -> Result<(), ExitCode> {
    if !is_sure && !confirmed(id)? {
        complain(format_args!("Nothing was erased."));
        return Err(ExitCode::FAILURE);
    }
    let erased = store.erase_visitor(id).map_err(|error| fail(&error))?;
    if erased.is_nothing() {
        return Err(unknown(id));
    }
    let Erased { conversations, messages, events, leads, leads_cleaned } = erased;
    complain(format_args!(
        "Erased: {conversations} conversations with {messages} messages and {events} events, {leads} leads."
    ));
    if leads_cleaned > 0 {
        complain(format_args!(
            "Of {leads_cleaned} leads only what this visitor left: others have left the same address."
        ));
    }
    complain(format_args!("Backups and exports that were made before still hold it."));
    Ok(())
}

/// What is erased cannot be had back, so a person is asked.
fn confirmed(id: VisitorId) -> Result<bool, ExitCode> {
    if !io::stdin().is_terminal() {
        return Err(fail(&"add --yes to erase without being asked"));
    }
    complain(format_args!("Erase everything that is stored of visitor {id}? It cannot be had back. [y/N]"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| fail(&error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn unknown(id: VisitorId) -> ExitCode {
    fail(&format_args!("nothing is stored of visitor {id}"))
}
