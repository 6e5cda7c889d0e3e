//! `GET /v1/widget/config`: the agent's looks before anything is known of the visitor (the contract, section 12).

use crate::support::ORIGIN;
use crate::support::client::{Request, Response};
use crate::support::db;
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

const CONFIG: &str = "/v1/widget/config?agent_id=demo";

fn config(site: &Site, if_none_match: Option<&str>) -> Response {
    let request = Request::get(CONFIG).origin(ORIGIN);
    site.call(&match if_none_match {
        Some(etag) => request.header("If-None-Match", etag),
        None => request,
    })
}

#[test]
fn it_is_the_agent_object_of_init_and_may_be_kept_for_five_minutes() {
    let site = SITE.get();
    let response = config(&site, None);
    assert_eq!(response.expect(200), site.init("demo").answer["agent"]);
    assert_eq!(response.must("Cache-Control"), "public, max-age=300");
    assert_eq!(response.must("Vary"), "Origin");
    assert_eq!(response.must("Access-Control-Allow-Origin"), ORIGIN);
}

#[test]
fn a_known_etag_is_answered_with_304_and_no_body() {
    let site = SITE.get();
    let etag = config(&site, None).must("ETag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 2, "a strong tag: {etag}");
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".into()] {
        let response = config(&site, Some(&known));
        assert_eq!(response.status, 304, "{known}");
        assert_eq!(response.must("ETag"), etag);
        assert_eq!(response.must("Cache-Control"), "public, max-age=300");
        assert_eq!(response.must("Vary"), "Origin");
        assert_eq!(response.must("Access-Control-Allow-Origin"), ORIGIN);
    }
    for unknown in ["\"other\"", "\"\"", etag.trim_matches('"')] {
        assert_eq!(config(&site, Some(unknown)).status, 200, "{unknown}");
    }
}

#[test]
fn the_etag_changes_with_the_agent_and_only_then() {
    let mut site = Site::start();
    let before = config(&site, None).must("ETag").to_owned();
    site.kill_and_restart();
    assert_eq!(config(&site, None).must("ETag"), before);
    site.reload(|config| {
        config.agent("demo").text("greeting", "Good morning!");
    });
    site.server.wait_for_line("reloaded");
    let after = config(&site, Some(&before));
    assert_eq!(after.expect(200)["greeting"], "Good morning!");
    assert_ne!(after.must("ETag"), before);
}

#[test]
fn it_has_the_gate_of_init() {
    let site = SITE.get();
    site.get(CONFIG).refused(403, "origin_missing");
    let refused = site.call(&Request::get(CONFIG).origin("https://www.example.net"));
    refused.refused(403, "origin_not_allowed");
    assert_eq!(refused.header("Access-Control-Allow-Origin"), None);
    for target in ["/v1/widget/config?agent_id=acme", "/v1/widget/config?agent_id=", "/v1/widget/config"] {
        site.call(&Request::get(target).origin(ORIGIN)).refused(404, "agent_not_found");
    }
}

#[test]
fn head_is_get_without_the_body_on_a_connection_that_goes_on() {
    let site = SITE.get();
    let mut connection = site.connect();
    let whole = connection.call(&Request::get(CONFIG).origin(ORIGIN));
    let head = connection.call(&Request::new("HEAD", CONFIG).origin(ORIGIN));
    assert_eq!((head.status, head.must("ETag")), (200, whole.must("ETag")));
    assert_eq!(head.must("Content-Length"), whole.must("Content-Length"));
    assert_eq!(connection.call(&Request::get(CONFIG).origin(ORIGIN)).status, 200);
}

#[test]
fn it_stores_nothing() {
    let site = Site::start();
    config(&site, None).expect(200);
    assert_eq!(db::count(&site.server.data(), "select count(*) from visitors"), 0);
    assert_eq!(db::count(&site.server.data(), "select count(*) from conversations"), 0);
}

#[test]
fn the_looks_are_served_as_they_are_configured() {
    let site = Site::with(|config| {
        config.agent("demo").text("language", "ar").set("restricted_paths", "[\"/checkout*\"]").table(
            "[agent.theme]\ncolor = \"#0F766E\"\noffset_x_px = 0\nlauncher_label = \"Ask\"\n\
             [agent.strings]\nlauncher = \"Ask us\"\n\
             [[agent.rule]]\nid = \"c\"\ntrigger = \"exit_intent\"\naction = \"card\"\ntitle = \"Wait\"\npaths = [\"/shop*\"]\n\
             [[agent.rule.button]]\nlabel = \"Prices\"\ndoes = \"url\"\nurl = \"/prices\"\n\
             [[agent.rule.button]]\nlabel = \"No\"\ndoes = \"dismiss\"\n",
        );
    });
    let response = config(&site, None);
    let agent = response.expect(200);
    assert_eq!(agent["direction"], "rtl");
    assert_eq!(agent["restricted_paths"][0], "/checkout*");
    assert_eq!(agent["strings"]["launcher"], "Ask us");
    assert!(agent["strings"]["send"].is_string());
    let theme = &agent["theme"];
    assert_eq!((&theme["color"], &theme["accent"]), (&"#0f766e".into(), &"#2563eb".into()));
    assert_eq!((&theme["offset_x_px"], &theme["offset_y_px"]), (&0.into(), &20.into()));
    let rule = &agent["rules"][0];
    assert_eq!((&rule["action"], &rule["title"], &rule["text"]), (&"card".into(), &"Wait".into(), &"".into()));
    assert_eq!(rule["paths"][0], "/shop*");
    assert_eq!(rule["buttons"][0], serde_json::json!({"label": "Prices", "does": "url", "url": "/prices"}));
    assert_eq!(rule["buttons"][1], serde_json::json!({"label": "No", "does": "dismiss"}));
}
