//! Leads and conversations as files, for the command line and the admin page alike. They are read and written page by page,
//! so that memory stays flat however many there are.
//!
//! CSV is of RFC 4180, in UTF-8, with a line of names first; columns are only ever added, at the end. JSON is one object a
//! line ("JSON lines"); that of a conversation holds what was said.

mod csv_table;

use std::collections::BTreeMap;
use std::io::{self, Write};

pub(crate) use csv_table::CsvTable;

use crate::domain::time::Timestamp;
use crate::store::{ConversationFilter, ConversationRow, LeadFilter, LeadRow, Store, StoreError};

/// Rows that are read at a time.
const PAGE_ROWS: u32 = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Csv,
    JsonLines,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write: {0}")]
    Write(#[from] io::Error),
}

pub(crate) const LEAD_COLUMNS: [&str; 19] = [
    "id",
    "agent_id",
    "created_at",
    "updated_at",
    "status",
    "email",
    "name",
    "phone",
    "company",
    "message",
    "note",
    "fields",
    "consent",
    "consent_version",
    "source",
    "page_url",
    "page_title",
    "conversation_id",
    "visitor_id",
];

pub(crate) const CONVERSATION_COLUMNS: [&str; 12] = [
    "id",
    "agent_id",
    "began_at",
    "active_at",
    "messages",
    "unanswered",
    "input_tokens",
    "output_tokens",
    "cost",
    "lead_id",
    "lead_email",
    "first_question",
];

/// The values of [`LEAD_COLUMNS`].
pub(crate) fn lead_cells(lead: &LeadRow) -> [String; LEAD_COLUMNS.len()] {
    [
        lead.id.to_string(),
        lead.agent_id.clone(),
        lead.created_at.to_string(),
        lead.updated_at.to_string(),
        lead.status.as_str().to_owned(),
        lead.email.clone(),
        or_empty(&lead.name),
        or_empty(&lead.phone),
        or_empty(&lead.company),
        or_empty(&lead.message),
        lead.note.clone(),
        fields(&lead.fields),
        match lead.consent {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        }
        .to_owned(),
        or_empty(&lead.consent_version),
        or_empty(&lead.source),
        or_empty(&lead.page_url),
        or_empty(&lead.page_title),
        or_empty(&lead.conversation_id),
        or_empty(&lead.visitor_id),
    ]
}

/// The values of [`CONVERSATION_COLUMNS`].
pub(crate) fn conversation_cells(row: &ConversationRow) -> [String; CONVERSATION_COLUMNS.len()] {
    [
        row.id.to_string(),
        row.agent_id.clone(),
        row.began_at.to_string(),
        row.active_at.to_string(),
        row.messages.to_string(),
        row.unanswered.to_string(),
        row.input_tokens.to_string(),
        row.output_tokens.to_string(),
        amount(row.cost_nanos),
        or_empty(&row.lead_id),
        or_empty(&row.lead_email),
        row.first_question.clone(),
    ]
}

/// Writes the leads, at most `limit`, newest first; `progress` hears after each page how many there are by then. Says how
/// many were written.
pub(crate) fn leads(
    store: &Store,
    filter: &LeadFilter,
    limit: u64,
    format: Format,
    out: impl Write,
    mut progress: impl FnMut(u64),
) -> Result<u64, ExportError> {
    let mut rows = Rows::new(format, out, &LEAD_COLUMNS)?;
    let mut after = None;
    loop {
        let page = store.leads(filter, after, rows.wanted(limit))?;
        for lead in &page.rows {
            match &mut rows.to {
                To::Csv(table) => table.row(&lead_cells(lead))?,
                To::JsonLines(out) => line(out, lead)?,
            }
        }
        rows.written += page.rows.len() as u64;
        progress(rows.written);
        after = page.next;
        if after.is_none() || rows.written >= limit {
            return rows.finish();
        }
    }
}

/// As [`leads`], of conversations.
pub(crate) fn conversations(
    store: &Store,
    filter: &ConversationFilter,
    limit: u64,
    format: Format,
    out: impl Write,
    mut progress: impl FnMut(u64),
) -> Result<u64, ExportError> {
    let mut rows = Rows::new(format, out, &CONVERSATION_COLUMNS)?;
    let mut after = None;
    loop {
        let page = store.conversations(filter, after, rows.wanted(limit))?;
        for row in &page.rows {
            match &mut rows.to {
                To::Csv(table) => table.row(&conversation_cells(row))?,
                // It may have been deleted since the page was read.
                To::JsonLines(out) => store.conversation(row.id)?.map_or(Ok(()), |whole| line(out, &whole))?,
            }
        }
        rows.written += page.rows.len() as u64;
        progress(rows.written);
        after = page.next;
        if after.is_none() || rows.written >= limit {
            return rows.finish();
        }
    }
}

/// Where rows go, and how many went there.
struct Rows<W: Write> {
    to: To<W>,
    written: u64,
}

enum To<W: Write> {
    Csv(CsvTable<W>),
    JsonLines(W),
}

impl<W: Write> Rows<W> {
    fn new(format: Format, out: W, columns: &[&str]) -> io::Result<Self> {
        let to = match format {
            Format::Csv => To::Csv(CsvTable::new(out, columns)?),
            Format::JsonLines => To::JsonLines(out),
        };
        Ok(Self { to, written: 0 })
    }

    /// How many the next page may have.
    fn wanted(&self, limit: u64) -> u32 {
        u32::try_from(limit.saturating_sub(self.written)).map_or(PAGE_ROWS, |left| left.min(PAGE_ROWS))
    }

    fn finish(self) -> Result<u64, ExportError> {
        match self.to {
            To::Csv(table) => table.finish()?,
            To::JsonLines(mut out) => out.flush()?,
        }
        Ok(self.written)
    }
}

fn line(out: &mut impl Write, row: &impl serde::Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

fn or_empty(value: &Option<impl ToString>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn fields(fields: &BTreeMap<String, String>) -> String {
    if fields.is_empty() {
        return String::new();
    }
    // Texts under texts: it cannot fail.
    serde_json::to_string(fields).unwrap_or_default()
}

/// Billionths as a decimal number, exactly: no digit is rounded away and none is there for nothing.
pub(crate) fn amount(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let text = format!("{sign}{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The day alone, as in `2026-11-25`.
pub(crate) fn date(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact() {
        for (nanos, text) in [
            (0, "0"),
            (1, "0.000000001"),
            (1_500_000, "0.0015"),
            (1_000_000_000, "1"),
            (120_000_000_000, "120"),
            (-1_500_000_000, "-1.5"),
        ] {
            assert_eq!(amount(nanos), text);
        }
    }
}
