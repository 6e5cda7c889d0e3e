//! The command line: arguments become a command, a command becomes an exit code. It calls rooms and prints for people;
//! the rules of the product are not here.

mod admin;
mod backup;
mod check;
mod completions;
mod conversations;
mod doctor;
mod file;
mod health;
mod import_faq;
mod init;
mod leads;
mod lists;
mod man;
mod origin;
mod pause;
mod restore;
mod serve;
mod stats;
mod table;
mod token;
mod visitor;
mod webhook;

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Complaints, Config, Overrides};
use crate::store::Store;

/// Where the configuration is looked for if nobody says where it is: first in the current folder.
const DEFAULT_CONFIG: &str = "widget.toml";
const INSTALLED_CONFIG: &str = "/etc/widgetd/widget.toml";
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
    /// Write your first widget.toml, from answers or from flags
    ///
    /// Asks what no flag says, if a person is there to answer; else --site is all that it needs. It never writes over a file,
    /// unless --force, and it uses no network.
    Init(Box<init::Flags>),
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
    /// Ask the running server whether it can serve; exits with 1 if it cannot
    Health,
    /// Teach an agent the questions and answers of a Markdown or CSV file
    ///
    /// Markdown: each heading is a question and the text below it the answer; so are "Q:" with "A:", and details with a
    /// summary. CSV: the first line names the columns question, answer and, if you like, url. The entries are written into
    /// widget.toml, whose other lines stay as they are; a question that is there gets the new answer.
    ImportFaq(import_faq::Import),
    /// The admin page: set its password
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
    /// List or export the leads, or note how far you have come with one, also while the server runs
    #[command(subcommand)]
    Leads(leads::Command),
    /// List, show, export or delete conversations, also while the server runs
    #[command(subcommand)]
    Conversations(conversations::Command),
    /// Print or erase what is stored of one visitor, also while the server runs
    #[command(subcommand)]
    Visitor(visitor::Command),
    /// Make a backup of the database, also while the server runs
    Backup(backup::Target),
    /// Put a backup in the place of the database, while the server is stopped
    Restore(restore::Source),
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
    /// Print a shell's completions
    ///
    /// Bash: widgetd completions bash > /etc/bash_completion.d/widgetd. Zsh: into a file _widgetd in a folder of $fpath. Fish:
    /// into ~/.config/fish/completions/widgetd.fish.
    Completions {
        #[arg(value_enum)]
        shell: completions::Shell,
    },
    /// Print the manual page; read it with: widgetd man | man -l -
    Man,
    /// What could stand next, for the completions
    #[command(hide = true)]
    Complete {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// What heads these in each command's help.
const FOR_ALL: &str = "Options of all commands";

#[derive(Args)]
struct Options {
    /// The configuration [default: widget.toml here; where there is none, /etc/widgetd/widget.toml]
    #[arg(long, global = true, value_name = "FILE", env = "WIDGETD_CONFIG", help_heading = FOR_ALL)]
    config: Option<PathBuf>,
    /// Where to listen, instead of server.listen
    #[arg(long, global = true, value_name = "ADDRESS:PORT", env = "WIDGETD_LISTEN", help_heading = FOR_ALL)]
    listen: Option<SocketAddr>,
    /// The folder of the database and the signing key, instead of storage.folder
    #[arg(long, global = true, value_name = "FOLDER", env = "WIDGETD_DATA", help_heading = FOR_ALL)]
    data: Option<PathBuf>,
    /// The log's level (off, error, warn, info, debug, trace) and format (plain, json), such as "debug,json"
    #[arg(long, global = true, value_name = "LEVEL,FORMAT", env = "WIDGETD_LOG", help_heading = FOR_ALL)]
    log: Option<String>,
}

/// Runs the command of this process's arguments.
pub(crate) fn main() -> ExitCode {
    // Nothing that is made here is for others to read: database, keys, backups.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let Cli { options, command } = Cli::parse();
    match command.unwrap_or(Command::Serve) {
        Command::Init(flags) => init::run(&options, &flags),
        Command::Serve => serve::run(options.located()),
        Command::Check => check::run(&options),
        Command::Doctor(arguments) => doctor::run(&options, &arguments),
        Command::Origin { agent, url } => origin::run(&options, &agent, &url),
        Command::Health => health::run(&options),
        Command::ImportFaq(import) => code(import_faq::run(&options, &import)),
        Command::Admin(command) => admin::run(&options, &command),
        Command::Pause { agent } => pause::run(&options, &agent, pause::Switch::Pause),
        Command::Resume { agent } => pause::run(&options, &agent, pause::Switch::Resume),
        Command::Token { agent } => token::run(&options, &agent),
        Command::Leads(command) => code(leads::run(&options, &command)),
        Command::Conversations(command) => code(conversations::run(&options, &command)),
        Command::Visitor(command) => code(visitor::run(&options, &command)),
        Command::Backup(target) => code(backup::run(&options, &target)),
        Command::Restore(source) => code(restore::run(&options, &source)),
        Command::Events(command) => code(stats::events(&options, &command)),
        Command::Stats(days) => code(stats::run(&options, &days)),
        Command::Webhook { command } => webhook::run(&options, &command),
        Command::Completions { shell } => completions::print(shell),
        Command::Man => man::print(),
        Command::Complete { words } => completions::answer(options, &words),
    }
}

impl Options {
    /// With the file that is read from now on: what a running server reads again is what it started with.
    fn located(self) -> Self {
        Self { config: self.config.or_else(find_config), ..self }
    }

    fn load(&self) -> Result<Config, Complaints> {
        self.load_with(false)
    }

    fn load_with(&self, without_secrets: bool) -> Result<Config, Complaints> {
        let overrides =
            Overrides { listen: self.listen, data: self.data.clone(), log: self.log.clone(), without_secrets };
        let path = self.config.clone().or_else(find_config);
        let path = path.ok_or_else(|| config::nowhere(&[Path::new(DEFAULT_CONFIG), Path::new(INSTALLED_CONFIG)]))?;
        config::load(&path, &overrides, &|name| std::env::var(name).ok())
    }
}

/// The first of the places where there is something. What is there and cannot be read is no reason to take another one; a
/// current folder that is closed to this user is none of theirs: in root's, `runuser -u widgetd` leads here.
fn find_config() -> Option<PathBuf> {
    let is_there = |path: &&&str| match std::fs::symlink_metadata(**path) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => **path != DEFAULT_CONFIG,
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    };
    [DEFAULT_CONFIG, INSTALLED_CONFIG].iter().find(is_there).map(PathBuf::from)
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
