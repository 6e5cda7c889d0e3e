//! `GET` and `DELETE /v1/widget/me`: what a visitor has left, shown and erased.

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::db;
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

fn me(method: &str, token: &str) -> Request {
    Request::new(method, "/v1/widget/me").bearer(token).origin(ORIGIN)
}

#[test]
fn a_visitor_takes_along_what_it_left() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let nothing = site.call(&me("GET", visitor.token())).expect(200);
    assert_eq!((&nothing["created_at"], &nothing["conversations"]), (&json!(null), &json!([])));
    let answer = visitor.ask("What is a swift?").text();
    visitor.lead(&json!({"email": "me@example.com", "name": "Ann", "consent": true})).expect(201);
    visitor.event(&json!({"type": "custom.seen", "props": {"page": 1}})).expect(202);
    let all = site.call(&me("GET", visitor.token())).expect(200);
    assert_eq!(all["visitor_id"], visitor.visitor_id());
    let conversation = &all["conversations"][0];
    assert_eq!(conversation["messages"][0]["content"], "What is a swift?");
    assert_eq!(conversation["messages"][1]["content"], answer);
    assert_eq!(conversation["events"][0]["props"], json!({"page": 1}));
    assert_eq!((&all["leads"][0]["email"], &all["leads"][0]["name"]), (&json!("me@example.com"), &json!("Ann")));
}

#[test]
fn an_erased_visitor_has_left_nothing_and_begins_anew() {
    let site = SITE.get();
    let (gone, stays) = (site.init("demo"), site.init("demo"));
    for visitor in [&gone, &stays] {
        visitor.ask("Hello?").text();
    }
    gone.lead(&json!({"email": "gone@example.com"})).expect(201);
    let answer = site.call(&me("DELETE", gone.token()));
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    let ids = |table: &str, column: &str, visitor: &str| {
        let hex = visitor.replace('-', "");
        db::count(&site.server.data(), &format!("select count(*) from {table} where hex({column}) = upper('{hex}')"))
    };
    assert_eq!(ids("visitors", "id", gone.visitor_id()), 0);
    assert_eq!(ids("messages", "conversation_id", gone.conversation_id()), 0);
    assert_eq!(db::count(&site.server.data(), "select count(*) from leads where email = 'gone@example.com'"), 0);
    assert_eq!(ids("messages", "conversation_id", stays.conversation_id()), 2);
    assert!(!site.resume(&gone).is_resumed());
    gone.ask("Is anybody there?").text();
    let all = site.call(&me("GET", gone.token())).expect(200);
    assert_eq!(all["conversations"][0]["messages"].as_array().map(Vec::len), Some(2), "only what came after");
}

#[test]
fn nothing_is_erased_under_an_answer_that_is_being_generated() {
    let site = Site::start();
    let visitor = site.init("demo");
    let gate = site.model.will_hold(&["Well"], &[", yes."]);
    let mut stream = visitor.open("Hello?");
    stream.expect("start");
    stream.expect("token");
    let refused = site.call(&me("DELETE", visitor.token()));
    refused.refused(409, "generation_in_progress");
    gate.open();
    stream.rest();
}

#[test]
fn it_takes_a_token_and_an_origin_that_is_allowed() {
    let site = SITE.get();
    let visitor = site.init("demo");
    site.call(&Request::new("GET", "/v1/widget/me").origin(ORIGIN)).refused(401, "missing_token");
    let elsewhere = Request::new("DELETE", "/v1/widget/me").bearer(visitor.token()).origin("https://evil.example");
    site.call(&elsewhere).refused(403, "origin_not_allowed");
    let wrong = Request::post("/v1/widget/me", &json!({})).bearer(visitor.token()).origin(ORIGIN);
    let answer = site.call(&wrong);
    assert_eq!(answer.header("Allow"), Some("GET, HEAD, DELETE, OPTIONS"));
    answer.refused(405, "method_not_allowed");
    let preflight = site.call(&Request::new("OPTIONS", "/v1/widget/me").origin(ORIGIN));
    assert_eq!(preflight.header("Access-Control-Allow-Methods"), Some("GET, DELETE"));
}

#[test]
fn it_is_asked_five_times_a_minute_at_most() {
    let site = Site::start();
    let visitor = site.init("demo");
    for _ in 0..5 {
        site.call(&me("GET", visitor.token())).expect(200);
    }
    site.call(&me("GET", visitor.token())).refused(429, "rate_limited");
    visitor.lead(&json!({"email": "still@example.com"})).expect(201);
}
