//! `POST /v1/widget/init` (the contract, section 4).

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::config::Config;
use crate::support::db;
use crate::support::site::{Shared, Site, init_request};
use crate::support::tokens;

static SITE: Shared = Shared::new(|| Site::with_environment(&[("SCRIPTED_KEY", "CANARY-KEY")], describe));

fn describe(config: &mut Config) {
    config.text("log", "level", "info");
    config
        .fake("key_env", "\"SCRIPTED_KEY\"")
        .agent("demo")
        .text("name", "Ada")
        .text("language", "en")
        .text("greeting", "Hello! How can I help?")
        .set("starter_prompts", r#"["What does it cost?", "Where are you?"]"#)
        .text("system_prompt", "CANARY-PROMPT: be brief.")
        .faq("CANARY-QUESTION?", "CANARY-ANSWER.");
}

#[test]
fn a_new_visitor_gets_ids_a_token_the_agent_and_a_whole_budget() {
    let site = SITE.get();
    let answer = site.init("demo").answer;
    assert_eq!(answer["token_type"], "Bearer");
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["resumed"], false);
    assert_eq!(answer["messages"], json!([]));
    assert_eq!(answer["budget"], json!({"messages_remaining": 60, "tokens_remaining": 40000, "resets_at": null}));
    assert_eq!(answer["agent"]["id"], "demo");
    assert_eq!(answer["agent"]["name"], "Ada");
    assert_eq!(answer["agent"]["language"], "en");
    assert_eq!(answer["agent"]["greeting"], "Hello! How can I help?");
    assert_eq!(answer["agent"]["starter_prompts"], json!(["What does it cost?", "Where are you?"]));
    for object in ["theme", "lead_form"] {
        assert!(answer["agent"][object].is_object(), "{object}");
    }
    assert_eq!(answer["agent"]["rules"], json!([]));
}

#[test]
fn a_visitor_id_cannot_be_guessed_and_a_conversation_id_sorts_by_time() {
    let site = SITE.get();
    let (first, second) = (site.init("demo"), site.init("demo"));
    let version = |id: &str| (id.len(), id.as_bytes()[14], id.as_bytes()[19]);
    let (length, four, variant) = version(first.visitor_id());
    assert!(length == 36 && four == b'4' && b"89ab".contains(&variant), "{}", first.visitor_id());
    let (length, seven, variant) = version(first.conversation_id());
    assert!(length == 36 && seven == b'7' && b"89ab".contains(&variant), "{}", first.conversation_id());
    assert!(first.conversation_id() < second.conversation_id());
    assert_ne!(first.visitor_id(), second.visitor_id());
}

#[test]
fn times_are_in_utc_with_milliseconds() {
    let site = SITE.get();
    let expires_at = site.init("demo").answer["expires_at"].as_str().unwrap().to_owned();
    // 2026-11-23T10:00:00.000Z
    let shape: String = expires_at.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00T00:00:00.000Z");
}

#[test]
fn the_token_ends_when_the_answer_says() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let forged = tokens::Forgery::of(visitor.token());
    let expires: jiff::Timestamp = visitor.answer["expires_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(forged.claims["exp"], expires.as_second());
    assert!((tokens::now() + 3600 - expires.as_second()).abs() <= 30);
}

#[test]
fn the_agent_object_keeps_the_owners_secrets() {
    let site = SITE.get();
    let response = site.call(&init_request("demo", json!({})).origin(ORIGIN));
    let agent = response.expect(200)["agent"].clone();
    let mut members: Vec<_> = agent.as_object().unwrap().keys().cloned().collect();
    members.sort();
    let looks = "direction greeting id language lead_form name restricted_paths rules starter_prompts strings theme";
    assert_eq!(members.join(" "), looks);
    for secret in ["CANARY", "allowed_origins", "www.example.com", "127.0.0.1", "\"fake\"", "\"other\"", tokens::SECRET]
    {
        assert!(!response.text().contains(secret), "{secret} in {}", response.text());
    }
}

#[test]
fn init_without_an_origin_is_refused() {
    let site = SITE.get();
    let response = site.call(&init_request("demo", json!({})));
    response.refused(403, "origin_missing");
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    // Whatever agent is asked for.
    site.call(&init_request("acme", json!({}))).refused(403, "origin_missing");
}

#[test]
fn a_refused_origin_is_told_what_to_change_and_so_is_the_log() {
    let site = SITE.get();
    let origin = "https://www.example.net";
    let response = site.call(&init_request("demo", json!({})).origin(origin));
    let problem = response.refused(403, "origin_not_allowed");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(origin) && detail.contains("allowed_origins"), "{detail}");
    assert!(!response.text().contains(ORIGIN), "what is allowed is not listed: {detail}");
    assert_eq!(response.header("Access-Control-Allow-Origin"), None);
    let line = site.server.wait_for_line(origin);
    assert!(line.contains("WARN") && line.contains(origin) && line.contains("allowed_origins"), "{line}");
}

#[test]
fn an_agent_that_is_not_configured_is_not_found() {
    let site = SITE.get();
    let response = site.call(&init_request("acme", json!({})).origin(ORIGIN));
    response.refused(404, "agent_not_found");
}

#[test]
fn every_bad_member_is_named_at_once() {
    let site = SITE.get();
    let body = json!({"agent_id": 7, "visitor_id": [], "new_conversation": "yes", "locale": 1, "page": {"url": 2}});
    let response = site.call(&Request::post("/v1/widget/init", &body).origin(ORIGIN));
    assert_eq!(response.bad_fields(), ["agent_id", "locale", "new_conversation", "page.url", "visitor_id"]);
    let response = site.call(&Request::post("/v1/widget/init", &json!({})).origin(ORIGIN));
    assert_eq!(response.bad_fields(), ["agent_id"]);
}

#[test]
fn members_that_are_unknown_are_ignored() {
    let site = SITE.get();
    let members = json!({"conversation_id": "mine", "colour": {"of": ["the", "sky"]}, "locale": "de-DE",
        "page": {"url": "https://www.example.com/a", "title": "A", "referrer": "", "depth": 3}});
    let visitor = site.init_with("demo", members);
    assert_ne!(visitor.conversation_id(), "mine");
}

#[test]
fn plain_text_that_holds_json_needs_no_preflight() {
    let site = SITE.get();
    for (content_type, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("text/plain", 200),
        ("text/plain;charset=UTF-8", 200),
        ("text/html", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ] {
        let request = Request::new("POST", "/v1/widget/init").origin(ORIGIN);
        let request = request.header("Content-Type", content_type).body(r#"{"agent_id":"demo"}"#);
        let response = site.call(&request);
        assert_eq!(response.status, status, "{content_type}");
        if status == 415 {
            response.refused(415, "unsupported_media_type");
        }
    }
    let untyped = Request::new("POST", "/v1/widget/init").origin(ORIGIN).body(r#"{"agent_id":"demo"}"#);
    site.call(&untyped).refused(415, "unsupported_media_type");
}

#[test]
fn what_is_no_json_is_refused() {
    let site = SITE.get();
    let deep = format!("{{\"agent_id\":\"demo\",\"x\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let bodies: [&[u8]; 7] = [
        b"",
        b"{",
        b"{\"agent_id\":\"demo\"} x",
        b"agent_id=demo",
        b"{\"agent_id\":\"\xff\"}",
        b"{\"a\":1e999}",
        deep.as_bytes(),
    ];
    for body in bodies {
        let request = Request::new("POST", "/v1/widget/init").origin(ORIGIN);
        let response = site.call(&request.header("Content-Type", "application/json").body(body));
        response.refused(400, "invalid_json");
    }
}

#[test]
fn clients_cannot_choose_a_visitor_id() {
    let site = SITE.get();
    for id in ["3c6e0b8a-9c15-4224-a823-6f1b5a0c6c1f", "me", "' or 1=1 --"] {
        let visitor = site.init_with("demo", json!({"visitor_id": id}));
        assert_ne!(visitor.visitor_id(), id);
        assert!(!visitor.is_resumed());
    }
}

#[test]
fn who_only_opens_the_page_leaves_nothing_behind() {
    let site = Site::start();
    for _ in 0..20 {
        site.init("demo");
    }
    for table in ["visitors", "conversations", "messages"] {
        assert_eq!(db::count(&site.server.data(), &format!("select count(*) from {table}")), 0, "{table}");
    }
}

#[test]
fn no_id_and_no_text_is_in_the_log() {
    let site = Site::start();
    let visitor = site.init("demo");
    visitor.ask("CANARY-MESSAGE").done();
    visitor.lead(&json!({"email": "canary-lead@example.com", "name": "CANARY-NAME"})).expect(201);
    visitor.event(&json!({"type": "custom.canary", "props": {"a": "CANARY-PROPS"}})).expect(202);
    site.get(&format!("/healthz?v={}", visitor.visitor_id())).expect(200);
    let log = site.server.wait_for_line("/healthz");
    assert!(!log.contains('?'), "a query in the log: {log}");
    let printed = site.server.printed();
    for secret in ["CANARY", "canary", visitor.visitor_id(), visitor.conversation_id(), visitor.token(), tokens::SECRET]
    {
        assert!(!printed.contains(secret), "{secret}");
    }
    for path in ["/v1/widget/init", "/v1/widget/messages/stream", "/v1/widget/leads", "/v1/widget/events"] {
        assert!(printed.contains(path), "one line a request: {path}");
    }
}

#[test]
fn no_secret_is_logged_even_at_trace() {
    let site = Site::with_environment(&[("WIDGETD_LOG", "trace"), ("MODEL_KEY", "CANARY-MODEL-KEY")], |config| {
        config.fake("key_env", "\"MODEL_KEY\"");
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    assert!(site.model.requests()[0].head.contains("CANARY-MODEL-KEY"));
    site.model.will_refuse(500);
    visitor.ask("And now?").failed("model_unavailable");
    visitor.with_token(&format!("{}x", visitor.token())).say("Hello").refused(401, "invalid_token");
    site.get("/healthz").expect(200);
    site.server.wait_for_line("/healthz");
    let printed = site.server.printed();
    for secret in ["CANARY-MODEL-KEY", visitor.token(), tokens::SECRET] {
        assert!(!printed.contains(secret), "{secret}");
    }
}
