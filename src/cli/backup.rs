//! `widgetd backup`: one file, or one more in a folder of them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::{Options, fail, load_without_secrets, say};
use crate::clock;
use crate::config::Config;
use crate::store::{self, Holds};

#[derive(Args)]
#[command(group(ArgGroup::new("where").args(["file", "folder"]).required(true)))]
pub(super) struct Target {
    /// The file to make, for its owner alone, whole or not at all
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Replace FILE if it is there
    #[arg(long, conflicts_with = "folder")]
    overwrite: bool,
    /// Make it in this folder, named after the time, and remove the oldest ones there: for a daily timer
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// How many the folder keeps
    #[arg(long, value_name = "N", requires = "folder", default_value_t = 14,
          value_parser = clap::value_parser!(u16).range(1..))]
    keep: u16,
}

pub(super) fn run(options: &Options, target: &Target) -> Result<(), ExitCode> {
    let config = load_without_secrets(options)?;
    match (&target.folder, &target.file) {
        (Some(folder), _) => into(&config, folder, target.keep.into()),
        (None, Some(file)) => one(&config, file, target.overwrite),
        (None, None) => Err(fail(&"name the file to make, or a folder with --folder")),
    }
}

fn one(config: &Config, file: &Path, may_replace: bool) -> Result<(), ExitCode> {
    let begun = clock::monotonic();
    let holds = store::backup(&config.storage, file, may_replace).map_err(|error| fail(&error))?;
    tell(file, &holds, clock::monotonic().saturating_sub(begun));
    Ok(())
}

fn into(config: &Config, folder: &Path, keep: usize) -> Result<(), ExitCode> {
    let begun = clock::monotonic();
    let rotated = store::backup_into(&config.storage, folder, keep, clock::now()).map_err(|error| fail(&error))?;
    tell(&rotated.made, &rotated.holds, clock::monotonic().saturating_sub(begun));
    let removed = match rotated.removed.len() {
        0 => String::new(),
        1 => "; the oldest was removed".into(),
        more => format!("; the {more} oldest were removed"),
    };
    say(format_args!("kept      {} in {}{removed}", rotated.kept, folder.display()));
    Ok(())
}

fn tell(file: &Path, holds: &Holds, took: Duration) {
    say(format_args!("backup    {}", file.display()));
    tell_what_it_holds(holds);
    say(format_args!("took      {:.2} s, and was found whole", took.as_secs_f64()));
}

pub(super) fn tell_what_it_holds(holds: &Holds) {
    let Holds { conversations, messages, leads, events, newest, bytes, schema, is_older: _ } = holds;
    say(format_args!("holds     {conversations} conversations, {messages} messages, {leads} leads, {events} events"));
    if let Some(newest) = newest {
        say(format_args!("newest    a message of {newest}"));
    }
    say(format_args!("size      {:.1} MB, schema version {schema}", *bytes as f64 / 1e6));
}
