//! Signals: SIGTERM and Ctrl-C stop in order, a second one at once, SIGHUP reads `widget.toml` again.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::fake_model::{Step, event, head};
use crate::support::CEILING;
use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::config::Agent;
use crate::support::site::{Site, init_request};

/// Until nobody accepts there any more.
fn wait_until_refused(site: &Site) {
    let deadline = Instant::now() + CEILING;
    while TcpStream::connect(site.address()).is_ok() {
        assert!(Instant::now() < deadline, "connections are still accepted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_idle_server_stops_at_once_with_code_0() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut site = Site::with(|config| {
            config.text("server", "shutdown_grace", "5m");
        });
        site.init("demo").ask("Hello").done();
        let mut idle = site.connect();
        idle.call(&Request::get("/healthz")).expect(200);
        site.server.signal(signal);
        assert_eq!(site.server.wait().code(), Some(0));
        assert!(idle.is_closed());
    }
}

#[test]
fn running_answers_may_finish() {
    let mut site = Site::with(|config| {
        config.text("server", "shutdown_grace", "5m");
    });
    let gate = site.model.will_hold(&["Nearly "], &["done."]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    stream.expect("token");
    site.server.signal(Signal::TERM);
    wait_until_refused(&site);
    gate.open();
    let turn = stream.rest();
    assert_eq!(turn.text(), "done.");
    turn.done();
    assert!(stream.is_complete);
    assert!(stream.into_connection().is_closed(), "no more requests are taken");
    assert_eq!(site.server.wait().code(), Some(0));
    site.server.start_again();
    let answer = site.resume(&visitor).messages()[1].clone();
    assert_eq!((&answer["content"], &answer["status"]), (&json!("Nearly done."), &json!("complete")));
}

#[test]
fn answers_that_take_too_long_end_with_an_error_event_and_are_kept_as_partial() {
    let mut site = Site::with(|config| {
        config.text("server", "shutdown_grace", "300ms");
    });
    site.model.will_hang_after(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    let texts = ["token", "token"].map(|name| stream.expect(name).data["text"].clone());
    assert_eq!(texts, ["Half an ", "ans"]);
    site.server.signal(Signal::TERM);
    let turn = stream.rest();
    let error = turn.events.last().unwrap();
    assert_eq!((error.name.as_str(), &error.data["code"]), ("error", &json!("shutting_down")));
    assert_eq!(error.data["retryable"], true);
    assert!(stream.is_complete, "the last chunk came");
    assert_eq!(site.server.wait().code(), Some(0));
    site.server.start_again();
    let answer = site.resume(&visitor).messages()[1].clone();
    assert_eq!((&answer["content"], &answer["status"]), (&json!("Half an ans"), &json!("partial")));
}

#[test]
fn a_model_that_thinks_without_a_word_does_not_keep_the_server_up() {
    let mut site = Site::with(|config| {
        config.text("server", "shutdown_grace", "300ms");
    });
    let Step::Send(thought) = event(&json!({"choices": [{"delta": {"reasoning_content": "hm "}}]})) else {
        panic!("a thought is sent")
    };
    site.model.script(vec![head(), Step::Repeat(thought, Duration::from_millis(20))]);
    let mut stream = site.init("demo").open("Think");
    stream.expect("start");
    site.model.wait_for_requests(1);
    site.server.signal(Signal::TERM);
    stream.rest().failed("shutting_down");
    assert_eq!(site.server.wait().code(), Some(0));
}

#[test]
fn the_synchronous_endpoint_ends_with_503() {
    let mut site = Site::with(|config| {
        config.text("server", "shutdown_grace", "300ms");
    });
    site.model.will_hang_after(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let request = visitor.request("/v1/widget/messages", &json!({"content": "Hello"}));
    let mut connection = site.connect();
    connection.send(&request);
    site.model.wait_for_requests(1);
    site.server.signal(Signal::TERM);
    connection.read(&request).refused(503, "shutting_down");
    assert_eq!(site.server.wait().code(), Some(0));
}

#[test]
fn while_it_stops_it_is_not_ready_and_takes_no_messages() {
    let mut site = Site::with(|config| {
        config.text("server", "shutdown_grace", "5m");
    });
    let gate = site.model.will_hold(&["Nearly "], &["done."]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    stream.expect("token");
    // Begun before, so that they are not idle when it stops: their ends come after.
    let late = site.init("demo");
    let readiness = Request::get("/readyz");
    let message = late.request("/v1/widget/messages", &json!({"content": "Hello"}));
    let mut connections = [site.connect(), site.connect()];
    connections[0].send_raw(b"GET /readyz HTTP/1.1\r\nHost: a\r\n").unwrap();
    let head = format!(
        "POST /v1/widget/messages HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n\
         Content-Length: 19\r\n\r\n",
        late.token()
    );
    connections[1].send_raw(head.as_bytes()).unwrap();
    // A request that came after both and was answered: both have been read.
    site.get("/healthz").expect(200);
    site.server.signal(Signal::TERM);
    wait_until_refused(&site);
    connections[0].send_raw(b"\r\n").unwrap();
    let response = connections[0].read(&readiness);
    assert_eq!((response.status, response.must("Connection")), (503, "close"));
    connections[1].send_raw(br#"{"content":"Hello"}"#).unwrap();
    connections[1].read(&message).refused(503, "shutting_down");
    gate.open();
    stream.rest().done();
    assert_eq!(site.server.wait().code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let mut site = Site::with(|config| {
        config.text("server", "shutdown_grace", "5m");
    });
    site.model.will_hang_after(&["Half an ", "ans"]);
    let mut stream = site.init("demo").open("Hello");
    for name in ["start", "token", "token"] {
        stream.expect(name);
    }
    site.server.signal(Signal::TERM);
    wait_until_refused(&site);
    site.server.signal(Signal::TERM);
    assert_ne!(site.server.wait().code(), Some(0), "not all was finished");
    assert!(stream.next().is_none() && !stream.is_complete);
}

#[test]
fn a_reload_changes_agents_and_origins_and_drops_no_stream() {
    let mut site = Site::start();
    let gate = site.model.will_hold(&["Nearly "], &["done."]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    stream.expect("token");
    site.reload(|config| {
        config.agent("demo").text("greeting", "Good evening!").origins(&["https://new.example"]);
        config.remove_agent("other").add_agent(Agent::new("third", ORIGIN));
    });
    site.server.wait_for_line("reloaded");
    let init = |agent: &str, origin: &str| site.call(&init_request(agent, json!({})).origin(origin));
    assert_eq!(init("demo", "https://new.example").expect(200)["agent"]["greeting"], "Good evening!");
    init("demo", ORIGIN).refused(403, "origin_not_allowed");
    init("other", "https://other.example").refused(404, "agent_not_found");
    init("third", ORIGIN).expect(200);
    visitor.say("Hello").refused(403, "origin_not_allowed");
    gate.open();
    let turn = stream.rest();
    assert_eq!(turn.text(), "done.");
    turn.done();
}

#[test]
fn a_reload_changes_limits_and_models() {
    let mut site = Site::start();
    let second = crate::support::model::Model::start();
    site.init("demo").ask("Hello").done();
    let url = second.url();
    site.reload(|config| {
        config.text("limits", "events_per_token", "1/1m").model("fake", &url);
    });
    site.server.wait_for_line("reloaded");
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    assert_eq!((site.model.requests().len(), second.requests().len()), (1, 1));
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    visitor.event(&json!({"type": "dismiss"})).refused(429, "rate_limited");
}

#[test]
fn a_bad_file_is_refused_and_the_old_one_stays() {
    let mut site = Site::start();
    site.reload(|config| {
        config.agent("demo").text("greeting", "Never said.").origins(&["www.example.com/"]);
    });
    site.server.wait_for_line("allowed_origins");
    site.server.wait_for_line("not reloaded");
    assert_ne!(site.init("demo").answer["agent"]["greeting"], "Never said.");
    site.server.reload("this is no TOML");
    site.server.wait_for_line("expected `=`");
    site.init("demo").ask("Hello").done();
    site.reload(|config| {
        config.agent("demo").text("greeting", "Said at last.").origins(&[ORIGIN]);
    });
    site.server.wait_for_line("toml reloaded");
    assert_eq!(site.init("demo").answer["agent"]["greeting"], "Said at last.");
}
