//! Receivers that are down, slow, or not where they should be; and a server that dies or stops meanwhile.

use std::net::TcpListener;

use rustix::process::Signal;
use serde_json::json;

use super::{ENVIRONMENT, Receiver, deliveries, json_to, run, site_with, text, wait_for};
use crate::fake_model::Step;
use crate::support::site::Site;
use crate::support::{db, wait_until};

#[test]
fn what_was_committed_is_delivered_after_kill_9_under_the_same_ids() {
    let receiver = Receiver::start();
    let mut site = site_with(&json_to(&receiver));
    let _never_opened = receiver.will_hold();
    site.init("demo").lead(&json!({"email": "ann@example.com"})).expect(201);
    let first = receiver.nth(0);
    site.kill_and_restart();
    let second = receiver.nth(1);
    for name in ["X-Widgetd-Delivery", "X-Widgetd-Event-Id", "X-Widgetd-Event"] {
        assert_eq!(first.header(name), second.header(name));
    }
    assert_eq!(first.raw, second.raw);
    wait_for(&site, "status, attempts", &[&["delivered", "1"]]);
}

#[test]
fn an_attempt_that_is_under_way_when_the_server_stops_is_waited_for() {
    let receiver = Receiver::start();
    let mut site = site_with(&json_to(&receiver));
    let gate = receiver.will_hold();
    let visitor = site.init("demo");
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    receiver.wait_for_requests(1);
    visitor.lead(&json!({"email": "bob@example.com"})).expect(201);
    site.server.signal(Signal::TERM);
    site.server.wait_for_line("stopping");
    gate.open();
    assert!(site.server.wait().success());
    assert_eq!(deliveries(&site, "status"), [["delivered"], ["pending"]], "and nothing more was begun");
    site.server.start_again();
    assert_eq!(receiver.nth(1).body["lead"]["email"], "bob@example.com");
}

#[test]
fn a_receiver_that_is_down_is_told_later_also_by_the_next_process() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let lines = format!("url = \"http://{address}/v1\"\nallow_private = true\nsecret_env = \"WEBHOOK_SECRET\"");
    let mut site = site_with(&lines);
    site.init("demo").lead(&json!({"email": "ann@example.com"})).expect(201);
    wait_until("a first attempt", || deliveries(&site, "attempts") == [["1"]]);
    let row = deliveries(&site, "status, last_error, next_attempt_at_ms - created_at_ms").remove(0);
    assert_eq!(row[0], "pending");
    assert!(row[1].contains("refused"), "{row:?}");
    assert!((8_000..20_000).contains(&row[2].parse::<i64>().unwrap()), "{row:?}");
    site.server.wait_for_line("cannot be told");
    site.kill_and_restart();
    let receiver = Receiver::start_on(&address);
    assert_eq!(receiver.nth(0).body["lead"]["email"], "ann@example.com");
    wait_for(&site, "status, attempts, next_attempt_at_ms", &[&["delivered", "2", ""]]);
}

#[test]
fn a_receiver_is_left_alone_for_as_long_as_it_asks() {
    let receiver = Receiver::start();
    let mut site = site_with(&json_to(&receiver));
    receiver.will_answer(429, &[("Retry-After", "1800")], "slow\ndown");
    let visitor = site.init("demo");
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    wait_for(&site, "status, last_error", &[&["pending", "it answered 429: \"slow down\""]]);
    let wait = deliveries(&site, "next_attempt_at_ms - created_at_ms").remove(0).remove(0);
    assert!((1_800_000..1_860_000).contains(&wait.parse::<i64>().unwrap()), "{wait}");
    // Nor with anything else.
    visitor.lead(&json!({"email": "bob@example.com"})).expect(201);
    site.reload(|config| {
        config.webhook("other", "url = \"https://localhost:1/\"\nformat = \"slack\"");
    });
    site.server.wait_for_line("widget.toml reloaded");
    visitor.lead(&json!({"email": "eve@example.com"})).expect(201);
    wait_until("a turn of the other", || {
        deliveries(&site, "webhook, attempts").contains(&vec!["other".into(), "1".into()])
    });
    assert_eq!(receiver.requests().len(), 1);
}

#[test]
fn one_that_hangs_holds_up_the_others_for_one_attempt_at_most() {
    let (hanging, other) = (Receiver::start(), Receiver::start());
    hanging.always(|_| vec![Step::Hang]);
    let mut site = Site::with_environment(&ENVIRONMENT, |config| {
        config.webhook("a-hanging", &json_to(&hanging));
        config.webhook("other", &json_to(&other));
    });
    let visitor = site.init("demo");
    for name in ["ann", "bob", "eve"] {
        visitor.lead(&json!({"email": format!("{name}@example.com")})).expect(201);
    }
    // The first attempt still hangs: so now there are three for each of them.
    hanging.wait_for_requests(1);
    site.kill_and_restart();
    other.wait_for_requests(3);
    assert_eq!(hanging.requests().len(), 2);
    let errors = deliveries(&site, "last_error");
    assert!(errors.contains(&vec!["it did not answer within 10 seconds".to_owned()]), "{errors:?}");
}

#[test]
fn a_redirect_is_not_followed() {
    let (receiver, elsewhere) = (Receiver::start(), Receiver::start());
    let site = site_with(&json_to(&receiver));
    for status in [301, 302, 307, 308] {
        receiver.will_answer(status, &[("Location", &elsewhere.url())], "");
    }
    let visitor = site.init("demo");
    for number in 0..4 {
        visitor.lead(&json!({"email": format!("{number}@example.com")})).expect(201);
    }
    wait_until("four attempts", || deliveries(&site, "status, attempts") == vec![["pending", "1"]; 4]);
    assert!(deliveries(&site, "last_error").iter().all(|row| row[0].contains("redirect")));
    assert_eq!((receiver.requests().len(), elsewhere.connections()), (4, 0));
}

#[test]
fn a_name_that_leads_into_a_private_network_is_refused_after_it_was_looked_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let site = site_with(&format!("url = \"https://localhost:{port}/hook\"\nsecret_env = \"WEBHOOK_SECRET\""));
    site.init("demo").lead(&json!({"email": "ann@example.com"})).expect(201);
    wait_until("an attempt", || deliveries(&site, "status, attempts") == [["pending", "1"]]);
    let error = deliveries(&site, "last_error").remove(0).remove(0);
    assert!(error.starts_with("localhost leads to ") && error.contains("allow_private = true"), "{error}");
    let tried = run(&site, &["test", "crm"]);
    assert_eq!(tried.status.code(), Some(1));
    assert!(text(&tried).contains("localhost leads to "), "{}", text(&tried));
    assert!(listener.accept().is_err(), "nobody has connected");
}

#[test]
fn what_was_told_is_not_told_again_because_it_could_not_be_noted() {
    let receiver = Receiver::start();
    let site = site_with(&json_to(&receiver));
    let gate = receiver.will_hold();
    site.init("demo").lead(&json!({"email": "ann@example.com"})).expect(201);
    receiver.wait_for_requests(1);
    let lock = db::lock(&site.server.data());
    gate.open();
    site.server.wait_for_line("cannot be noted");
    drop(lock);
    wait_for(&site, "status, attempts", &[&["delivered", "1"]]);
    assert_eq!(receiver.requests().len(), 1);
}
