//! `POST /v1/widget/leads` (the contract, section 9).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::db;
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(|| {
    Site::with(|config| {
        config.text("limits", "leads_per_token", "1000/1m");
    })
});

/// What the database has of an address, by column name.
fn stored(site: &Site, agent: &str, email: &str) -> Vec<Vec<String>> {
    db::rows(
        &site.server.data(),
        "select name, phone, company, message, fields, consent, source from leads where agent_id = ? and email = ?",
        &[agent, email],
    )
}

#[test]
fn a_new_lead_is_201_and_an_updated_one_is_200() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let created = visitor.lead(&json!({"email": "new@example.com", "name": "Ann"})).expect(201)["lead"].clone();
    assert_eq!(created["email"], "new@example.com");
    assert_eq!(created["created"], true);
    assert_eq!(created["created_at"], created["updated_at"]);
    assert_eq!(created["id"].as_str().unwrap().as_bytes()[14], b'7', "UUIDv7: {}", created["id"]);
    let updated = visitor.lead(&json!({"email": "new@example.com"})).expect(200)["lead"].clone();
    assert_eq!(updated["created"], false);
    assert_eq!(updated["id"], created["id"]);
    assert_eq!(updated["created_at"], created["created_at"]);
    assert!(updated["updated_at"].as_str() >= created["updated_at"].as_str());
}

#[test]
fn an_update_overwrites_what_it_brings_and_keeps_the_rest() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor
        .lead(&json!({"email": "keep@example.com", "name": "Ann", "phone": "+49 421 1", "company": "Acme",
            "message": "Call me", "fields": {"size": "10", "city": "Bremen"}, "consent": true, "source": "form"}))
        .expect(201);
    visitor
        .lead(&json!({"email": "keep@example.com", "name": "Ann B.", "fields": {"size": "20"}, "source": "cta"}))
        .expect(200);
    let rows = stored(&site, "demo", "keep@example.com");
    assert_eq!(rows.len(), 1);
    let [name, phone, company, message, fields, consent, source] = &rows[0][..] else { panic!("{rows:?}") };
    assert_eq!([name, phone, company, message], ["Ann B.", "+49 421 1", "Acme", "Call me"]);
    let fields: Value = serde_json::from_str(fields).unwrap();
    assert_eq!(fields, json!({"size": "20", "city": "Bremen"}));
    assert_eq!((consent.as_str(), source.as_str()), ("1", "cta"));
}

#[test]
fn the_answer_never_shows_what_another_visitor_left() {
    let site = SITE.get();
    site.init("demo").lead(&json!({"email": "shy@example.com", "name": "CANARY", "phone": "CANARY"})).expect(201);
    let response = site.init("demo").lead(&json!({"email": "shy@example.com"}));
    let lead = response.expect(200)["lead"].clone();
    let members: BTreeSet<_> = lead.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, BTreeSet::from(["created", "created_at", "email", "id", "updated_at"]));
    assert!(!response.text().contains("CANARY"));
}

#[test]
fn one_person_has_one_lead_however_the_address_is_written() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let first = visitor.lead(&json!({"email": "one@bücher.example"})).expect(201)["lead"].clone();
    assert_eq!(first["email"], "one@xn--bcher-kva.example");
    for email in ["  ONE@Bücher.example ", "one@xn--bcher-kva.example", "One@XN--BCHER-KVA.EXAMPLE\n"] {
        let lead = visitor.lead(&json!({"email": email})).expect(200)["lead"].clone();
        assert_eq!((&lead["id"], &lead["email"]), (&first["id"], &first["email"]), "{email:?}");
    }
}

#[test]
fn an_update_never_moves_a_lead_to_another_agent() {
    let site = SITE.get();
    let demo = site.init("demo").lead(&json!({"email": "two@example.com", "name": "At demo"})).expect(201);
    let other = site.init("other").lead(&json!({"email": "two@example.com", "name": "At other"})).expect(201);
    assert_ne!(demo["lead"]["id"], other["lead"]["id"]);
    assert_eq!(stored(&site, "demo", "two@example.com")[0][0], "At demo");
    assert_eq!(stored(&site, "other", "two@example.com")[0][0], "At other");
}

#[test]
fn parallel_posts_of_one_address_make_one_lead() {
    let site = SITE.get();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..20)
            .map(|n| {
                let site = &site;
                scope.spawn(move || {
                    let body = json!({"email": "race@example.com", "fields": {format!("k{}", n % 10): "x"}});
                    site.init("demo").lead(&body).status
                })
            })
            .collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 19, "{statuses:?}");
    let rows = stored(&site, "demo", "race@example.com");
    assert_eq!(rows.len(), 1);
    let fields: Value = serde_json::from_str(&rows[0][4]).unwrap();
    assert_eq!(fields.as_object().unwrap().len(), 10, "no update is lost: {fields}");
}

#[test]
fn every_bad_member_is_named() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let body = json!({"email": "no address", "name": 1, "phone": [], "company": {}, "message": false,
        "fields": {"a": 1, "b": "x".repeat(1001)}, "consent": "yes", "source": "elsewhere", "page": "here"});
    assert_eq!(
        visitor.lead(&body).bad_fields(),
        ["company", "consent", "email", "fields.a", "fields.b", "message", "name", "page", "phone", "source"]
    );
    assert_eq!(visitor.lead(&json!({})).bad_fields(), ["email"]);
    assert_eq!(visitor.lead(&json!({"email": null})).bad_fields(), ["email"]);
}

#[test]
fn what_is_no_address_is_refused() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let long = format!("{}@{}.example.com", "a".repeat(60), "b.".repeat(100));
    for email in [
        "",
        " ",
        "ann",
        "@example.com",
        "ann@",
        "ann@localhost",
        "ann@example..com",
        "a b@example.com",
        "a@b@example.com",
        "ann@example.com\r\nBcc: x@y.example",
        "<ann@example.com>",
        "ann@-example.com",
        &long,
    ] {
        assert_eq!(visitor.lead(&json!({"email": email})).bad_fields(), ["email"], "{email:?}");
    }
}

#[test]
fn fields_have_at_most_twenty_entries_of_a_thousand_characters() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let fields = |n: usize| -> Value {
        (0..n).map(|i| (format!("k{i}"), json!("é".repeat(1000)))).collect::<serde_json::Map<_, _>>().into()
    };
    visitor.lead(&json!({"email": "many@example.com", "fields": fields(20)})).expect(201);
    assert_eq!(visitor.lead(&json!({"email": "many@example.com", "fields": fields(21)})).bad_fields(), ["fields"]);
}

#[test]
fn the_keys_of_fields_are_stored_without_the_white_space_around_them() {
    let site = SITE.get();
    let blank = " ".repeat(10_000);
    let fields = json!({format!("{blank}size\n"): "10"});
    site.init("demo").lead(&json!({"email": "blank@example.com", "fields": fields})).expect(201);
    let rows = stored(&site, "demo", "blank@example.com");
    assert_eq!(serde_json::from_str::<Value>(&rows[0][4]).unwrap(), json!({"size": "10"}));
}

#[test]
fn a_lead_can_come_from_each_source() {
    let site = SITE.get();
    let visitor = site.init("demo");
    for source in ["form", "cta", "rule", "intent"] {
        let lead = json!({"email": format!("{source}@example.com"), "source": source, "consent": true,
            "page": {"url": "https://www.example.com/", "title": "Home", "referrer": "https://search.example/"}});
        visitor.lead(&lead).expect(201);
    }
}

#[test]
fn a_lead_keeps_the_conversation() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor.lead(&json!({"email": "back@example.com"})).expect(201);
    let back = site.resume(&visitor);
    assert!(back.is_resumed());
    assert_eq!(back.conversation_id(), visitor.conversation_id());
}
