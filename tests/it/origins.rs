//! Which origins are allowed: the exact ones (the contract, section 3; R9 and R12 of its section 1).

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::site::{Shared, Site, init_request};

/// `demo` allows `https://www.example.com` alone.
static SITE: Shared = Shared::new(Site::start);

/// None of these is `https://www.example.com`.
const LOOK_ALIKES: [&str; 31] = [
    "https://www.example.com.evil.example", // prefix
    "https://www.example.co",
    "https://www.example.comm",
    "https://evilwww.example.com", // suffix
    "https://evil-www.example.com",
    "https://example.com", // another host
    "https://shop.www.example.com",
    "https://www-example.com",
    "http://www.example.com", // another scheme
    "ftp://www.example.com",
    "chrome-extension://www.example.com",
    "www.example.com",
    "//www.example.com",
    "https://www.example.com:8443", // another port
    "https://www.example.com:80",
    "https://www.example.com:0443x",
    "https://www.example.com:",
    "https://user@www.example.com", // user info
    "https://www.example.com@evil.example",
    "https://user:www.example.com@evil.example",
    "https://www.example.com.", // trailing dot: another name
    "https://www.example.com/", // more than an origin
    "https://www.example.com/a",
    "https://www.example.com?a",
    "https://www.example.com#a",
    "https://www.example.com\\.evil.example",
    "https://www.example.com%2eevil.example",
    "https://www.example.com https://evil.example", // two of them
    "https://evil.example,https://www.example.com",
    "https://xn--www-exmple-02i.com", // looks alike on a screen
    "null",
];

#[test]
fn look_alikes_are_refused_by_init() {
    let site = SITE.get();
    let mut connection = site.connect();
    for origin in LOOK_ALIKES.into_iter().chain(["*", "self", "https://", "https://127.0.0.1"]) {
        let response = connection.call(&init_request("demo", json!({})).origin(origin));
        assert_eq!((response.status, response.code().as_str()), (403, "origin_not_allowed"), "{origin:?}");
        assert_eq!(response.header("Access-Control-Allow-Origin"), None, "{origin:?}");
    }
}

#[test]
fn look_alikes_are_refused_with_a_token_too() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let mut connection = site.connect();
    let body = json!({"content": "Hello", "email": "ann@example.com", "type": "dismiss"});
    for origin in LOOK_ALIKES {
        for path in ["messages", "messages/stream", "leads", "events"] {
            let visitor = visitor.at_origin(Some(origin));
            let response = connection.call(&visitor.request(&format!("/v1/widget/{path}"), &body));
            assert_eq!((response.status, response.code().as_str()), (403, "origin_not_allowed"), "{path} {origin:?}");
            assert_eq!(response.header("Access-Control-Allow-Origin"), None, "{path} {origin:?}");
        }
    }
    assert!(site.model.requests().is_empty(), "no model was asked");
}

#[test]
fn look_alikes_are_refused_a_preflight() {
    let site = SITE.get();
    let mut connection = site.connect();
    for origin in LOOK_ALIKES {
        let response = connection.call(&Request::new("OPTIONS", "/v1/widget/init").origin(origin));
        assert_eq!(response.status, 403, "{origin:?}");
        assert_eq!(response.header("Access-Control-Allow-Origin"), None, "{origin:?}");
    }
}

#[test]
fn a_refused_origin_cannot_write_the_log() {
    let site = Site::start();
    let long = format!("https://{}.example", "a".repeat(10_000));
    let request = Request::get("/v1/widget/config?agent_id=demo").origin(&long);
    site.call(&request).refused(403, "origin_not_allowed");
    let line = site.server.wait_for_line("refused: add this origin");
    assert!(line.contains("https://aaaa") && line.len() < 600, "{} bytes: {line}", line.len());
    let target = format!("/v1/widget/config?agent_id={}", "a".repeat(5000));
    site.get(&target).refused(403, "origin_missing");
    let line = site.server.wait_for_line("has no Origin header");
    assert!(line.len() < 600, "{} bytes: {line}", line.len());
}

#[test]
fn one_origin_has_several_spellings() {
    let site = SITE.get();
    for origin in
        ["https://www.example.com", "https://WWW.EXAMPLE.COM", "HTTPS://www.example.com", "https://www.example.com:443"]
    {
        let response = site.call(&init_request("demo", json!({})).origin(origin));
        assert_eq!(response.status, 200, "{origin}");
        assert_eq!(response.must("Access-Control-Allow-Origin"), origin, "as the page sent it");
    }
}

#[test]
fn an_origin_is_allowed_by_its_whole_name_in_any_form() {
    let site = Site::with(|config| {
        config.agent("demo").origins(&[
            "https://xn--bcher-kva.example",
            "http://example.com:8080",
            "http://[::1]:3000",
        ]);
    });
    for (origin, is_allowed) in [
        ("https://xn--bcher-kva.example", true),
        ("https://xn--bcher-kva.example:443", true),
        ("http://xn--bcher-kva.example", false),
        ("https://bucher.example", false),
        ("http://example.com:8080", true),
        ("http://example.com", false),
        ("http://example.com:80", false),
        ("http://[::1]:3000", true),
        ("http://[0:0:0:0:0:0:0:1]:3000", true),
        ("http://[::1]", false),
    ] {
        let response = site.call(&init_request("demo", json!({})).origin(origin));
        assert_eq!(response.status, if is_allowed { 200 } else { 403 }, "{origin}");
    }
}

#[test]
fn an_empty_list_denies_everywhere() {
    let site = Site::with(|config| {
        config.agent("demo").set("allowed_origins", "[]");
    });
    for origin in [ORIGIN, "null", &format!("http://{}", site.address())] {
        site.call(&init_request("demo", json!({})).origin(origin)).refused(403, "origin_not_allowed");
    }
}

#[test]
fn a_star_allows_every_origin_and_null_but_not_none() {
    let site = Site::with(|config| {
        config.agent("demo").origins(&["*"]);
    });
    for origin in ["https://a.example", "http://localhost:3000", "null"] {
        site.call(&init_request("demo", json!({})).origin(origin)).expect(200);
    }
    site.call(&init_request("demo", json!({}))).refused(403, "origin_missing");
    site.call(&init_request("other", json!({})).origin("null")).refused(403, "origin_not_allowed");
}

#[test]
fn self_is_the_servers_own_origin_under_both_names_of_loopback() {
    let site = Site::with(|config| {
        config.text("server", "public_url", "https://chat.example.com").agent("demo").origins(&["self"]);
    });
    let port = site.address().port();
    for (origin, is_allowed) in [
        (format!("http://localhost:{port}"), true),
        (format!("http://127.0.0.1:{port}"), true),
        ("https://chat.example.com".to_owned(), true),
        (format!("https://localhost:{port}"), false),
        ("http://localhost".to_owned(), false),
        (format!("http://localhost:{}", port ^ 1), false),
        (format!("http://127.0.0.2:{port}"), false),
        ("http://chat.example.com".to_owned(), false),
        ("self".to_owned(), false),
    ] {
        let response = site.call(&init_request("demo", json!({})).origin(&origin));
        assert_eq!(response.status, if is_allowed { 200 } else { 403 }, "{origin}");
    }
}

#[test]
fn a_token_is_of_no_use_on_another_agents_site() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let lifted = visitor.at_origin(Some("https://other.example"));
    lifted.say("Hello").refused(403, "origin_not_allowed");
    lifted.refused(&json!({"content": "Hello"})).refused(403, "origin_not_allowed");
    lifted.lead(&json!({"email": "ann@example.com"})).refused(403, "origin_not_allowed");
    lifted.event(&json!({"type": "dismiss"})).refused(403, "origin_not_allowed");
    visitor.at_origin(None).event(&json!({"type": "dismiss"})).expect(202);
}

#[test]
fn an_empty_origin_is_none_that_is_allowed() {
    let site = SITE.get();
    let response = site.call(&init_request("demo", json!({})).origin(""));
    assert_eq!(response.status, 403);
    let response = site.init("demo").at_origin(Some("")).event(&json!({"type": "dismiss"}));
    assert_eq!(response.status, 403);
}
