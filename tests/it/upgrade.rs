//! A database of each earlier version, with rows in each of its tables, under this program: all of it is there and served,
//! and the way back is open. Of a newer version nothing is touched.
//!
//! `tests/fixtures/schema` has for each version the rows that came with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::config::Config;
use crate::support::disk::Disk;
use crate::support::model::Model;
use crate::support::server::{Folder, Server, widgetd};
use crate::support::site::Site;
use crate::support::{db, wait_until};

const VISITOR: &str = "3f0e8c1a-5b7d-4c2e-9a64-1d2b3c4d5e6f";
const QUESTION: &str = "Do you sell älpine kites?";

/// The rows of each table, each as its columns of that version with their names.
type Contents = BTreeMap<String, BTreeSet<Vec<String>>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The numbered files of the schema, in their order.
fn steps() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("sql")).unwrap().map(|entry| entry.unwrap().path());
    let is_numbered =
        |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(|c: char| c.is_ascii_digit());
    let paths: BTreeSet<_> = entries.filter(is_numbered).collect();
    paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// A database as the program of that version left it.
fn make(data: &Path, version: usize) -> Contents {
    std::fs::create_dir_all(data).unwrap();
    let connection = Connection::open(data.join("widgetd.db")).unwrap();
    connection.pragma_update(None, "application_id", 0x7764_6774).unwrap();
    connection.query_row("pragma journal_mode = wal", [], |_| Ok(())).unwrap();
    connection.pragma_update(None, "foreign_keys", true).unwrap();
    for step in &steps()[..version] {
        connection.execute_batch(step).unwrap();
    }
    for number in 1..=version {
        let path = root().join(format!("tests/fixtures/schema/{number:04}.sql"));
        let rows = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        connection.execute_batch(&rows).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    connection.pragma_update(None, "user_version", version as i64).unwrap();
    let contents = contents(data, &columns(data));
    for (table, rows) in &contents {
        assert!(!rows.is_empty(), "version {version} has no row in {table}");
    }
    contents
}

/// The columns of each table, but for those of the search index.
fn columns(data: &Path) -> BTreeMap<String, Vec<String>> {
    let sql = "select t.name, c.name from sqlite_schema t, pragma_table_info(t.name) c
               where t.type = 'table' and t.rootpage > 0 and t.name not like 'message\\_search%' escape '\\'";
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in db::rows(data, sql, &[]) {
        let [table, column] = row.try_into().unwrap();
        columns.entry(table).or_default().push(column);
    }
    columns
}

fn contents(data: &Path, columns: &BTreeMap<String, Vec<String>>) -> Contents {
    let rows = |table: &str, columns: &[String]| {
        db::rows(data, &format!("select {} from {table}", columns.join(", ")), &[]).into_iter().collect()
    };
    columns.iter().map(|(table, columns)| (table.clone(), rows(table, columns))).collect()
}

/// Each row as it was. What the server counts goes on by itself, and a mark tells how far that has come.
#[track_caller]
fn is_all_there(data: &Path, columns: &BTreeMap<String, Vec<String>>, before: &Contents, version: usize) {
    let mut after = contents(data, columns);
    for (table, rows) in before {
        let found = after.remove(table).unwrap();
        match table.as_str() {
            "marks" => {}
            "day_counts" => assert!(rows.is_subset(&found), "version {version}, {table}: {found:?}"),
            _ => assert_eq!(&found, rows, "version {version}, {table}"),
        }
    }
}

/// Serves what is in a folder.
fn site_on(folder: Folder) -> Site {
    let model = Model::start();
    let mut config = Config::new(&model.url());
    for kind in ["conversations", "events", "leads"] {
        config.text("retention", kind, "forever");
    }
    let server = Server::start_in(folder, &config.to_toml(), &[]);
    Site { server, model, config }
}

fn run(data: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let config = data.with_file_name("widget.toml");
    let output = widgetd().arg("--config").arg(config).arg("--data").arg(data).args(arguments).output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

#[track_caller]
fn told(data: &Path, arguments: &[&str]) -> String {
    let (code, told) = run(data, arguments);
    assert_eq!(code, Some(0), "{arguments:?}: {told}");
    told
}

fn stop(site: &mut Site) {
    site.server.signal(Signal::TERM);
    assert_eq!(site.server.wait().code(), Some(0));
}

fn version_of(path: &Path) -> usize {
    let connection = Connection::open(path).unwrap();
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).unwrap() as usize
}

#[track_caller]
fn is_whole_and_current(data: &Path) {
    assert_eq!(db::rows(data, "select integrity_check from pragma_integrity_check", &[]), [["ok"]]);
    assert_eq!(db::count(data, "select count(*) from pragma_foreign_key_check"), 0);
    let sql = "select sql from sqlite_schema where sql is not null order by tbl_name, type desc, name";
    let statements: String = db::rows(data, sql, &[]).iter().map(|row| format!("\n{};\n", row[0])).collect();
    let schema = std::fs::read_to_string(root().join("sql/schema.sql")).unwrap();
    assert_eq!(schema.split_once('\n').unwrap().1, statements);
}

/// What was stored is what visitors and the owner get.
#[track_caller]
fn is_served(site: &Site, version: usize) {
    let data = site.server.data();
    let visitor = site.init_with("demo", json!({"visitor_id": VISITOR}));
    assert!(visitor.is_resumed());
    let said: Vec<_> = visitor.messages().iter().map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(said, [QUESTION, "Yes, in three sizes.", "And strings?", "Half an ans"]);
    visitor.ask("And today?").done();
    assert!(told(&data, &["conversations", "export", "--format", "json"]).contains(QUESTION));
    wait_until("it is found", || {
        let found = told(&data, &["conversations", "list", "--search", "alpine", "--format", "json"]);
        serde_json::from_str::<Value>(&found).unwrap()["conversations"].as_array().unwrap().len() == 1
    });
    if version >= 2 {
        let leads: Value = serde_json::from_str(&told(&data, &["leads", "list", "--format", "json"])).unwrap();
        let emails: BTreeSet<_> =
            leads["leads"].as_array().unwrap().iter().map(|lead| lead["email"].as_str().unwrap()).collect();
        assert_eq!(emails, BTreeSet::from(["ann@example.com", "bob@example.com"]));
        assert!(told(&data, &["leads", "export"]).contains("Kites & Co"));
    }
    if version >= 3 {
        assert!(told(&data, &["visitor", "export", VISITOR]).contains("launcher_open"));
    }
    if version >= 4 {
        site.call(&crate::support::site::init_request("other", json!({})).origin("https://other.example")).expect(200);
        assert!(site.get("/readyz").text().contains("other"), "it is still paused");
    }
    if version >= 5 {
        assert!(told(&data, &["webhook", "list"]).contains("crm"));
    }
}

#[test]
fn a_database_of_each_earlier_version_is_served_with_all_that_is_in_it() {
    let newest = steps().len();
    for version in 1..=newest {
        let folder = Folder::new();
        let data = folder.path().join("data");
        let before = make(&data, version);
        let columns = columns(&data);
        let mut site = site_on(folder);
        is_all_there(&data, &columns, &before, version);
        is_whole_and_current(&data);
        is_served(&site, version);
        let copy = data.join(format!("widgetd.db.before-{version}"));
        assert_eq!(copy.exists(), version < newest, "a copy of version {version}");
        if version == newest {
            continue;
        }
        site.server.wait_for_line("is kept as");
        // Back to where it was, and on again.
        stop(&mut site);
        let restored = told(&data, &["restore", "--yes", copy.to_str().unwrap()]);
        assert!(restored.contains("older widgetd"), "{restored}");
        assert_eq!(version_of(&data.join("widgetd.db")), version);
        assert_eq!(contents(&data, &columns), before);
        site.server.start_again();
        is_all_there(&data, &columns, &before, version);
        is_whole_and_current(&data);
    }
}

#[test]
fn without_room_for_a_copy_the_tables_are_brought_up_to_date_all_the_same() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let disk = Disk::mount(&data, 8 << 10);
    make(&data, 5);
    let connection = Connection::open(data.join("widgetd.db")).unwrap();
    connection
        .execute_batch("update messages set content = hex(randomblob(500000)) where question_id is not null")
        .unwrap();
    drop(connection);
    disk.fill_but(2 << 10);
    let site = site_on(folder);
    site.server.wait_for_line("no room to keep a copy");
    let names: Vec<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_str().unwrap().contains("before")), "{names:?}");
    is_whole_and_current(&data);
    assert_eq!(site.init_with("demo", json!({"visitor_id": VISITOR})).messages().len(), 4);
}

#[test]
fn before_its_first_start_an_older_database_can_be_backed_up_and_nothing_else() {
    let folder = Folder::new();
    let data = folder.path().join("data");
    let before = make(&data, 5);
    folder.write("widget.toml", &Config::new("http://127.0.0.1:9/v1").to_toml());
    let (code, words) = run(&data, &["leads", "list"]);
    assert_eq!(code, Some(1));
    assert!(words.contains("version 5, this one knows") && words.contains("start the server"), "{words}");
    let file = folder.path().join("backup.db");
    let words = told(&data, &["backup", file.to_str().unwrap()]);
    assert!(words.contains("schema version 5") && words.contains("4 messages, 2 leads, 2 events"), "{words}");
    let elsewhere = folder.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::rename(&file, elsewhere.join("widgetd.db")).unwrap();
    assert_eq!(contents(&elsewhere, &columns(&data)), before);
}

#[test]
fn a_database_of_a_newer_version_is_refused_by_all_and_left_as_it_is() {
    let mut site = Site::start();
    site.init("demo").ask("Hello").done();
    let data = site.server.data();
    let file = data.with_file_name("backup.db").to_str().unwrap().to_owned();
    stop(&mut site);
    told(&data, &["backup", &file]);
    let path = data.join("widgetd.db");
    let known = version_of(&path);
    for path in [&path, Path::new(&file)] {
        Connection::open(path).unwrap().pragma_update(None, "user_version", known as i64 + 1).unwrap();
    }
    let bytes = std::fs::read(&path).unwrap();
    let is_refused = |code: Option<i32>, words: &str| {
        let version = format!("its schema is version {}, this one knows {known}", known + 1);
        assert!(code == Some(1) && words.contains(&version) && words.contains("newer widgetd"), "{code:?} {words}");
    };
    let output = site.server.run_to_its_end();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(words.contains(data.to_str().unwrap()), "{words}");
    is_refused(output.status.code(), &words);
    let elsewhere = data.with_file_name("elsewhere.db");
    for arguments in [
        &["leads", "list"][..],
        &["stats"],
        &["visitor", "export", VISITOR],
        &["backup", elsewhere.to_str().unwrap()],
        &["restore", "--yes", &file],
    ] {
        let (code, words) = run(&data, arguments);
        is_refused(code, &words);
    }
    assert!(std::fs::read(&path).unwrap() == bytes, "not a byte of it");
    let names: BTreeSet<_> = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, BTreeSet::from(["widgetd.db".into()]));
}
