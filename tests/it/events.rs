//! `POST /v1/widget/events` (the contract, section 10).

use serde_json::{Value, json};

use crate::support::db;
use crate::support::site::{Shared, Site, Visitor};

static SITE: Shared = Shared::new(Site::start);

/// The rows of a visitor's conversation.
fn stored(site: &Site, visitor: &Visitor) -> Vec<Vec<String>> {
    let conversation = visitor.conversation_id().replace('-', "");
    db::rows(
        &site.server.data(),
        "select type, props, page_url, client_time_ms from events where lower(hex(conversation_id)) = ? order by seq",
        &[&conversation],
    )
}

#[test]
fn one_event_is_accepted_and_stored() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let event = json!({"type": "cta_click", "id": "e1", "ts": "2026-11-23T10:00:00.250+01:00",
        "props": {"button": "hero", "n": [1, 2.5, null]}, "page": {"url": "https://www.example.com/prices"}});
    assert_eq!(visitor.event(&event).expect(202), json!({"accepted": 1}));
    let rows = stored(&site, &visitor);
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][0], "cta_click");
    assert_eq!(serde_json::from_str::<Value>(&rows[0][1]).unwrap(), event["props"]);
    assert_eq!(rows[0][2], "https://www.example.com/prices");
    assert_eq!(rows[0][3], "1795424400250");
}

#[test]
fn a_batch_has_one_to_fifty_events() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let batch = |n: usize| json!({"events": vec![json!({"type": "scroll_trigger"}); n]});
    assert_eq!(visitor.event(&batch(1)).expect(202), json!({"accepted": 1}));
    assert_eq!(visitor.event(&batch(50)).expect(202), json!({"accepted": 50}));
    assert_eq!(visitor.event(&batch(51)).bad_fields(), ["events"]);
    assert_eq!(visitor.event(&batch(0)).bad_fields(), ["events"]);
    assert_eq!(stored(&site, &visitor).len(), 51);
}

#[test]
fn every_type_of_the_contract_and_custom_ones_are_known() {
    let site = SITE.get();
    let visitor = site.init("demo");
    for name in [
        "launcher_open",
        "launcher_close",
        "cta_click",
        "dismiss",
        "scroll_trigger",
        "idle_trigger",
        "exit_intent",
        "url_trigger",
        "lead_form_open",
        "message_sent",
        "link_click",
        "custom.a",
        "custom.video_play",
    ] {
        visitor.event(&json!({"type": name})).expect(202);
    }
    for name in ["", "open", "custom", "custom.", "Launcher_Open", "launcher_open ", "custom.a b", "page_view"] {
        assert_eq!(visitor.event(&json!({"type": name})).bad_fields(), ["type"], "{name:?}");
    }
}

#[test]
fn a_repeated_id_counts_once_in_its_conversation() {
    let site = SITE.get();
    let (visitor, stranger) = (site.init("demo"), site.init("demo"));
    for _ in 0..3 {
        visitor.event(&json!({"type": "dismiss", "id": "same"})).expect(202);
    }
    visitor
        .event(&json!({"events": [{"type": "dismiss", "id": "same"}, {"type": "dismiss", "id": "new"}]}))
        .expect(202);
    visitor
        .event(&json!({"events": [{"type": "dismiss", "id": "pair"}, {"type": "dismiss", "id": "pair"}]}))
        .expect(202);
    stranger.event(&json!({"type": "dismiss", "id": "same"})).expect(202);
    assert_eq!(stored(&site, &visitor).len(), 3);
    assert_eq!(stored(&site, &stranger).len(), 1);
}

#[test]
fn events_without_an_id_are_all_counted() {
    let site = SITE.get();
    let visitor = site.init("demo");
    for _ in 0..3 {
        visitor.event(&json!({"type": "dismiss"})).expect(202);
    }
    assert_eq!(stored(&site, &visitor).len(), 3);
}

#[test]
fn every_bad_member_of_every_event_is_named_and_none_is_stored() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let batch = json!({"events": [
        {"type": "dismiss"},
        {"type": "nothing", "ts": "yesterday"},
        {"id": 7, "props": [], "page": 1},
        "dismiss",
    ]});
    assert_eq!(
        visitor.event(&batch).bad_fields(),
        [
            "events[1].ts",
            "events[1].type",
            "events[2].id",
            "events[2].page",
            "events[2].props",
            "events[2].type",
            "events[3]"
        ]
    );
    assert_eq!(stored(&site, &visitor).len(), 0, "all of a batch or nothing");
    assert_eq!(visitor.event(&json!({"events": {}})).bad_fields(), ["events"]);
    assert_eq!(visitor.event(&json!({})).bad_fields(), ["type"]);
}

#[test]
fn props_are_at_most_two_kib() {
    let site = SITE.get();
    let visitor = site.init("demo");
    // {"p":"…"} is 8 bytes and the text.
    let props = |bytes: usize| json!({"type": "dismiss", "props": {"p": "x".repeat(bytes - 8)}});
    visitor.event(&props(2048)).expect(202);
    assert_eq!(visitor.event(&props(2049)).bad_fields(), ["props"]);
}

#[test]
fn the_daily_allowance_of_bytes_is_the_agents() {
    let site = Site::with(|config| {
        config.text("budget", "event_bytes_per_day", "4 KiB");
    });
    let visitor = site.init("demo");
    let event = json!({"type": "dismiss", "props": {"p": "x".repeat(1000)}});
    let mut accepted = 0;
    let refused = loop {
        // A new visitor each time: the allowance is not a visitor's.
        let response = site.init("demo").event(&event);
        if response.status == 429 {
            break response;
        }
        response.expect(202);
        accepted += 1;
        assert!(accepted < 5, "4 KiB hold no five events of 1 KiB");
    };
    refused.refused(429, "agent_budget_exhausted");
    assert!(refused.retry_after() <= 86_400);
    assert!(accepted >= 2);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    visitor.ask("Are you there?").done();
    site.init("other").event(&event).expect(202);
}

#[test]
fn below_the_floor_of_free_disk_events_wait_while_messages_and_leads_work() {
    let site = Site::with(|config| {
        config.text("storage", "free_disk_floor", "1 TiB");
    });
    let visitor = site.init("demo");
    visitor.event(&json!({"type": "dismiss"})).refused(503, "overloaded");
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    visitor.ask("Are you there?").done();
    assert_eq!(db::count(&site.server.data(), "select count(*) from events"), 0);
}
