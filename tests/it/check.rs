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

#[test]
fn a_page_of_the_server_itself_may_ask_without_an_origin() {
    let site = Site::with(|config| {
        config.agent("demo").origins(&["self"]);
    });
    let own = format!("http://{}", site.address());
    let request = |target: &str, fetch_site: &str| {
        Request::get(target).header("Host", &site.address().to_string()).header("Sec-Fetch-Site", fetch_site)
    };
    let answer = site.call(&request("/v1/widget/check?agent_id=demo", "same-origin"));
    assert_eq!(answer.expect(200)["origin"], own);
    assert_eq!(answer.expect(200)["allowed"], true);
    site.call(&request("/v1/widget/config?agent_id=demo", "same-origin")).expect(200);
    for elsewhere in ["same-site", "cross-site", "none", ""] {
        let refused = site.call(&request("/v1/widget/config?agent_id=demo", elsewhere));
        refused.refused(403, "origin_missing");
    }
    // An origin that is there is the one that counts.
    let other = request("/v1/widget/config?agent_id=demo", "same-origin").origin("https://www.example.net");
    site.call(&other).refused(403, "origin_not_allowed");
    let post = Request::post("/v1/widget/init", &json!({"agent_id": "demo"})).header("Sec-Fetch-Site", "same-origin");
    site.call(&post).refused(403, "origin_missing");
}

#[test]
fn an_agent_that_does_not_list_the_server_itself_does_not_serve_its_pages() {
    let site = SITE.get();
    let request = Request::get("/v1/widget/config?agent_id=demo").header("Sec-Fetch-Site", "same-origin");
    site.call(&request).refused(403, "origin_not_allowed");
}
