//! What the owner's lists and exports have in common: what narrows them, their forms, and where they go.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::file::unfinished;
use super::{Options, complain, fail, load_without_secrets};
use crate::clock;
use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;
use crate::export::{CsvTable, ExportError, Format};
use crate::store::{Period, Store};

/// How often a long export tells how far it is.
const PROGRESS: Duration = Duration::from_millis(200);

#[derive(Args)]
pub(super) struct Narrow {
    /// Only those of this agent
    #[arg(long, value_name = "ID", value_parser = agent_id)]
    pub(super) agent: Option<AgentId>,
    /// Only those from this day on, such as 2026-11-25 (days are UTC)
    #[arg(long, value_name = "DATE", value_parser = date)]
    since: Option<Timestamp>,
    /// Only those until this day, which is included
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Timestamp>,
    /// Only those in which these words stand
    #[arg(long, value_name = "WORDS")]
    pub(super) search: Option<String>,
}

impl Narrow {
    pub(super) fn period(&self) -> Period {
        Period { since: self.since, until: self.until.map(Timestamp::next_day) }
    }
}

pub(super) fn agent_id(text: &str) -> Result<AgentId, String> {
    AgentId::parse(text).map_err(|error| error.to_string())
}

fn date(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_date(text).ok_or_else(|| "a day is written like 2026-11-25".into())
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    /// For people
    Table,
    /// One document
    Json,
    /// With all columns
    Csv,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ShowFormat {
    /// For people
    Table,
    /// One document
    Json,
}

#[derive(Clone, Copy, ValueEnum)]
enum ExportFormat {
    /// RFC 4180, safe to open in a spreadsheet
    Csv,
    /// One object a line
    Json,
}

#[derive(Args)]
pub(super) struct ListAs {
    /// How many, the newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) limit: u32,
    /// How they are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "table")]
    pub(super) format: ListFormat,
}

#[derive(Args)]
pub(super) struct ExportAs {
    /// How many at most, the newest first; all if it is not given
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// How they are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "csv")]
    format: ExportFormat,
    /// The file to write, for its owner alone, whole or not at all; standard output if it is not given
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The database, which a server may be using.
pub(super) fn open(options: &Options) -> Result<Store, ExitCode> {
    let config = load_without_secrets(options)?;
    Store::open_beside(&config.storage).map_err(|error| fail(&error))
}

/// A value as one JSON document on standard output.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from);
    until_closed(written.and_then(|()| writeln!(out)).and_then(|()| out.flush()).map_err(ExportError::from), ())
}

/// Rows as CSV on standard output.
pub(super) fn print_csv<const N: usize>(
    columns: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<(), ExitCode> {
    let write = || -> Result<(), ExportError> {
        let mut table = CsvTable::new(io::stdout().lock(), columns)?;
        for row in rows {
            table.row(&row)?;
        }
        Ok(table.finish()?)
    };
    until_closed(write(), ())
}

/// Whoever closed the output, `head` say, wants no more of it: that is no failure.
fn until_closed<T>(result: Result<T, ExportError>, closed: T) -> Result<T, ExitCode> {
    match result {
        Err(ExportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(closed),
        result => result.map_err(|error| fail(&error)),
    }
}

impl ExportAs {
    /// Writes what `export` writes to where it was asked for. It is handed the limit, the form, the output and whom to tell
    /// how many there are.
    pub(super) fn run(
        &self,
        what: &str,
        export: impl FnOnce(u64, Format, &mut dyn Write, &mut dyn FnMut(u64)) -> Result<u64, ExportError>,
    ) -> Result<(), ExitCode> {
        let limit = self.limit.unwrap_or(u64::MAX);
        let format = match self.format {
            ExportFormat::Csv => Format::Csv,
            ExportFormat::Json => Format::JsonLines,
        };
        let mut progress = Progress::new(what, self.output.is_some() || !io::stdout().is_terminal());
        let Some(path) = &self.output else {
            let mut out = BufWriter::new(io::stdout().lock());
            let written = export(limit, format, &mut out, &mut |count| progress.tell(count));
            progress.end();
            return until_closed(written, 0).map(|_| ());
        };
        let written = to_file(path, |out| export(limit, format, out, &mut |count| progress.tell(count)));
        progress.end();
        let count = written.map_err(|error| fail(&format_args!("{}: {error}", path.display())))?;
        complain(format_args!("{count} {what} in {}", path.display()));
        Ok(())
    }
}

/// Writes a file beside its place and moves it there once it is whole and on the disk.
fn to_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<u64, ExportError>) -> Result<u64, ExportError> {
    let unfinished = unfinished(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let result = write_and_sync(file, write).and_then(|count| {
        std::fs::rename(&unfinished, path)?;
        Ok(count)
    });
    if result.is_err() {
        let _ = std::fs::remove_file(&unfinished);
    }
    result
}

fn write_and_sync(
    file: File,
    write: impl FnOnce(&mut dyn Write) -> Result<u64, ExportError>,
) -> Result<u64, ExportError> {
    let mut out = BufWriter::new(file);
    let count = write(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(count)
}

/// A line on standard error that counts, if a person is there to see it and it stands in nothing's way.
struct Progress<'a> {
    what: &'a str,
    is_shown: bool,
    told: Option<Duration>,
}

impl<'a> Progress<'a> {
    fn new(what: &'a str, is_free: bool) -> Self {
        Self { what, is_shown: is_free && io::stderr().is_terminal(), told: None }
    }

    fn tell(&mut self, count: u64) {
        let now = clock::monotonic();
        if self.is_shown && self.told.is_none_or(|told| now.saturating_sub(told) >= PROGRESS) {
            self.told = Some(now);
            let _ = write!(io::stderr(), "\r{count} {} …", self.what);
        }
    }

    /// Makes room for what follows.
    fn end(&self) {
        if self.told.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
