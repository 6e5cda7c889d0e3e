//! One moment of a database as a file: copied, looked through, counted.
//!
//! SQLite's backup API copies the pages in one read transaction, in which the rows were counted first: so the copy must
//! have just as many, and is refused if it has not. `VACUUM INTO`, which is as fast, was not taken, since it cannot run in
//! a transaction: its rows could not be counted in the same moment. Nobody who writes waits meanwhile: a reader in WAL mode
//! holds no lock that a writer wants. But what is written stays in the log for as long as the copying lasts, so the log
//! grows by that much; the looking through comes after, without the transaction.

use std::collections::BTreeMap;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::unfinished::Unfinished;
use super::{StoreError, connect, schema, unsigned};
use crate::domain::time::Timestamp;

/// Pages that are copied before they are put on the disk, 16 MiB: with much more waiting, the sync of another's commit would
/// wait for them too.
const PAGES: i32 = 4096;

/// What a copy holds, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holds {
    pub(crate) conversations: u64,
    pub(crate) messages: u64,
    pub(crate) leads: u64,
    pub(crate) events: u64,
    /// When its last message was stored.
    pub(crate) newest: Option<Timestamp>,
    pub(crate) bytes: u64,
    /// The version of its schema, and whether this program would bring it up to date.
    pub(crate) schema: usize,
    pub(crate) is_older: bool,
}

/// The rows of each table.
type Counts = BTreeMap<String, u64>;

/// Copies the database as it is at this moment, and looks the copy through. It is one file then, without a log.
pub(super) fn copy(source: &mut Connection, into: &Unfinished) -> Result<Holds, StoreError> {
    let snapshot = source.transaction()?;
    let counted = counts(&snapshot)?;
    let mut copy = open(into)?;
    copy_pages(&snapshot, &mut copy, into)?;
    drop(snapshot);
    make_one_file(&copy)?;
    let (holds, copied) = look_through(&copy, into)?;
    if copied != counted {
        return Err(StoreError::Corrupt(format!("the copy has other rows than it: {copied:?}, not {counted:?}")));
    }
    Ok(holds)
}

/// Opens a file that is not in its place yet.
pub(super) fn open(unfinished: &Unfinished) -> Result<Connection, StoreError> {
    let copy = connect(unfinished.path(), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
    // Nothing needs to be undone in it, and it is put on the disk whole, by whoever finishes it.
    copy.execute_batch("pragma locking_mode = exclusive; pragma synchronous = off;")?;
    Ok(copy)
}

fn copy_pages(from: &Connection, to: &mut Connection, into: &Unfinished) -> Result<(), StoreError> {
    to.query_row("pragma journal_mode = off", [], |_| Ok(()))?;
    let backup = Backup::new(from, to)?;
    loop {
        match backup.step(PAGES)? {
            StepResult::Done => return Ok(()),
            StepResult::More => into.file().sync_data()?,
            _ => return Err(StoreError::Busy),
        }
    }
}

/// Folds the log of a copy into it: it can be moved, and read where nothing may be written.
pub(super) fn make_one_file(copy: &Connection) -> Result<(), StoreError> {
    let mode: String = copy.query_row("pragma journal_mode = delete", [], |row| row.get(0))?;
    if mode == "delete" { Ok(()) } else { Err(StoreError::Busy) }
}

/// Reads all of it: whether it is whole, ours, and not of a newer version; and what it holds.
pub(super) fn look_through(copy: &Connection, file: &Unfinished) -> Result<(Holds, Counts), StoreError> {
    let schema = schema::readable(copy, file.path())?;
    let found: String = copy.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(StoreError::Corrupt(found));
    }
    let orphan = copy.query_row("pragma foreign_key_check", [], |row| row.get::<_, String>(0)).optional()?;
    if let Some(table) = orphan {
        return Err(StoreError::Corrupt(format!("a row of {table} belongs to one that is not there")));
    }
    let counts = counts(copy)?;
    let newest = copy
        .query_row("select created_at_ms from messages order by seq desc limit 1", [], |row| row.get(0))
        .optional()?;
    let of = |table: &str| counts.get(table).copied().unwrap_or(0);
    let holds = Holds {
        conversations: of("conversations"),
        messages: of("messages"),
        leads: of("leads"),
        events: of("events"),
        newest: newest.map(Timestamp::from_ms),
        bytes: file.file().metadata()?.len(),
        schema,
        is_older: schema < schema::KNOWN,
    };
    Ok((holds, counts))
}

/// Of all tables that have pages of their own; those of the search index are among them.
fn counts(connection: &Connection) -> Result<Counts, StoreError> {
    let mut statement = connection.prepare("select name from sqlite_schema where type = 'table' and rootpage > 0")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
    let count = |name: String| {
        let sql = format!("select count(*) from \"{}\"", name.replace('"', "\"\""));
        let rows: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
        Ok((name, unsigned(rows)))
    };
    names.into_iter().map(count).collect()
}
