use rusqlite::config::DbConfig;

use super::*;
use crate::domain::scratch::Scratch;
use crate::store::backup;

const NOW: Timestamp = Timestamp::from_ms(1_795_440_663_007);
const ASIDE: &str = "widgetd.db.before-restore-2026-11-23T13-31-03.007Z";

fn settings(scratch: &Scratch) -> Settings {
    Settings { folder: scratch.path().join("data"), readers: 1, free_disk_floor_bytes: 0 }
}

/// A database as a server that has stopped leaves it. (One of this process could have connections open for a moment yet.)
fn make(settings: &Settings) {
    std::fs::create_dir(&settings.folder).unwrap();
    let path = settings.database();
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    let mut connection = Connection::open(&path).unwrap();
    schema::prepare(&mut connection, &path).unwrap();
}

/// Notes a word in the database, in its log; the log stays where it is, as after a kill.
fn note(settings: &Settings, word: &str) {
    let connection = Connection::open(settings.database()).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.execute("insert into paused_agents values (?1, 1)", [word]).unwrap();
}

fn noted(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let words = "select coalesce(group_concat(agent_id, ' '), '') from (select agent_id from paused_agents order by 1)";
    connection.query_row(words, [], |row| row.get(0)).unwrap()
}

fn restore(settings: &Settings, file: &Path) -> Result<Option<PathBuf>, String> {
    let prepared = Restore::prepare(settings, file).map_err(|error| error.to_string())?;
    prepared.put_in_place(NOW).map_err(|error| error.to_string())
}

/// A database with one word in it, its backup with that word, and a second word in its log.
fn with_a_backup(scratch: &Scratch) -> (Settings, PathBuf) {
    let settings = settings(scratch);
    make(&settings);
    note(&settings, "one");
    let file = scratch.path().join("backup.db");
    backup(&settings, &file, false).unwrap();
    note(&settings, "two");
    assert!(beside(&settings.database(), "-wal").metadata().unwrap().len() > 0, "it is in the log");
    (settings, file)
}

#[test]
fn the_backup_is_there_and_what_it_replaced_is_kept_with_its_log() {
    let scratch = Scratch::new();
    let (settings, file) = with_a_backup(&scratch);
    let aside = restore(&settings, &file).unwrap().unwrap();
    assert_eq!(aside, settings.folder.join(ASIDE));
    assert_eq!((noted(&settings.database()).as_str(), noted(&aside).as_str()), ("one", "one two"));
    // And back.
    let prepared = Restore::prepare(&settings, &aside).unwrap();
    prepared.put_in_place(NOW.plus(std::time::Duration::from_secs(1))).unwrap();
    assert_eq!(noted(&settings.database()), "one two");
}

/// Its log is whole and would be applied to whatever has the name that goes with it.
#[test]
fn a_log_whose_database_is_gone_or_damaged_is_not_applied_to_the_restored_one() {
    for is_gone in [true, false] {
        let scratch = Scratch::new();
        let (settings, file) = with_a_backup(&scratch);
        let database = settings.database();
        if is_gone {
            std::fs::remove_file(&database).unwrap();
        } else {
            std::fs::write(&database, [b'?'; 8192]).unwrap();
        }
        let log = std::fs::read(beside(&database, "-wal")).unwrap();
        let aside = restore(&settings, &file).unwrap();
        assert_eq!(aside.is_some(), !is_gone);
        assert_eq!(noted(&database), "one");
        let kept = beside(&settings.folder.join(ASIDE), "-wal");
        assert!(std::fs::read(kept).unwrap() == log, "the log is kept");
    }
}

#[test]
fn nothing_is_restored_under_a_server_or_under_any_program_that_has_it_open() {
    let scratch = Scratch::new();
    let (settings, file) = with_a_backup(&scratch);
    let served = lock(&settings.folder).unwrap();
    let told = restore(&settings, &file).unwrap_err();
    assert!(told.contains("a server is using") && told.contains("stop it"), "{told}");
    drop(served);
    let other = Connection::open(settings.database()).unwrap();
    other.query_row("select count(*) from visitors", [], |_| Ok(())).unwrap();
    let told = restore(&settings, &file).unwrap_err();
    assert!(told.contains("another program has"), "{told}");
    drop(other);
    assert_eq!(noted(&settings.database()), "one two");
    restore(&settings, &file).unwrap();
    assert_eq!(noted(&settings.database()), "one");
}

#[test]
fn what_is_no_whole_backup_of_ours_is_refused_in_its_own_words() {
    let scratch = Scratch::new();
    let (settings, file) = with_a_backup(&scratch);
    let good = std::fs::read(&file).unwrap();
    let version = |version: u32| {
        let mut bytes = good.clone();
        bytes[60..64].copy_from_slice(&version.to_be_bytes());
        bytes
    };
    let mut damaged = good.clone();
    // The second page is the first of some table.
    damaged[4096..4096 + 64].fill(0xff);
    let foreign = scratch.path().join("foreign.db");
    Connection::open(&foreign).unwrap().execute_batch("create table a (b)").unwrap();
    let cases = [
        ("damaged", damaged, "damaged"),
        ("truncated", good[..good.len() / 2 / 4096 * 4096].to_vec(), "damaged"),
        ("cut in a page", good[..good.len() / 2 + 77].to_vec(), "damaged"),
        ("foreign", std::fs::read(foreign).unwrap(), "is not a database of widgetd"),
        ("a text", b"Dear diary, today I made a backup. ".repeat(400), "is not a database of widgetd"),
        ("empty", Vec::new(), "is not a database of widgetd"),
        ("newer", version(99), "its schema is version 99, this one knows"),
        ("of no version", version(0), "is not a database of widgetd"),
    ];
    let before = (noted(&settings.database()), std::fs::read_dir(&settings.folder).unwrap().count());
    for (name, bytes, words) in cases {
        let path = scratch.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let told = restore(&settings, &path).unwrap_err();
        assert!(told.contains(words) && told.contains(path.to_str().unwrap()), "{name}: {told}");
        assert!(!told.contains(".part"), "{told}");
        assert_eq!(
            before,
            (noted(&settings.database()), std::fs::read_dir(&settings.folder).unwrap().count()),
            "{name}"
        );
    }
    assert!(restore(&settings, scratch.path()).unwrap_err().contains("is not a plain file"));
    assert!(restore(&settings, &scratch.path().join("missing")).unwrap_err().contains("cannot read"));
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    let (pipe, good) = (scratch.path().join("pipe"), scratch.path().join("good"));
    make(&settings);
    std::fs::copy(settings.database(), &good).unwrap();
    for path in [&pipe, &beside(&good, "-wal")] {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).unwrap();
    }
    for (file, named) in [(&pipe, pipe.clone()), (&good, beside(&good, "-wal"))] {
        let told = restore(&settings, file).unwrap_err();
        assert_eq!(told, format!("{} is not a plain file", named.display()));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_from_a_folder_that_cannot_be_written() {
    let scratch = Scratch::new();
    // Opened, a folder reads as an error.
    let unreadable = || File::open(scratch.path()).unwrap();
    let told = fill(&mut Vec::new(), unreadable(), Path::new("backup"), Path::new("data")).unwrap_err().to_string();
    assert!(told.starts_with("cannot read backup: "), "{told}");
    let path = scratch.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let mut closed = File::open(&path).unwrap();
    let told = fill(&mut closed, File::open(&path).unwrap(), &path, Path::new("data")).unwrap_err().to_string();
    assert!(told.starts_with("cannot write in data: "), "{told}");
}

/// Who copied the three files of a stopped server has a backup too.
#[test]
fn a_copied_log_beside_the_file_is_part_of_it() {
    let scratch = Scratch::new();
    let (settings, _) = with_a_backup(&scratch);
    let file = scratch.path().join("copied.db");
    for suffix in ["", "-wal"] {
        std::fs::copy(beside(&settings.database(), suffix), beside(&file, suffix)).unwrap();
    }
    let elsewhere = Settings { folder: scratch.path().join("elsewhere"), ..settings };
    assert_eq!(restore(&elsewhere, &file).unwrap(), None);
    assert_eq!(noted(&elsewhere.database()), "one two");
    let names: Vec<_> = std::fs::read_dir(&elsewhere.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["widgetd.db"]);
}

#[test]
fn who_was_logged_in_when_it_was_made_is_not_logged_in_again() {
    let scratch = Scratch::new();
    let settings = settings(&scratch);
    make(&settings);
    let connection = Connection::open(settings.database()).unwrap();
    connection.execute_batch("insert into admin_sessions values (x'01', 1, 1, 9000000000000);").unwrap();
    drop(connection);
    let file = scratch.path().join("backup.db");
    backup(&settings, &file, false).unwrap();
    restore(&settings, &file).unwrap();
    let connection = Connection::open(settings.database()).unwrap();
    let sessions: i64 = connection.query_row("select count(*) from admin_sessions", [], |row| row.get(0)).unwrap();
    assert_eq!(sessions, 0);
}

#[test]
fn root_leaves_it_to_the_user_that_had_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    let (settings, file) = with_a_backup(&scratch);
    let owner =
        |path: &Path| std::fs::metadata(path).map(|file| (file.uid(), file.gid(), file.mode() & 0o777)).unwrap();
    std::os::unix::fs::chown(settings.database(), Some(12_345), Some(54_321)).unwrap();
    let aside = restore(&settings, &file).unwrap().unwrap();
    assert_eq!((owner(&settings.database()), owner(&aside)), ((12_345, 54_321, 0o600), (12_345, 54_321, 0o600)));
    std::fs::remove_file(settings.database()).unwrap();
    std::os::unix::fs::chown(&settings.folder, Some(23_456), Some(23_456)).unwrap();
    restore(&settings, &file).unwrap();
    assert_eq!(owner(&settings.database()), (23_456, 23_456, 0o600));
}
