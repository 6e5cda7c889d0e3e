//! The writer in trouble: readers that stay, transactions that do not end, disks that fail.

use std::time::Instant;

use rusqlite::{OpenFlags, ffi};

use super::*;
use crate::domain::scratch::Scratch;
use crate::store::{Settings, Store, connect};

const HANG: Duration = Duration::from_secs(20);

fn open(scratch: &Scratch) -> Store {
    let settings = Settings { folder: scratch.path().join("data"), readers: 1, free_disk_floor_bytes: 0 };
    Store::open(&settings).unwrap()
}

fn make_table(store: &Store) {
    store.write(|db| Ok(db.execute_batch("create table notes (x)")?)).wait().unwrap();
}

fn insert(store: &Store) -> Result<usize, StoreError> {
    store.write(|db| Ok(db.execute("insert into notes values (1)", [])?)).wait()
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + HANG;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn sqlite(code: std::ffi::c_int) -> StoreError {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
}

#[test]
fn a_reader_who_stays_does_not_keep_a_write_waiting() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let bytes = || std::fs::metadata(store.path()).unwrap().len();
    let before = bytes();
    make_table(&store);
    let reader = connect(store.path(), OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    reader.execute_batch("begin; select count(*) from notes").unwrap();
    wait_until("the log is folded back", || bytes() > before);
    // Folding back has begun, and cannot end before the reader does.
    let begun = Instant::now();
    insert(&store).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn the_log_keeps_its_size_until_the_end_so_that_it_is_overwritten() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let bytes = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    let log = store.path().with_extension("db-wal");
    make_table(&store);
    for _ in 0..50 {
        insert(&store).unwrap();
    }
    let (grown, before) = (bytes(&log), bytes(store.path()));
    wait_until("the log is folded back", || bytes(store.path()) > before);
    insert(&store).unwrap();
    assert_eq!(bytes(&log), grown, "it is begun anew");
    store.close();
    assert_eq!(bytes(&log), 0);
}

#[test]
fn what_the_log_grew_to_beyond_its_size_is_given_back() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let log = || std::fs::metadata(store.path().with_extension("db-wal")).unwrap().len();
    make_table(&store);
    store.write(|db| Ok(db.execute("insert into notes values (zeroblob(20 << 20))", [])?)).wait().unwrap();
    assert!(log() > 20 << 20);
    wait_until("the log is given back", || {
        insert(&store).unwrap();
        log() <= 16 << 20
    });
}

#[test]
fn a_transaction_that_was_left_open_is_undone_before_the_next() {
    let scratch = Scratch::new();
    let connection = Connection::open(scratch.path().join("db")).unwrap();
    connection.execute_batch("create table notes (x); begin immediate; insert into notes values (1)").unwrap();
    let writer = Writer::start(connection, true).unwrap();
    writer.write(|db| Ok(db.execute("insert into notes values (2)", [])?)).wait().unwrap();
    let found = writer.write(|db| Ok(db.query_row("select sum(x) from notes", [], |row| row.get::<_, i64>(0))?));
    assert_eq!(found.wait().unwrap(), 2);
    assert!(writer.ready().is_ok());
}

#[test]
fn a_disk_that_fails_below_a_job_is_told_until_a_commit_succeeds() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    make_table(&store);
    for code in [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_READONLY, ffi::SQLITE_FULL] {
        let failed = store.write(move |_| -> Result<(), StoreError> { Err(sqlite(code)) });
        assert!(matches!(failed.wait(), Err(StoreError::Disk(_) | StoreError::Full)), "{code}");
        assert!(matches!(store.ready(), Err(StoreError::Failing)), "{code}");
        insert(&store).unwrap();
        assert!(store.ready().is_ok(), "{code}");
    }
    let mistake = store.write(|db| Ok(db.execute("insert into nowhere values (1)", [])?));
    assert!(matches!(mistake.wait(), Err(StoreError::Sqlite(_))));
    assert!(store.ready().is_ok(), "a mistake of one job is not the disk's");
}

#[test]
fn a_disk_that_failed_below_a_job_is_seen_to_work_again_when_nobody_writes() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let failed = store.write(|_| -> Result<(), StoreError> { Err(sqlite(ffi::SQLITE_IOERR)) });
    failed.wait().unwrap_err();
    assert!(store.ready().is_err());
    wait_until("storage is ready again", || store.ready().is_ok());
}

#[test]
fn nothing_is_written_to_a_file_that_was_found_damaged() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    make_table(&store);
    for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_CORRUPT_INDEX] {
        let failed = store.write(move |_| -> Result<(), StoreError> { Err(sqlite(code)) });
        assert!(matches!(failed.wait(), Err(StoreError::Corrupt(_))));
        assert!(matches!(insert(&store), Err(StoreError::Corrupt(_))), "even if that page is whole");
        assert!(store.ready().is_err());
    }
    store.close();
    let count: i64 =
        Connection::open(store.path()).unwrap().query_row("select count(*) from notes", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0);
}

#[test]
fn a_writer_that_died_is_not_ready() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as the test wants it");
        }
    }
    let scratch = Scratch::new();
    let store = open(&scratch);
    // Nobody waits for it by then, so that the writer itself throws it away.
    let (open_gate, gate) = mpsc::channel::<()>();
    drop(store.write(move |_| {
        let _ = gate.recv();
        Ok(Bomb)
    }));
    open_gate.send(()).unwrap();
    wait_until("the writer has died", || insert(&store).is_err());
    wait_until("storage is not ready", || store.ready().is_err());
}
