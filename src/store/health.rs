//! Whether the file is whole: SQLite reads all of it to know. A small file is looked at before anything is served; a large
//! one would keep visitors waiting, so it is looked at while they are served, and `/readyz` tells what was found.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, OpenFlags};

use super::{StoreError, connect};

/// Read in some ten milliseconds.
const SMALL_BYTES: u64 = 8 << 20;

/// What was found wrong, once something was.
#[derive(Clone, Default)]
pub(super) struct Health(Arc<OnceLock<String>>);

pub(super) fn is_small(path: &Path) -> Result<bool, StoreError> {
    Ok(std::fs::metadata(path)?.len() <= SMALL_BYTES)
}

/// Reads the whole file.
pub(super) fn check(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt(found)) }
}

impl Health {
    /// Looks at a large file on a thread of its own, which ends when it has.
    pub(super) fn watch(path: &Path) -> Result<Self, StoreError> {
        let health = Self::default();
        if !is_small(path)? {
            let (path, found) = (path.to_owned(), health.0.clone());
            std::thread::Builder::new().name("checker".into()).spawn(move || {
                let checked =
                    connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|connection| check(&connection));
                if let Err(error) = checked {
                    tracing::error!(%error, "the database was looked through: stop the server and restore a backup");
                    let _ = found.set(error.to_string());
                }
            })?;
        }
        Ok(health)
    }

    pub(super) fn ready(&self) -> Result<(), StoreError> {
        self.0.get().map_or(Ok(()), |found| Err(StoreError::Corrupt(found.clone())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};
    use std::time::{Duration, Instant};

    use super::*;
    use crate::domain::scratch::Scratch;
    use crate::store::{Settings, Store};

    const HANG: Duration = Duration::from_secs(20);

    #[test]
    fn a_large_file_that_is_damaged_is_found_while_it_serves() {
        let scratch = Scratch::new();
        let settings = Settings { folder: scratch.path().join("data"), readers: 1, free_disk_floor_bytes: 0 };
        let store = Store::open(&settings).unwrap();
        let path = store.path().to_owned();
        store.close();
        drop(store);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("create table padding (x); insert into padding values (zeroblob(9000000));").unwrap();
        connection.execute_batch("create table victim (x primary key); insert into victim values ('here');").unwrap();
        let page = "select pageno from dbstat where name = 'victim' limit 1";
        let page: u32 = connection.query_row(page, [], |row| row.get(0)).unwrap();
        drop(connection);
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(u64::from(page - 1) * 4096)).unwrap();
        file.write_all(&[0xff; 64]).unwrap();
        drop(file);
        let store = Store::open(&settings).unwrap();
        let deadline = Instant::now() + HANG;
        while store.ready().is_ok() && Instant::now() < deadline {
            std::thread::yield_now();
        }
        assert!(matches!(store.ready(), Err(StoreError::Corrupt(_))), "{:?}", store.ready());
    }
}
