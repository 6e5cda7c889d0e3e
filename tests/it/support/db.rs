//! A look into the database file where the API cannot tell. Nothing is ever written there.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params_from_iter};

/// The rows of one query, each column as a text.
pub(crate) fn rows(folder: &Path, sql: &str, parameters: &[&str]) -> Vec<Vec<String>> {
    let connection =
        Connection::open_with_flags(folder.join("widgetd.db"), OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database");
    let mut statement = connection.prepare(sql).expect("a query of this schema");
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(parameters), |row| {
        (0..columns).map(|column| row.get_ref(column).map(shown)).collect()
    });
    rows.expect("rows").collect::<Result<_, _>>().expect("a row")
}

/// The one number that a query gives.
pub(crate) fn count(folder: &Path, sql: &str) -> u64 {
    rows(folder, sql, &[])[0][0].parse().expect("a number")
}

/// Keeps every other writer out until it is dropped: nothing is written, nothing can be committed.
pub(crate) fn lock(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("widgetd.db")).expect("the database");
    connection.busy_timeout(super::CEILING).expect("a timeout");
    connection.execute_batch("begin immediate").expect("the lock");
    connection
}

/// Folds the log back and gives its space back too, as soon as no reader is in it.
pub(crate) fn empty_log(folder: &Path) {
    let connection = Connection::open(folder.join("widgetd.db")).expect("the database");
    connection.busy_timeout(super::CEILING).expect("a timeout");
    let is_busy: bool =
        connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0)).expect("a checkpoint");
    assert!(!is_busy, "somebody is in the log");
}

fn shown(value: rusqlite::types::ValueRef<'_>) -> String {
    use rusqlite::types::ValueRef;
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(blob) => blob.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}
