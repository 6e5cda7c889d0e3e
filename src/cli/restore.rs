//! `widgetd restore`: a backup takes the place of the database, which is kept beside it.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::backup::tell_what_it_holds;
use super::{Options, complain, fail, load_without_secrets, say};
use crate::clock;
use crate::store::Restore;

#[derive(Args)]
pub(super) struct Source {
    /// What `widgetd backup` has made
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Do not ask first
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(options: &Options, source: &Source) -> Result<(), ExitCode> {
    let config = load_without_secrets(options)?;
    let database = config.storage.database();
    if !source.yes && database.exists() && !io::stdin().is_terminal() {
        return Err(fail(&"add --yes to restore without being asked"));
    }
    let begun = clock::monotonic();
    let restore = Restore::prepare(&config.storage, &source.file).map_err(|error| fail(&error))?;
    say(format_args!("backup    {}", source.file.display()));
    tell_what_it_holds(&restore.holds);
    let mut took = clock::monotonic().saturating_sub(begun);
    if restore.replaces() && !source.yes && !confirmed(&database)? {
        complain(format_args!("Nothing was restored."));
        return Err(ExitCode::FAILURE);
    }
    let begun = clock::monotonic();
    let is_older = restore.holds.is_older;
    let aside = restore.put_in_place(clock::now()).map_err(|error| fail(&error))?;
    took += clock::monotonic().saturating_sub(begun);
    say(format_args!("database  {}, restored in {:.2} s", database.display(), took.as_secs_f64()));
    if let Some(aside) = aside {
        say(format_args!("kept      {}, the database that was there", aside.display()));
    }
    if is_older {
        say(format_args!("It was made by an older widgetd: the next start of the server brings it up to date."));
    }
    Ok(())
}

/// What came after the backup is out of sight then, so a person is asked.
fn confirmed(database: &Path) -> Result<bool, ExitCode> {
    complain(format_args!(
        "Put this in the place of {}? What came after it will not be served. [y/N]",
        database.display()
    ));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| fail(&error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
