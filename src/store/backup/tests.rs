use super::*;
use crate::domain::scratch::Scratch;
use crate::store::Store;

const NOW: Timestamp = Timestamp::from_ms(1_795_440_663_007);

fn settings(scratch: &Scratch) -> Settings {
    Settings { folder: scratch.path().join("data"), readers: 1, free_disk_floor_bytes: 0 }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_keeps_the_newest_and_whatever_else_lies_there() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    let store = Store::open(&settings).unwrap();
    let folder = scratch.path().join("backups");
    std::fs::create_dir(&folder).unwrap();
    let others = ["widgetd-2026-11-23.db", "widgetd-2026-11-23T13-31-03.007Z.db.bak", "notes.txt", "widgetd.db"];
    for name in others {
        std::fs::write(folder.join(name), "mine").unwrap();
    }
    std::fs::create_dir(folder.join("widgetd-2001-01-01T00-00-00.000Z.db")).unwrap();
    std::fs::write(folder.join(".widgetd-2026-11-20T13-31-03.007Z.db.part"), "of one that was killed").unwrap();
    let day = std::time::Duration::from_secs(86_400);
    let made: Vec<_> = (0..5).map(|n| backup_into(&settings, &folder, 3, NOW.plus(day * n)).unwrap()).collect();
    assert_eq!(made.iter().map(|rotated| rotated.kept).collect::<Vec<_>>(), [1, 2, 3, 3, 3]);
    assert_eq!(made[3].removed, [made[0].made.clone()]);
    let there = names(&folder);
    for name in others.into_iter().chain(["widgetd-2001-01-01T00-00-00.000Z.db", "widgetd-2026-11-27T13-31-03.007Z.db"])
    {
        assert!(there.iter().any(|there| there == name), "{name} in {there:?}");
    }
    assert_eq!(there.len(), others.len() + 1 + 3, "{there:?}");
    // With the clock set back, the one that was just made is the last to go.
    let early = backup_into(&settings, &folder, 1, NOW).unwrap();
    assert_eq!((early.kept, early.removed.len()), (1, 3));
    assert!(early.made.exists());
    store.close();
}

#[test]
fn a_backup_is_one_file_that_can_be_read_where_nothing_can_be_written() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    let store = Store::open(&settings).unwrap();
    let target = scratch.path().join("copy.db");
    let holds = backup(&settings, &target, false).unwrap();
    assert_eq!((holds.schema, holds.is_older), (schema::KNOWN, false));
    assert_eq!(names(scratch.path()), ["copy.db", "data"]);
    let copy = rusqlite::Connection::open_with_flags(&target, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mode: String = copy.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "delete");
    assert_eq!(names(scratch.path()), ["copy.db", "data"]);
    store.close();
}

#[test]
fn each_place_that_will_not_do_is_refused_in_its_own_words() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    let check = |target: &Path, may_replace: bool, words: &str| {
        let told = backup(&settings, target, may_replace).unwrap_err().to_string();
        assert!(told.contains(words), "{told}");
    };
    check(&scratch.path().join("copy.db"), false, "there is no database in");
    let store = Store::open(&settings).unwrap();
    let there = scratch.path().join("there.db");
    std::fs::write(&there, "mine").unwrap();
    check(&there, false, "is there already");
    let log = scratch.path().join("copy.db-wal");
    std::fs::write(&log, "of another database").unwrap();
    check(&scratch.path().join("copy.db"), true, "copy.db-wal lies there");
    std::fs::remove_file(log).unwrap();
    check(&scratch.path().join("missing/copy.db"), false, "there is no folder");
    check(&there.join("copy.db"), false, "there is no folder");
    check(scratch.path(), true, "is a folder");
    check(&settings.folder.join("copy.db"), false, "is the folder of the database");
    check(&settings.folder.join("widgetd.db"), true, "is the folder of the database");
    check(&scratch.path().join("data/../data/widgetd.db"), true, "is the folder of the database");
    let writing = Unfinished::begin(&scratch.path().join("copy.db")).unwrap();
    check(&scratch.path().join("copy.db"), false, "another backup is being written");
    drop(writing);
    assert_eq!(std::fs::read(&there).unwrap(), b"mine");
    backup(&settings, &there, true).unwrap();
    assert_eq!(names(scratch.path()), ["data", "there.db"]);
    let refused = backup_into(&settings, &scratch.path().join("missing"), 3, NOW).unwrap_err().to_string();
    assert!(refused.contains("there is no folder"), "{refused}");
    store.close();
}

/// Each of them is a database that can be opened, and whose rows can be counted.
#[test]
fn a_database_that_is_damaged_gives_no_backup() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    std::fs::create_dir(&settings.folder).unwrap();
    let path = settings.database();
    schema::prepare(&mut rusqlite::Connection::open(&path).unwrap(), &path).unwrap();
    let sound = std::fs::read(&path).unwrap();
    let refused = |words: &str| {
        let told = backup(&settings, &scratch.path().join("copy.db"), false).unwrap_err().to_string();
        assert!(told.contains("the database is damaged") && told.contains(words), "{told}");
        assert_eq!(names(scratch.path()), ["data"]);
    };
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("create table victim (x primary key); insert into victim values ('here I am');").unwrap();
    let page = "select pageno from dbstat where name = 'victim' limit 1";
    let page: u32 = connection.query_row(page, [], |row| row.get(0)).unwrap();
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    // The last byte of the page is the text's: the index has another one now.
    bytes[page as usize * 4096 - 1] = b'!';
    std::fs::write(&path, bytes).unwrap();
    refused("index");
    std::fs::write(&path, sound).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("pragma foreign_keys = off").unwrap();
    connection.execute_batch("insert into conversations values (x'11', x'01', 'demo', 1, 1, null, 0)").unwrap();
    drop(connection);
    refused("a row of conversations belongs to one that is not there");
}
