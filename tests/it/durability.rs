//! What is told after a commit and what a crash leaves, case by case (the contract, sections 6, 9 and 10). `kill` does it
//! at random.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::db;
use crate::support::site::Site;

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

/// Whoever may write into the folder is not to choose which file of the server's user is written to.
#[test]
fn a_link_in_place_of_the_database_is_not_followed() {
    let mut site = Site::start();
    site.server.signal(Signal::TERM);
    site.server.wait();
    let path = site.server.data().join("widgetd.db");
    for (name, bytes) in [("elsewhere", Some(b"Not a database.")), ("nowhere", None)] {
        let target = site.server.data().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&target, bytes).unwrap();
        }
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let output = site.server.run_to_its_end();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("cannot open the database") && !told.contains("panicked"), "{told}");
        assert_eq!(std::fs::read(&target).ok().as_deref(), bytes.map(|bytes| &bytes[..]), "{name} was touched");
    }
}
