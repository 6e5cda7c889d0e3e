//! `GET /v1/widget/stream-test`: a stream whose moments are known, by which `widgetd doctor` judges what is between.

use std::time::Duration;

use serde_json::json;

use crate::support::client::Request;
use crate::support::db;
use crate::support::site::{Shared, Site, Visitor};
use crate::support::tokens::Forgery;
use crate::support::{ORIGIN, wait_until};

static SITE: Shared = Shared::new(Site::start);

fn request(visitor: &Visitor) -> Request {
    Request::get("/v1/widget/stream-test").bearer(visitor.token()).origin(ORIGIN)
}

#[test]
fn five_events_come_one_after_the_other_as_the_server_says() {
    let site = SITE.get();
    let mut stream = site.connect().stream(&request(&site.init("demo"))).expect("a stream");
    for name in ["Access-Control-Allow-Origin", "X-Accel-Buffering", "RateLimit"] {
        stream.head.must(name);
    }
    let events = stream.rest().events;
    let names: Vec<_> = events.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["seen", "tick", "tick", "tick", "tick"]);
    for (number, event) in (1..).zip(&events) {
        assert_eq!(event.data["number"], number);
    }
    let told = events[4].data["ms"].as_u64().unwrap();
    assert!((600..5000).contains(&told), "{told} ms");
    let arrived = events[4].received - events[0].received;
    assert!(arrived >= Duration::from_millis(400), "{arrived:?} from the first to the last");
    assert_eq!(stream.into_connection().call(&Request::get("/healthz")).status, 200, "the connection goes on");
}

#[test]
fn the_first_event_tells_as_whom_the_client_is_counted() {
    let says = |trusted: &str, forwarded: Option<&str>| {
        let site = Site::with(|config| {
            config.set("server", "trusted_proxies", trusted);
        });
        let request = request(&site.init("demo"));
        let request = forwarded.iter().fold(request, |request, word| request.header("X-Forwarded-For", word));
        let data = site.connect().stream(&request).expect("a stream").expect("seen").data;
        (data["client"].as_str().unwrap().to_owned(), data["forwarded_for"].as_str().unwrap().to_owned())
    };
    let check = |found: (String, String), client: &str, word: &str| assert_eq!(found, (client.into(), word.into()));
    check(says("[]", None), "127.0.0.1", "absent");
    check(says("[]", Some("192.0.2.7")), "127.0.0.1", "ignored");
    check(says("[\"127.0.0.1\"]", Some("192.0.2.7")), "192.0.2.7", "believed");
    check(says("[\"127.0.0.1\"]", Some("2001:db8:1:2:3::4")), "2001:db8:1:2::/64", "believed");
}

#[test]
fn it_needs_a_token_and_an_origin_that_is_allowed() {
    let site = SITE.get();
    let visitor = site.init("demo");
    site.call(&Request::get("/v1/widget/stream-test").origin(ORIGIN)).refused(401, "missing_token");
    let expired = Forgery::of(visitor.token()).issued_ago(4000).sign();
    site.call(&Request::get("/v1/widget/stream-test").bearer(&expired)).refused(401, "expired_token");
    let elsewhere = Request::get("/v1/widget/stream-test").bearer(visitor.token()).origin("https://www.example.net");
    site.call(&elsewhere).refused(403, "origin_not_allowed");
    let post = Request::post("/v1/widget/stream-test", &json!({})).bearer(visitor.token());
    site.call(&post).refused(405, "method_not_allowed");
}

#[test]
fn it_counts_as_a_message_does() {
    let site = Site::with(|config| {
        config.text("limits", "messages_per_address", "2/1m");
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    site.connect().stream(&request(&visitor)).expect("a stream").rest();
    site.call(&request(&visitor)).refused(429, "rate_limited");
    visitor.say("Hello").refused(429, "rate_limited");
}

#[test]
fn it_holds_one_of_the_places_for_answers_and_gives_it_back() {
    let site = Site::with(|config| {
        config.set("server", "generations", 1);
    });
    let visitor = site.init("demo");
    let mut running = site.connect().stream(&request(&visitor)).expect("a stream");
    running.expect("seen");
    site.call(&request(&visitor)).refused(503, "overloaded");
    running.rest();
    wait_until("its place is free", || {
        site.connect().stream(&request(&visitor)).is_ok_and(|mut stream| stream.rest().events.len() == 5)
    });
}

#[test]
fn a_client_that_leaves_frees_its_place_at_once() {
    let site = Site::with(|config| {
        config.set("server", "generations", 1);
    });
    let visitor = site.init("demo");
    let mut running = site.connect().stream(&request(&visitor)).expect("a stream");
    running.expect("seen");
    running.leave();
    wait_until("its place is free", || site.connect().stream(&request(&visitor)).is_ok());
}

#[test]
fn head_gets_the_head_alone() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let head = Request::new("HEAD", "/v1/widget/stream-test").bearer(visitor.token());
    let mut connection = site.connect();
    assert_eq!(connection.call(&head).status, 200);
    assert_eq!(connection.call(&Request::get("/healthz")).status, 200, "no body came");
}

#[test]
fn it_leaves_nothing_behind() {
    let site = Site::start();
    let visitor = site.init("demo");
    site.connect().stream(&request(&visitor)).expect("a stream").rest();
    assert!(!site.init_with("demo", json!({"visitor_id": visitor.visitor_id()})).is_resumed());
    assert!(site.model.requests().is_empty());
    for table in ["visitors", "conversations", "messages", "events"] {
        assert_eq!(db::count(&site.server.data(), &format!("select count(*) from {table}")), 0, "{table}");
    }
}
