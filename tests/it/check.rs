//! `GET /v1/widget/check`: why a widget does not work on a page, said where a person looks (the contract, section 3).

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::site::{Shared, Site, init_request};

static SITE: Shared = Shared::new(Site::start);

fn check(agent: &str) -> Request {
    Request::get(&format!("/v1/widget/check?agent_id={agent}"))
}

#[test]
fn a_refused_page_reads_what_to_add() {
    let site = SITE.get();
    let response = site.call(&check("demo").origin("https://shop.example.com"));
    assert_eq!(
        response.expect(200),
        json!({
            "agent_id": "demo",
            "origin": "https://shop.example.com",
            "allowed": false,
            "hint": "add \"https://shop.example.com\" to allowed_origins of agent \"demo\"",
        })
    );
    assert_eq!(response.must("Access-Control-Allow-Origin"), "*", "readable from every origin");
}

#[test]
fn an_allowed_page_is_told_so() {
    let site = SITE.get();
    let answer = site.call(&check("demo").origin(ORIGIN)).expect(200);
    assert_eq!((&answer["allowed"], &answer["origin"]), (&json!(true), &json!(ORIGIN)));
}

#[test]
fn a_request_without_an_origin_is_answered_too() {
    let site = SITE.get();
    let answer = site.call(&check("demo")).expect(200);
    assert_eq!((&answer["allowed"], &answer["origin"]), (&json!(false), &json!(null)));
}

#[test]
fn an_agent_that_is_not_configured_is_not_found_and_this_too_is_readable() {
    let site = SITE.get();
    for target in ["/v1/widget/check?agent_id=acme", "/v1/widget/check"] {
        let response = site.call(&Request::get(target).origin("https://shop.example.com"));
        response.refused(404, "agent_not_found");
        assert_eq!(response.must("Access-Control-Allow-Origin"), "*");
    }
}

#[test]
fn what_is_reflected_stays_json() {
    let site = SITE.get();
    let markup = "https://a\"><script>alert(1)</script>";
    let response = site.call(&check("demo").origin(markup));
    assert_eq!(response.expect(200)["origin"], markup);
    assert!(response.must("Content-Type").starts_with("application/json"));
    let response = site.call(&check("%3Cscript%3E").origin(ORIGIN));
    response.refused(404, "agent_not_found");
    assert!(response.must("Content-Type").starts_with("application/problem+json"));
}

#[test]
fn it_shares_the_limit_of_init() {
    let site = Site::with(|config| {
        config.text("limits", "init_per_address", "2/1m");
    });
    site.call(&check("demo").origin(ORIGIN)).expect(200);
    site.call(&init_request("demo", json!({})).origin(ORIGIN)).expect(200);
    let refused = site.call(&check("demo").origin("https://shop.example.com"));
    refused.refused(429, "rate_limited");
    assert_eq!(refused.must("Access-Control-Allow-Origin"), "*");
    site.call(&init_request("demo", json!({})).origin(ORIGIN)).refused(429, "rate_limited");
}
