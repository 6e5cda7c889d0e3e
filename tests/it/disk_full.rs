//! A disk without room (the contract, section 10): refused is what cannot be stored, kept is what was acknowledged, and
//! nothing needs a restart when there is room again. Each test has a disk of its own of a few MB.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::Response;
use crate::support::config::Config;
use crate::support::db;
use crate::support::site::{Site, Visitor};
use crate::support::{CEILING, wait_until};

const DISK_KIB: u32 = 4096;

/// Events go as far as everything else does.
fn without_floor(config: &mut Config) {
    config.text("storage", "free_disk_floor", "0 B");
    config.text("limits", "leads_per_token", "100000/1m");
}

#[track_caller]
fn is_refused(response: &Response) {
    response.refused(503, "overloaded");
    response.retry_after();
}

/// Until storage is ready, or is not.
fn wait_for_readiness(site: &Site, status: u16) {
    let deadline = Instant::now() + CEILING;
    while site.get("/readyz").status != status {
        assert!(Instant::now() < deadline, "/readyz is not {status}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_whole(site: &Site) {
    let folder = site.server.data();
    assert_eq!(db::rows(&folder, "select integrity_check from pragma_integrity_check", &[]), [["ok"]]);
    assert_eq!(db::count(&folder, "select count(*) from pragma_foreign_key_check"), 0);
}

fn contents(visitor: &Visitor) -> Vec<&str> {
    visitor.messages().iter().map(|message| message["content"].as_str().unwrap()).collect()
}

#[test]
fn a_full_disk_refuses_every_write_and_keeps_what_it_has() {
    let (mut site, disk) = Site::on_disk(DISK_KIB, without_floor);
    let visitor = site.init("demo");
    visitor.ask("Before").done();
    visitor.lead(&json!({"email": "before@example.com"})).expect(201);
    visitor.event(&json!({"type": "dismiss", "id": "before"})).expect(202);
    disk.fill();
    let newcomer = site.init("demo");
    for visitor in [&visitor, &newcomer] {
        is_refused(&visitor.refused(&json!({"content": "Meanwhile"})));
        is_refused(&visitor.say("Meanwhile"));
        is_refused(&visitor.lead(&json!({"email": "before@example.com", "name": "Meanwhile"})));
        is_refused(&visitor.lead(&json!({"email": "meanwhile@example.com"})));
        is_refused(&visitor.event(&json!({"type": "dismiss", "id": "meanwhile"})));
        is_refused(&visitor.event(&json!({"events": vec![json!({"type": "dismiss"}); 50]})));
    }
    site.get("/healthz").expect(200);
    assert_eq!(site.get("/readyz").expect(503)["storage"], "unavailable");
    assert_eq!(contents(&site.resume(&visitor))[0], "Before", "what is stored can be read");
    let line = site.server.wait_for_line("commits fail");
    assert!(line.contains("the disk is full"), "{line}");

    disk.make_room();
    wait_for_readiness(&site, 200);
    visitor.ask("After").done();
    visitor.lead(&json!({"email": "after@example.com"})).expect(201);
    visitor.event(&json!({"type": "dismiss", "id": "after"})).expect(202);
    newcomer.say("After").expect(200);
    for _ in 0..2 {
        let folder = site.server.data();
        let said = "select content from messages where role = 'user' order by seq";
        assert_eq!(db::rows(&folder, said, &[]), [["Before"], ["After"], ["After"]]);
        let leads = "select email, coalesce(name, '') from leads order by email";
        assert_eq!(db::rows(&folder, leads, &[]), [["after@example.com", ""], ["before@example.com", ""]]);
        assert_eq!(db::rows(&folder, "select client_id from events order by seq", &[]), [["before"], ["after"]]);
        is_whole(&site);
        site.kill_and_restart();
    }
}

#[test]
fn while_the_disk_fills_and_empties_every_status_is_the_truth() {
    let (site, disk) = Site::on_disk(DISK_KIB, without_floor);
    let visitors: Vec<_> = (0..4).map(|_| site.init("demo")).collect();
    let stored = Mutex::new(BTreeSet::new());
    let refusals_wanted = 20;
    // Each visitor, until the disk is filled: on a machine that is busy that may be late, and what is stored stays there.
    let leads_before = 15;
    for round in 0..4 {
        let is_filled = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for (number, visitor) in visitors.iter().enumerate() {
                let (stored, is_filled) = (&stored, &is_filled);
                scope.spawn(move || {
                    let mut refusals = 0;
                    for n in 0.. {
                        if n == leads_before {
                            wait_until("the disk is filled", || is_filled.load(Ordering::SeqCst));
                        }
                        let email = format!("r{round}v{number}n{n}@example.com");
                        let response = visitor.lead(&json!({"email": email, "message": "x".repeat(1000)}));
                        if response.status == 201 {
                            stored.lock().unwrap().insert(email);
                        } else {
                            is_refused(&response);
                            refusals += 1;
                        }
                        if refusals == refusals_wanted {
                            return;
                        }
                    }
                });
            }
            // In the middle of it, when some are stored already.
            let before = stored.lock().unwrap().len();
            let deadline = Instant::now() + CEILING;
            while stored.lock().unwrap().len() < before + 40 {
                assert!(Instant::now() < deadline, "nothing is stored");
                std::thread::sleep(Duration::from_millis(5));
            }
            disk.fill_but(64);
            is_filled.store(true, Ordering::SeqCst);
        });
        disk.make_room();
        wait_for_readiness(&site, 200);
    }
    let rows = db::rows(&site.server.data(), "select email from leads", &[]);
    let found: BTreeSet<_> = rows.into_iter().flatten().collect();
    assert_eq!(found, stored.into_inner().unwrap(), "stored is what was acknowledged, and nothing else");
    is_whole(&site);
}

#[test]
fn an_answer_whose_end_cannot_be_stored_ends_with_an_error() {
    let (site, disk) = Site::on_disk(DISK_KIB, without_floor);
    let gate = site.model.will_hold(&["Half an ", "ans"], &["wer."]);
    let visitor = site.init("demo");
    let message = json!({"content": "Hello", "client_message_id": "m-1"});
    let mut stream = visitor.stream(&message).unwrap();
    let start = stream.expect("start").data;
    stream.expect("token");
    disk.fill();
    gate.open();
    let turn = stream.rest();
    let error = turn.failed("overloaded");
    assert_eq!((&error["retryable"], &error["retry_after"]), (&json!(true), &json!(1)));
    assert_eq!(contents(&site.resume(&visitor)), ["Hello"], "no part of the answer");
    is_refused(&visitor.refused(&message));

    disk.make_room();
    let again = visitor.stream(&message).unwrap().rest();
    again.done();
    assert_eq!(again.start()["user_message_id"], start["user_message_id"]);
    assert_eq!(contents(&site.resume(&visitor)), ["Hello", "Hello from the scripted model."]);
}

#[test]
fn a_whole_answer_that_cannot_be_stored_is_refused() {
    let (site, disk) = Site::on_disk(DISK_KIB, without_floor);
    let gate = site.model.will_hold(&["Half an ", "ans"], &["wer."]);
    let visitor = site.init("demo");
    let request = visitor.request("/v1/widget/messages", &json!({"content": "Hello"}));
    let mut connection = site.connect();
    connection.send(&request);
    // The question is committed while the model thinks: after that alone the log can be folded back.
    let deadline = Instant::now() + CEILING;
    while db::count(&site.server.data(), "select count(*) from messages") == 0 {
        assert!(Instant::now() < deadline, "the question is not stored");
        std::thread::sleep(Duration::from_millis(5));
    }
    disk.fill();
    gate.open();
    is_refused(&connection.read(&request));
    assert_eq!(contents(&site.resume(&visitor)), ["Hello"]);
}

#[test]
fn below_the_floor_events_are_refused_while_messages_and_leads_work() {
    let (site, disk) = Site::on_disk(DISK_KIB, |config| {
        config.text("storage", "free_disk_floor", "2 MiB");
    });
    let visitor = site.init("demo");
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    disk.fill_but(1024);
    // What it saw of the disk holds for a second.
    let deadline = Instant::now() + CEILING;
    let refused = loop {
        let response = visitor.event(&json!({"type": "dismiss"}));
        if response.status != 202 {
            break response;
        }
        assert!(Instant::now() < deadline, "events are still taken");
        // Few, so that the room that is left is not used up by them.
        std::thread::sleep(Duration::from_millis(100));
    };
    is_refused(&refused);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    visitor.ask("Hello").done();
    site.get("/readyz").expect(200);
    let taken = db::count(&site.server.data(), "select count(*) from events");
    disk.make_room();
    let deadline = Instant::now() + CEILING;
    while visitor.event(&json!({"type": "dismiss"})).status != 202 {
        assert!(Instant::now() < deadline, "events are still refused");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(db::count(&site.server.data(), "select count(*) from events"), taken + 1);
}

#[test]
fn a_disk_that_is_full_at_the_start_is_named_and_room_is_enough() {
    let (mut site, disk) = Site::on_disk(DISK_KIB, without_floor);
    let folder = site.server.data();
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    let stop = |site: &mut Site| {
        site.server.signal(rustix::process::Signal::TERM);
        assert_eq!(site.server.wait().code(), Some(0));
    };
    // With all of its files it starts, and serves what is stored.
    stop(&mut site);
    disk.fill();
    site.server.start_again();
    assert_eq!(site.resume(&visitor).messages().len(), 2);
    is_refused(&visitor.at(&site).say("Hello"));
    stop(&mut site);
    disk.make_room();
    // Without those that it must make first, it does not.
    for files in [&["widgetd.db-shm", "widgetd.db-wal"][..], &["widgetd.db", "widgetd.db-shm", "widgetd.db-wal"]] {
        site.server.start_again();
        stop(&mut site);
        files.iter().for_each(|file| std::fs::remove_file(folder.join(file)).unwrap());
        disk.fill();
        let output = site.server.run_to_its_end();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("the disk is full") && told.contains(folder.to_str().unwrap()), "{told}");
        disk.make_room();
    }
    site.server.start_again();
    site.init("demo").ask("Hello").done();
}
