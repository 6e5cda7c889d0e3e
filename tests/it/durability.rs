//! `kill -9` in the middle of everything: what was acknowledged is there, once (the contract, sections 6, 9 and 10).

use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::CEILING;
use crate::support::client::{Connection, Request};
use crate::support::db;
use crate::support::site::{Site, Visitor};

/// What clients were told is stored.
#[derive(Default)]
struct Acknowledged {
    leads: Vec<String>,
    events: Vec<String>,
    /// Ids of visitors' messages and of whole answers, with their texts.
    messages: Vec<(String, String)>,
}

/// Sends one request; none when the server is gone.
fn call(site: &Site, request: &Request) -> Option<(u16, serde_json::Value)> {
    let mut connection = Connection::try_open(site.address())?;
    connection.try_call(request)
}

/// Posts leads, events and messages until the server is gone.
fn load(site: &Site, visitor: &Visitor, thread: usize, acknowledged: &Mutex<Acknowledged>, told: &Sender<()>) {
    for n in 0.. {
        let name = format!("t{thread}n{n}");
        let (path, body) = match n % 3 {
            0 => ("leads", json!({"email": format!("{name}@example.com")})),
            1 => ("events", json!({"type": "custom.load", "id": name})),
            _ => ("messages", json!({"content": format!("Question {name}"), "client_message_id": name})),
        };
        let request = visitor.request(&format!("/v1/widget/{path}"), &body).header("Connection", "close");
        let Some((status, answer)) = call(site, &request) else { return };
        assert!(status < 300, "{path}: {status} {answer:#}");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let mut acknowledged = acknowledged.lock().unwrap();
        match n % 3 {
            0 => acknowledged.leads.push(format!("{name}@example.com")),
            1 => acknowledged.events.push(name),
            _ => {
                acknowledged.messages.push((text(&answer["user_message"]["id"]), format!("Question {name}")));
                acknowledged.messages.push((text(&answer["message"]["id"]), text(&answer["message"]["content"])));
            }
        }
        told.send(()).unwrap();
    }
}

#[test]
fn whatever_was_acknowledged_is_there_once_after_kill_9() {
    let mut site = Site::with(|config| {
        config.text("limits", "leads_per_token", "100000/1m").text("limits", "events_per_token", "100000/1m");
        config.set("budget", "messages", 10_000).set("budget", "tokens", 100_000_000).set(
            "budget",
            "agent_tokens_per_day",
            100_000_000,
        );
        config.agent("demo").models(&["builtin"]);
    });
    let acknowledged = Mutex::new(Acknowledged::default());
    for round in 1..=3 {
        let visitors: Vec<_> = (0..8).map(|_| site.init("demo")).collect();
        let (told, heard) = channel();
        std::thread::scope(|scope| {
            for (thread, visitor) in visitors.into_iter().enumerate() {
                let (site, acknowledged, told) = (&site, &acknowledged, told.clone());
                scope.spawn(move || load(site, &visitor, round * 100 + thread, acknowledged, &told));
            }
            // In full swing.
            for _ in 0..150 {
                heard.recv_timeout(CEILING).unwrap();
            }
            site.server.signal(Signal::KILL);
        });
        site.server.wait();
        site.server.start_again();
    }
    let acknowledged = acknowledged.into_inner().unwrap();
    assert!(acknowledged.leads.len() > 50 && acknowledged.events.len() > 50 && acknowledged.messages.len() > 50);
    let folder = site.server.data();
    let found = |sql: &str, parameter: &str| db::rows(&folder, sql, &[parameter]);
    for email in &acknowledged.leads {
        assert_eq!(found("select 1 from leads where email = ?", email).len(), 1, "{email}");
    }
    for id in &acknowledged.events {
        assert_eq!(found("select 1 from events where client_id = ?", id).len(), 1, "{id}");
    }
    for (id, content) in &acknowledged.messages {
        let rows = found("select content from messages where lower(hex(id)) = ?", &id.replace('-', ""));
        assert_eq!(rows, [[content.clone()]], "{id}");
    }
    assert_eq!(
        found("select integrity_check from pragma_integrity_check where integrity_check <> ?", "ok"),
        Vec::<Vec<String>>::new()
    );
    assert_eq!(db::count(&folder, "select count(*) from pragma_foreign_key_check"), 0);
}

#[test]
fn nothing_is_acknowledged_before_its_commit() {
    let site = Site::start();
    let visitors: Vec<_> = (0..4).map(|_| site.init("demo")).collect();
    // From here on the model has a connection that waits for the next question.
    visitors[3].ask("Hello").done();
    let requests = [
        visitors[0].request("/v1/widget/messages/stream", &json!({"content": "Hello"})),
        visitors[1].request("/v1/widget/leads", &json!({"email": "ann@example.com"})),
        visitors[2].request("/v1/widget/events", &json!({"type": "dismiss"})),
    ];
    // Nobody else can commit while this is held.
    let lock = db::lock(&site.server.data());
    let mut connections = requests.each_ref().map(|request| {
        let mut connection = site.connect();
        connection.send(request);
        connection
    });
    site.model.wait_for_requests(2);
    for connection in &mut connections {
        assert!(connection.is_silent_for(Duration::from_millis(200)), "answered before its commit");
    }
    drop(lock);
    for (connection, status) in connections.iter_mut().zip([200, 201, 202]) {
        assert_eq!(connection.read_head().unwrap().status, status);
    }
}

#[test]
fn a_message_that_was_announced_is_there_after_kill_9() {
    let mut site = Site::start();
    site.model.will_hang_after(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    let start = stream.expect("start");
    stream.expect("token");
    site.kill_and_restart();
    assert!(stream.by_ref().all(|event| event.name == "token") && !stream.is_complete);
    let back = site.resume(&visitor);
    assert_eq!(back.messages()[0]["id"], start.data["user_message_id"]);
    assert_eq!(back.messages()[0]["content"], "Hello");
    // Nobody answers it any more: the conversation goes on.
    back.ask("Are you there?").done();
}

#[test]
fn what_was_reserved_when_it_died_stays_charged() {
    let mut site = Site::start();
    site.model.will_hang_after(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    site.kill_and_restart();
    let budget = site.resume(&visitor).answer["budget"].clone();
    assert_eq!(budget["messages_remaining"], 59);
    assert!(budget["tokens_remaining"].as_u64().unwrap() <= 40_000 - 800, "{budget}");
}

#[test]
fn a_database_of_a_newer_version_is_refused_with_a_clear_message() {
    let mut site = Site::start();
    site.init("demo").ask("Hello").done();
    site.server.signal(Signal::TERM);
    site.server.wait();
    let path = site.server.data().join("widgetd.db");
    let database = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = database.query_row("pragma user_version", [], |row| row.get(0)).unwrap();
    assert!(version > 0);
    database.pragma_update(None, "user_version", version + 1).unwrap();
    drop(database);
    let output = site.server.run_to_its_end();
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("newer") && told.contains(path.parent().unwrap().to_str().unwrap()), "{told}");
}
