//! What a page on another origin may read (the contract, section 3).

use std::collections::BTreeSet;

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::{Head, Request};
use crate::support::site::{Shared, Site, init_request};

static SITE: Shared = Shared::new(Site::start);

const POSTS: [&str; 5] =
    ["/v1/widget/init", "/v1/widget/messages", "/v1/widget/messages/stream", "/v1/widget/leads", "/v1/widget/events"];

/// The words of a list header, in any order.
fn list(value: &str) -> BTreeSet<String> {
    value.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| word.to_ascii_lowercase()).collect()
}

#[track_caller]
fn is_readable(head: &Head, origin: &str) {
    assert_eq!(head.must("Access-Control-Allow-Origin"), origin, "{head:#?}");
    assert!(list(head.must("Vary")).contains("origin"), "{head:#?}");
    assert_eq!(
        list(head.must("Access-Control-Expose-Headers")),
        words(&["Retry-After", "X-Request-Id", "RateLimit", "RateLimit-Policy"])
    );
}

#[track_caller]
fn is_closed(head: &Head) {
    for (name, _) in &head.headers {
        let is_cors = name.to_ascii_lowercase().starts_with("access-control-");
        assert!(!is_cors, "{head:#?}");
    }
}

#[test]
fn every_endpoint_can_be_read_from_an_allowed_origin() {
    let site = SITE.get();
    is_readable(&site.call(&init_request("demo", json!({})).origin(ORIGIN)), ORIGIN);
    let visitor = site.init("demo");
    let stream = visitor.open("Hello");
    is_readable(&stream.head, ORIGIN);
    let mut stream = stream;
    stream.rest().done();
    is_readable(&visitor.say("Hello"), ORIGIN);
    is_readable(&visitor.lead(&json!({"email": "ann@example.com"})), ORIGIN);
    is_readable(&visitor.event(&json!({"type": "dismiss"})), ORIGIN);
    is_readable(&site.call(&Request::get("/v1/widget/config?agent_id=demo").origin(ORIGIN)), ORIGIN);
}

#[test]
fn errors_can_be_read_too() {
    let site = Site::with(|config| {
        config.text("limits", "events_per_token", "1/1m");
    });
    let visitor = site.init("demo");
    let nameless = |path: &str| Request::post(path, &json!({})).origin(ORIGIN);
    for path in &POSTS[1..] {
        let response = site.call(&nameless(path));
        response.refused(401, "missing_token");
        is_readable(&response, ORIGIN);
        let response = visitor.post(path, &json!({}));
        assert_eq!(response.status, 422, "{path}");
        is_readable(&response, ORIGIN);
        let response = site.call(&visitor.request(path, &json!({})).body("{"));
        response.refused(400, "invalid_json");
        is_readable(&response, ORIGIN);
        let untyped = Request::new("POST", path).origin(ORIGIN).bearer(visitor.token()).body("{}");
        let response = site.call(&untyped);
        response.refused(415, "unsupported_media_type");
        is_readable(&response, ORIGIN);
        let response = site.call(&Request::get(path).origin(ORIGIN));
        response.refused(405, "method_not_allowed");
        is_readable(&response, ORIGIN);
    }
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    let response = visitor.event(&json!({"type": "dismiss"}));
    response.refused(429, "rate_limited");
    is_readable(&response, ORIGIN);
    let response = site.call(&Request::get("/v1/widget/nothing").origin(ORIGIN));
    response.refused(404, "not_found");
    is_readable(&response, ORIGIN);
}

#[test]
fn a_conflict_can_be_read() {
    let site = Site::start();
    let gate = site.model.will_hold(&["Hel"], &["lo"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    let response = visitor.say("Again");
    response.refused(409, "generation_in_progress");
    is_readable(&response, ORIGIN);
    gate.open();
    stream.rest().done();
}

#[test]
fn a_refused_origin_can_read_nothing() {
    let site = SITE.get();
    let visitor = site.init("demo").at_origin(Some("https://www.example.net"));
    for path in &POSTS[1..] {
        let response = visitor.post(path, &json!({"content": "Hello", "email": "a@example.com", "type": "dismiss"}));
        response.refused(403, "origin_not_allowed");
        is_closed(&response);
    }
    let response = site.call(&init_request("demo", json!({})).origin("https://www.example.net"));
    response.refused(403, "origin_not_allowed");
    is_closed(&response);
}

#[test]
fn another_agents_origin_cannot_read_either() {
    let site = SITE.get();
    let visitor = site.init("demo").at_origin(Some("https://other.example"));
    let response = visitor.event(&json!({"type": "dismiss"}));
    response.refused(403, "origin_not_allowed");
    is_closed(&response);
}

#[test]
fn a_client_that_is_no_browser_gets_no_cors_headers() {
    let site = SITE.get();
    let visitor = site.init("demo").at_origin(None);
    let response = visitor.event(&json!({"type": "dismiss"}));
    response.expect(202);
    is_closed(&response);
    is_closed(&site.get("/healthz"));
}

fn preflight(path: &str, origin: &str) -> Request {
    Request::new("OPTIONS", path)
        .origin(origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type")
}

#[test]
fn a_preflight_is_allowed_for_an_origin_that_any_agent_allows() {
    let site = SITE.get();
    for path in POSTS {
        for origin in [ORIGIN, "https://other.example"] {
            let response = site.call(&preflight(path, origin));
            assert_eq!(response.status, 204, "{path}");
            assert_eq!(response.header("Content-Length"), None, "RFC 9110, section 8.6");
            assert_eq!(response.must("Access-Control-Allow-Origin"), origin);
            assert!(list(response.must("Vary")).contains("origin"));
            assert_eq!(response.must("Access-Control-Allow-Methods"), "POST");
            let headers = list(response.must("Access-Control-Allow-Headers"));
            assert_eq!(headers, words(&["Authorization", "Content-Type", "Last-Event-ID"]));
            assert_eq!(response.must("Access-Control-Max-Age"), "7200");
        }
    }
}

#[test]
fn a_preflight_from_elsewhere_is_refused() {
    let site = SITE.get();
    for origin in ["https://www.example.net", "null", "https://www.example.com.evil.example", "http://www.example.com"]
    {
        let response = site.call(&preflight("/v1/widget/init", origin));
        response.refused(403, "origin_not_allowed");
        is_closed(&response);
    }
}

#[test]
fn an_agent_for_every_origin_names_the_origin_and_never_the_star() {
    let site = Site::with(|config| {
        config.agent("demo").origins(&["*"]);
    });
    for origin in ["https://anything.example", "null"] {
        let response = site.call(&init_request("demo", json!({})).origin(origin));
        response.expect(200);
        is_readable(&response, origin);
        assert_eq!(site.call(&preflight("/v1/widget/leads", origin)).status, 204);
    }
}
