//! Backups and what is restored from them: under load, under `kill -9`, on a disk that is full, and from files that are
//! no backups.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::process::Signal;
use serde_json::json;

use crate::kill::ledger::Ledger;
use crate::kill::load::Client;
use crate::kill::{self, Random};
use crate::support::server::widgetd;
use crate::support::site::Site;
use crate::support::{CEILING, db};

/// A command of the owner's on the data of this site.
fn command(site: &Site, arguments: &[&str]) -> Command {
    let data = site.server.data();
    let mut command = widgetd();
    command.arg("--config").arg(data.with_file_name("widget.toml")).arg("--data").arg(&data).args(arguments);
    command.stdin(Stdio::null());
    command
}

#[track_caller]
fn succeeds(site: &Site, arguments: &[&str]) -> String {
    let output = command(site, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that must fail says.
#[track_caller]
fn fails(site: &Site, arguments: &[&str]) -> String {
    let output = command(site, arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", told(&output));
    told(&output)
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Beside the data folder.
fn beside(site: &Site, name: &str) -> String {
    site.server.data().with_file_name(name).to_str().unwrap().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn stop(site: &mut Site) {
    site.server.signal(Signal::TERM);
    assert_eq!(site.server.wait().code(), Some(0));
}

/// Removes the database with all that SQLite keeps beside it.
fn destroy(data: &Path) {
    for name in names(data).iter().filter(|name| name.starts_with("widgetd.db")) {
        std::fs::remove_file(data.join(name)).unwrap();
    }
}

fn one_number(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Backs up again and again while visitors write, the server is killed, its database destroyed, and the last backup takes
/// its place. Its promise: all that was acknowledged before that backup began.
#[test]
fn a_destroyed_database_comes_back_with_all_that_was_acknowledged_before_the_backup() {
    let mut site = kill::site();
    let regular = site.init("demo");
    regular.ask("c99n1").done();
    let mut random = Random(1);
    let mut clients: Vec<_> = (0..6).map(|n| Client::new(&site, n, Random(random.next()))).collect();
    let (ledger, file) = (Mutex::new(Ledger::default()), beside(&site, "backup.db"));
    let mut promised = Ledger::default();
    let (sender, heard) = channel();
    std::thread::scope(|scope| {
        for client in &mut clients {
            let (sender, ledger) = (sender.clone(), &ledger);
            scope.spawn(move || client.go_on(ledger, &sender));
        }
        drop(sender);
        for _ in 0..4 {
            for _ in 0..60 {
                heard.recv_timeout(CEILING).expect("the load flows");
            }
            promised = ledger.lock().unwrap().clone();
            let told = succeeds(&site, &["backup", &file, "--overwrite"]);
            assert!(told.contains("holds     ") && told.contains("found whole"), "{told}");
        }
        for _ in 0..60 {
            heard.recv_timeout(CEILING).expect("the load flows during and after a backup");
        }
        site.server.signal(Signal::KILL);
    });
    site.server.wait();
    let data = site.server.data();
    destroy(&data);
    let told = succeeds(&site, &["restore", &file]);
    assert!(told.contains("restored in"), "{told}");
    assert_eq!(names(&data), ["widgetd.db"]);
    site.server.start_again();
    let problems = promised.compare(&data);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let back = site.resume(&regular);
    assert!(back.is_resumed() && back.messages().len() == 2, "{:#}", back.answer);
    back.ask("c99n2").done();
    site.init("demo").lead(&json!({"email": "new@example.com"})).expect(201);
    site.get("/readyz").expect(200);
}

#[test]
fn a_backup_is_for_its_owner_alone_and_says_what_it_holds() {
    let site = Site::start();
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    let file = beside(&site, "backup.db");
    let told = succeeds(&site, &["backup", &file]);
    assert!(told.contains("1 conversations, 2 messages, 1 leads, 1 events"), "{told}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fails(&site, &["backup", &file]).contains("is there already"));
    let folder = beside(&site, "backups");
    assert!(fails(&site, &["backup", "--folder", &folder]).contains("there is no folder"));
    std::fs::create_dir(&folder).unwrap();
    for kept in [1, 2, 2] {
        let told = succeeds(&site, &["backup", "--folder", &folder, "--keep", "2"]);
        assert!(told.contains(&format!("kept      {kept} in")), "{told}");
    }
    assert_eq!(names(Path::new(&folder)).len(), 2);
    let usage = command(&site, &["backup"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(2));
    assert!(self::told(&usage).contains("--folder"), "{}", self::told(&usage));
}

#[test]
fn nothing_is_restored_while_the_server_runs_nor_unasked() {
    let mut site = Site::start();
    site.init("demo").ask("Hello").done();
    let file = beside(&site, "backup.db");
    succeeds(&site, &["backup", &file]);
    let told = fails(&site, &["restore", "--yes", &file]);
    assert!(told.contains("a server is using") && told.contains("stop it first"), "{told}");
    site.init("demo").ask("Still here").done();
    stop(&mut site);
    assert!(fails(&site, &["restore", &file]).contains("--yes"));
    let before = names(&site.server.data());
    assert!(
        fails(&site, &["restore", "--yes", &beside(&site, "widget.toml")]).contains("is not a database of widgetd")
    );
    assert_eq!(names(&site.server.data()), before);
    succeeds(&site, &["restore", "--yes", &file]);
    let aside = names(&site.server.data()).into_iter().find(|name| name.contains(".before-restore-")).unwrap();
    let count = "select count(*) from messages";
    assert_eq!(one_number(&site.server.data().join(aside), count), 4, "what was there is kept");
    site.server.start_again();
    assert_eq!(db::count(&site.server.data(), count), 2);
}

/// So many rows that a copy takes a while.
fn fill(data: &Path) {
    let connection = Connection::open(data.join("widgetd.db")).unwrap();
    connection
        .execute_batch(
            "insert into visitors values (x'01', 'demo', 1);
         insert into conversations (id, visitor_id, agent_id, created_at_ms, active_at_ms)
             values (x'11', x'01', 'demo', 1, unixepoch() * 1000);
         insert into messages (id, conversation_id, role, content, created_at_ms)
             with recursive n (n) as (select 1 union all select n + 1 from n where n < 8000)
             select randomblob(16), x'11', 'user', hex(randomblob(400)), unixepoch() * 1000 from n;",
        )
        .unwrap();
}

/// Starts the command, and kills it so long after it `has_come` to somewhere or to its end.
fn kill_once(mut command: Command, has_come: impl Fn() -> bool, after: Duration) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + CEILING;
    while !has_come() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it neither comes there nor ends");
        std::hint::spin_loop();
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_backup_that_is_killed_leaves_no_file_and_the_next_one_removes_what_it_began() {
    let mut site = Site::start();
    stop(&mut site);
    fill(&site.server.data());
    let (folder, file) = (beside(&site, "backups"), beside(&site, "backups/backup.db"));
    std::fs::create_dir(&folder).unwrap();
    let is_begun = || names(Path::new(&folder)) == [".backup.db.part"];
    let deadline = Instant::now() + CEILING;
    while !is_begun() {
        assert!(Instant::now() < deadline, "it always ends before it can be killed");
        // Of one that was quicker than we.
        let _ = std::fs::remove_file(&file);
        kill_once(command(&site, &["backup", &file]), is_begun, Duration::ZERO);
    }
    succeeds(&site, &["backup", &file]);
    assert_eq!(names(Path::new(&folder)), ["backup.db"]);
    // And at other moments: there is none, or all of it.
    std::fs::remove_file(&file).unwrap();
    let begun = Instant::now();
    succeeds(&site, &["backup", &file]);
    let took = begun.elapsed().as_micros() as u64;
    let mut random = Random(7);
    for _ in 0..8 {
        std::fs::remove_file(&file).unwrap();
        kill_once(command(&site, &["backup", &file]), || true, Duration::from_micros(random.below(took)));
        if Path::new(&file).exists() {
            assert_eq!(one_number(Path::new(&file), "select count(*) from messages"), 8_000);
        } else {
            succeeds(&site, &["backup", &file]);
        }
    }
}

/// Puts a mark into the log of the database, and leaves it there as a killed server would.
fn mark_in_log(data: &Path) {
    let connection = Connection::open(data.join("widgetd.db")).unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    connection.query_row("pragma journal_mode = wal", [], |_| Ok(())).unwrap();
    connection.execute("insert or ignore into paused_agents values ('old', 1)", []).unwrap();
}

/// Sixteen kills; `RESTORE_KILLS=200 cargo test --test it backup::a_restore -- --nocapture` is the long form.
#[test]
fn a_restore_that_is_killed_leaves_the_old_database_or_the_new_one_whole() {
    const IS_OLD: &str = "select count(*) from paused_agents where agent_id = 'old'";
    const IS_BROKEN: &str = "select count(*) from pragma_integrity_check where integrity_check <> 'ok'";
    let mut site = Site::start();
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    let (data, file) = (site.server.data(), beside(&site, "backup.db"));
    stop(&mut site);
    fill(&data);
    succeeds(&site, &["backup", &file]);
    let asides =
        || names(&data).into_iter().filter(|name| name.contains(".before-restore-")).map(|name| data.join(name));
    let begun = Instant::now();
    succeeds(&site, &["restore", "--yes", &file]);
    let took = begun.elapsed().as_micros() as u64;
    asides().for_each(|aside| std::fs::remove_file(aside).unwrap());
    let kills = std::env::var("RESTORE_KILLS").map_or(16, |text| text.parse().unwrap());
    let (mut random, mut olds, mut betweens) = (Random(11), 0, 0);
    for kill in 0..kills {
        mark_in_log(&data);
        let restore = command(&site, &["restore", "--yes", &file]);
        if kill % 2 == 0 {
            kill_once(restore, || true, Duration::from_micros(random.below(took)));
        } else {
            // Just before the new one takes its place, and just after.
            kill_once(restore, || asides().count() > 0, Duration::from_micros(random.below(4000)));
        }
        let database = data.join("widgetd.db");
        assert_eq!(one_number(&database, "select count(*) from messages"), 8_002);
        assert_eq!(one_number(&database, IS_BROKEN), 0);
        let was_old = one_number(&database, IS_OLD) == 1;
        assert!(was_old || asides().count() == 1, "the old one is kept");
        olds += i32::from(was_old);
        betweens += i32::from(was_old && asides().count() == 1);
        for aside in asides() {
            assert_eq!(one_number(&aside, IS_OLD), 1, "with what was in its log");
            std::fs::remove_file(aside).unwrap();
        }
    }
    println!("{kills} kills: the old one was there {olds} times, {betweens} times under both names");
    succeeds(&site, &["restore", "--yes", &file]);
    assert_eq!(one_number(&data.join("widgetd.db"), IS_OLD), 0);
    site.server.start_again();
    assert_eq!(site.resume(&visitor).messages().len(), 2);
    assert!(!names(&data).iter().any(|name| name.ends_with(".part")), "{:?}", names(&data));
}

#[test]
fn a_disk_that_is_full_is_named_and_nothing_half_made_is_left_on_it() {
    let (mut site, disk) = Site::on_disk(16 << 10, |config| {
        config.text("storage", "free_disk_floor", "0 B");
    });
    site.init("demo").ask("Hello").done();
    let data = site.server.data();
    stop(&mut site);
    let file = beside(&site, "backup.db");
    succeeds(&site, &["backup", &file]);
    // A folder of the small disk that is not the data folder itself.
    let folder = data.join("backups");
    std::fs::create_dir(&folder).unwrap();
    disk.fill_but(64);
    let told = fails(&site, &["backup", folder.join("backup.db").to_str().unwrap()]);
    assert!(told.contains("cannot copy") && told.contains("the disk is full"), "{told}");
    assert!(names(&folder).is_empty());
    let before = names(&data);
    let told = fails(&site, &["restore", "--yes", &file]);
    assert!(told.contains("cannot write in") && told.contains("No space left"), "{told}");
    assert_eq!(names(&data), before);
    disk.make_room();
    site.server.start_again();
    assert_eq!(db::count(&data, "select count(*) from messages"), 2);
}
