//! The command line: arguments become a command, a command becomes an exit code. It calls rooms and prints for people;
//! the rules of the product are not here.

mod admin;
mod check;
mod conversations;
mod doctor;
mod leads;
mod lists;
mod origin;
mod pause;
mod serve;
mod stats;
mod table;
mod token;
mod visitor;
mod webhook;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Complaints, Config, Overrides};
use crate::store::Store;

const DEFAULT_CONFIG: &str = "widget.toml";
/// Bad arguments and bad configuration, as `clap` has it.
const USAGE: u8 = 2;

/// The AI chat widget that a small team hosts itself: one binary, one SQLite file.
#[derive(Parser)]
#[command(name = "widgetd", version, about, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the widget API (the default)
    Serve,
    /// Check widget.toml, and print what each agent serves and how to call it
    Check,
    /// Find out why the widget does not show on a site, and what mends it
    Doctor(doctor::Arguments),
    /// Tell whether a page may use an agent, and what to add if it may not
    Origin {
        /// The agent's id
        agent: String,
        /// The URL of the page, as the browser shows it
        url: String,
    },
    /// The admin page
    #[command(subcommand)]
    Admin(admin::Command),
    /// Let an agent answer nobody, from the next message on; the widget stays where it is and says so
    Pause {
        /// The agent's id
        agent: String,
    },
    /// Let a paused agent answer again
    Resume {
        /// The agent's id
        agent: String,
    },
    /// Print a visitor's token for an agent, to call the API with curl
    Token {
        /// The agent's id
        agent: String,
    },
    /// List or export the leads, also while the server runs
    #[command(subcommand)]
    Leads(leads::Command),
    /// List, show, export or delete conversations, also while the server runs
    #[command(subcommand)]
    Conversations(conversations::Command),
    /// Print or erase what is stored of one visitor, also while the server runs
    #[command(subcommand)]
    Visitor(visitor::Command),
    /// Count what widgets reported
    #[command(subcommand)]
    Events(stats::EventsCommand),
    /// Print each day's figures: conversations, leads, tokens, cost, refusals
    Stats(stats::Days),
    /// Test webhooks, list what they were told, and tell them again
    Webhook {
        #[command(subcommand)]
        command: webhook::Command,
    },
}

#[derive(Args)]
struct Options {
    /// The configuration
    #[arg(long, global = true, value_name = "FILE", env = "WIDGETD_CONFIG", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// Where to listen, instead of server.listen
    #[arg(long, global = true, value_name = "ADDRESS:PORT", env = "WIDGETD_LISTEN")]
    listen: Option<SocketAddr>,
    /// The folder of the database and the signing key, instead of storage.folder
    #[arg(long, global = true, value_name = "FOLDER", env = "WIDGETD_DATA")]
    data: Option<PathBuf>,
    /// The log's level (off, error, warn, info, debug, trace) and format (plain, json), such as "debug,json"
    #[arg(long, global = true, value_name = "LEVEL,FORMAT", env = "WIDGETD_LOG")]
    log: Option<String>,
}

/// Runs the command of this process's arguments.
pub(crate) fn main() -> ExitCode {
    // Nothing that is made here is for others to read: database, keys, backups.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let Cli { options, command } = Cli::parse();
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::run(options),
        Command::Check => check::run(&options),
        Command::Doctor(arguments) => doctor::run(&options, &arguments),
        Command::Origin { agent, url } => origin::run(&options, &agent, &url),
        Command::Admin(command) => admin::run(&options, &command),
        Command::Pause { agent } => pause::run(&options, &agent, pause::Switch::Pause),
        Command::Resume { agent } => pause::run(&options, &agent, pause::Switch::Resume),
        Command::Token { agent } => token::run(&options, &agent),
        Command::Leads(command) => code(leads::run(&options, &command)),
        Command::Conversations(command) => code(conversations::run(&options, &command)),
        Command::Visitor(command) => code(visitor::run(&options, &command)),
        Command::Events(command) => code(stats::events(&options, &command)),
        Command::Stats(days) => code(stats::run(&options, &days)),
        Command::Webhook { command } => webhook::run(&options, &command),
    }
}

impl Options {
    fn load(&self) -> Result<Config, Complaints> {
        self.load_with(false)
    }

    fn load_with(&self, without_secrets: bool) -> Result<Config, Complaints> {
        let overrides =
            Overrides { listen: self.listen, data: self.data.clone(), log: self.log.clone(), without_secrets };
        config::load(&self.config, &overrides, &|name| std::env::var(name).ok())
    }
}

/// The configuration, or its complaints on standard error and the exit code.
fn load(options: &Options) -> Result<Config, ExitCode> {
    options.load().map_err(told)
}

/// The same for commands that need no secret: whoever pauses an agent in a hurry has not the server's keys at hand.
fn load_without_secrets(options: &Options) -> Result<Config, ExitCode> {
    options.load_with(true).map_err(told)
}

fn told(complaints: Complaints) -> ExitCode {
    complain(format_args!("{complaints}"));
    ExitCode::from(USAGE)
}

/// The server's database, for a command that works beside the server.
fn store(config: &Config) -> Result<Store, ExitCode> {
    Store::open_beside(&config.storage).map_err(|error| fail(&error))
}

fn code(result: Result<(), ExitCode>) -> ExitCode {
    result.err().unwrap_or(ExitCode::SUCCESS)
}

/// A line on standard output. Whoever closed it, `head` say, wants no more of it: that is no reason to fail.
fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// A line on standard error.
fn complain(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Tells what went wrong.
fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    complain(format_args!("widgetd: {error}"));
    ExitCode::FAILURE
}

/// The signing keys' variable: not a flag, so that it stands in no list of processes.
fn jwt_secret() -> Option<String> {
    std::env::var("WIDGETD_JWT_SECRET").ok()
}

/// An agent by the id that was given, or the ids that there are.
fn agent<'a>(config: &'a Config, id: &str) -> Result<&'a std::sync::Arc<crate::domain::agent::Agent>, ExitCode> {
    config.agent(id).ok_or_else(|| {
        let ids: Vec<_> = config.agents.iter().map(|agent| agent.id().as_str()).collect();
        complain(format_args!(
            "widgetd: {} has no agent \"{id}\"; it has: {}",
            config.source.display(),
            ids.join(", ")
        ));
        ExitCode::from(USAGE)
    })
}
