//! `widgetd admin set-password`: the admin page is there as soon as it has a password.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::ExitCode;

use clap::Subcommand;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Options, USAGE, complain, fail, load_without_secrets, say};
use crate::admin::{self, PasswordError};
use crate::clock;
use crate::config::Config;
use crate::store::{Store, StoreError};

/// A line that is longer holds no password.
const LINE_BYTES_MAX: u64 = 8192;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Set the password of the admin page at /admin, which is off without one; everybody who is logged in must log in again
    ///
    /// Asks for it twice, or reads one line if standard input is no terminal. A running server takes it at once.
    SetPassword,
}

pub(super) fn run(options: &Options, command: &Command) -> ExitCode {
    let Command::SetPassword = command;
    match set_password(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn set_password(options: &Options) -> Result<(), ExitCode> {
    let config = load_without_secrets(options)?;
    let password = read_password().map_err(|error| fail(&error))?;
    let hash = admin::hash_password(&password).map_err(|error| match error {
        PasswordError::Hash(_) => fail(&error),
        _ => {
            fail(&error);
            ExitCode::from(USAGE)
        }
    })?;
    let folder = config.storage.folder.display().to_string();
    let cannot = |error| fail(&format!("cannot store the password in {folder}: {error}"));
    // Before the first start there may be a password already.
    let opened = match Store::open_beside(&config.storage) {
        Err(StoreError::Missing { .. }) => Store::open(&config.storage),
        opened => opened,
    };
    let store = opened.map_err(cannot)?;
    store.set_admin_password(hash, clock::now()).wait().map_err(cannot)?;
    store.close();
    tell(&config);
    Ok(())
}

fn tell(config: &Config) {
    let address = config.admin_listen.unwrap_or(config.http.listen);
    say(format_args!("The password is set; whoever was logged in is not any more."));
    say(format_args!("The admin page: http://{address}{}", admin::ROOT));
    if let Some(exposure) = admin::exposure(config) {
        complain(format_args!("warning: {exposure}"));
    }
}

/// From a person, who types it twice and does not see it; or one line from whatever else is there.
fn read_password() -> Result<String, io::Error> {
    let input = io::stdin();
    if !input.is_terminal() {
        return read_line(&mut input.lock());
    }
    let _silence = Silence::begin()?;
    let first = ask("New password: ")?;
    let second = ask("Once more: ")?;
    if first == second { Ok(first) } else { Err(io::Error::other("the two are not the same; nothing was changed")) }
}

fn ask(question: &str) -> Result<String, io::Error> {
    let mut terminal = io::stderr();
    write!(terminal, "{question}")?;
    terminal.flush()?;
    let line = read_line(&mut io::stdin().lock());
    // The end of the line that was not shown.
    writeln!(terminal)?;
    line
}

fn read_line(input: &mut impl BufRead) -> Result<String, io::Error> {
    let mut line = String::new();
    input.take(LINE_BYTES_MAX).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// While it lives, the terminal does not show what is typed.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, io::Error> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        show_again_if_interrupted(before.clone())?;
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

/// Who gives up with Ctrl-C gets a terminal back that shows what is typed.
fn show_again_if_interrupted(before: Termios) -> Result<(), io::Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &before);
            std::process::exit(128 + signal);
        }
    })?;
    Ok(())
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
