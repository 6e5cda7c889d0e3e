//! The schema: numbered files of `sql/`, applied in order at start. A file is never edited after a release.

use std::path::Path;

use rusqlite::Connection;
use rusqlite_migration::{Error, M, MigrationDefinitionError, Migrations, SchemaVersion};

use super::{StoreError, health, kept};

/// "wdgt": tells our database from another program's (SQLite's `application_id`).
const APPLICATION_ID: i32 = 0x7764_6774;

static STEPS: [M<'static>; 8] = [
    M::up(include_str!("../../sql/0001_conversations.sql")),
    M::up(include_str!("../../sql/0002_leads.sql")),
    M::up(include_str!("../../sql/0003_events.sql")),
    M::up(include_str!("../../sql/0004_costs.sql")),
    M::up(include_str!("../../sql/0005_webhooks.sql")),
    M::up(include_str!("../../sql/0006_privacy.sql")).foreign_key_check(),
    M::up(include_str!("../../sql/0007_overview.sql")),
    M::up(include_str!("../../sql/0008_admin.sql")),
];

/// The version that this program makes.
pub(super) const KNOWN: usize = STEPS.len();

/// Checks whose file it is and that it is whole, sets it up for durable commits and brings it to the newest schema.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    match (application_id, tables) {
        (APPLICATION_ID, _) => {
            refuse_newer(version(connection)?)?;
            if health::is_small(path)? {
                health::check(connection)?;
            }
        }
        (0, 0) => connection.pragma_update(None, "application_id", APPLICATION_ID)?,
        _ => return Err(foreign()),
    }
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Io(format!(
            "the write-ahead log cannot be used there (SQLite says \"{mode}\"): put storage.folder on a local disk"
        )));
    }
    // The log is folded back after 16 MB and keeps that size: to overwrite a file takes about half the time of making it
    // longer. What it grew to beyond that, under a long reader, is given back.
    connection.execute_batch("pragma wal_autocheckpoint = 4000; pragma journal_size_limit = 16777216;")?;
    let found = version(connection)?;
    if (1..KNOWN).contains(&found) {
        kept::copy_before_upgrade(connection, path, found)?;
    }
    migrate(connection)
}

/// Checks that it is one of ours, with the schema that this program knows.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    match readable(connection, path)? {
        found if found < KNOWN => Err(StoreError::TooOld { found, known: KNOWN }),
        _ => Ok(()),
    }
}

/// Checks that it is one of ours, with a schema that this program knows or can bring up to date: its version.
pub(super) fn readable(connection: &Connection, path: &Path) -> Result<usize, StoreError> {
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    let application_id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application_id != APPLICATION_ID {
        return Err(foreign());
    }
    let found = version(connection)?;
    refuse_newer(found)?;
    if found == 0 { Err(foreign()) } else { Ok(found) }
}

fn refuse_newer(found: usize) -> Result<(), StoreError> {
    if found > KNOWN { Err(StoreError::TooNew { found, known: KNOWN }) } else { Ok(()) }
}

fn version(connection: &Connection) -> Result<usize, StoreError> {
    Ok(found(Migrations::from_slice(&STEPS).current_version(connection).map_err(unknown)?))
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let steps = Migrations::from_slice(&STEPS);
    // A step that makes a table anew drops the old one, which must not take the rows along that refer to it.
    connection.pragma_update(None, "foreign_keys", false)?;
    let migrated = steps.to_latest(connection);
    connection.pragma_update(None, "foreign_keys", true)?;
    migrated.map_err(|error| match error {
        Error::MigrationDefinition(MigrationDefinitionError::DatabaseTooFarAhead) => {
            StoreError::TooNew { found: steps.current_version(connection).map_or(0, found), known: KNOWN }
        }
        error => unknown(error),
    })
}

fn unknown(error: Error) -> StoreError {
    match error {
        Error::RusqliteError { err, .. } => err.into(),
        error => StoreError::Sqlite(error.to_string()),
    }
}

fn found(version: SchemaVersion) -> usize {
    match version {
        SchemaVersion::NoneSet => 0,
        SchemaVersion::Inside(version) | SchemaVersion::Outside(version) => version.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/schema.sql");

    /// The whole schema as SQLite has it after all steps.
    fn schema() -> String {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut statement = connection
            .prepare("select sql from sqlite_schema where sql is not null order by tbl_name, type desc, name")
            .unwrap();
        let statements = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let head = "-- The schema as the numbered files make it. Generated: UPDATE_SCHEMA=1 cargo test schema\n";
        statements.fold(head.to_owned(), |text, sql| format!("{text}\n{};\n", sql.unwrap()))
    }

    #[test]
    fn schema_sql_is_what_the_steps_make() {
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(SCHEMA, schema()).unwrap();
        }
        let written = std::fs::read_to_string(SCHEMA).unwrap_or_default();
        assert_eq!(written, schema(), "run: UPDATE_SCHEMA=1 cargo test schema");
    }

    #[test]
    fn every_numbered_file_is_a_step() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/sql");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.starts_with('0')).count(), STEPS.len());
    }

    /// A database as the first version left it, with a lead that two visitors had a hand in.
    #[test]
    fn what_an_older_version_stored_outlives_the_new_tables() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        Migrations::from_slice(&STEPS[..3]).to_latest(&mut connection).unwrap();
        connection
            .execute_batch(
                "insert into visitors values (x'01', 'demo', 1), (x'02', 'demo', 1);
                 insert into conversations values (x'11', x'01', 'demo', 1, 1), (x'12', x'02', 'demo', 1, 1);
                 insert into leads (id, agent_id, email, name, conversation_id, created_at_ms, updated_at_ms)
                 values (x'21', 'demo', 'a@example.com', 'Ann', x'12', 1, 2),
                        (x'22', 'demo', 'b@example.com', 'Bob', x'11', 1, 1);
                 insert into lead_history (lead_id, conversation_id, changed_at_ms, old) values (x'21', x'12', 2, '{}');
                 insert into messages (id, conversation_id, role, content, created_at_ms)
                 values (x'31', x'11', 'user', 'Hello', 1);",
            )
            .unwrap();
        migrate(&mut connection).unwrap();
        let mut statement = connection
            .prepare("select name, hex(first_visitor_id), hex(visitor_id), status from leads order by id")
            .unwrap();
        let leads =
            statement.query_map([], |row| Ok([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?, row.get(3)?]));
        let leads: Vec<_> = leads.unwrap().map(Result::unwrap).collect();
        drop(statement);
        assert_eq!(leads, [["Ann", "", "02", "new"], ["Bob", "01", "01", "new"]]);
        let maker: Vec<u8> = connection.query_row("select visitor_id from lead_history", [], |row| row.get(0)).unwrap();
        assert_eq!(maker, [2]);
        connection.execute("delete from conversations where id = x'12'", []).unwrap();
        let kept: i64 = connection
            .query_row("select count(*) from leads where conversation_id is null", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, 1, "a lead outlives its conversation");
        let enforced: bool = connection.pragma_query_value(None, "foreign_keys", |row| row.get(0)).unwrap();
        assert!(enforced);
    }
}
