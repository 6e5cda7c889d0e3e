//! The pages of the admin page: what they show, and what their forms do.

use serde_json::json;

use crate::fake_model::{FakeModel, respond};
use crate::support::admin::Owner;
use crate::support::client::{Request, Response};
use crate::support::db;
use crate::support::site::Site;
use crate::support::wait_until;

/// What a visitor may write anywhere.
const HOSTILE: &str = "</textarea></td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

/// No markup of a visitor's is in the page, and what the visitor wrote can be read.
#[track_caller]
fn is_escaped(page: &str) {
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
}

#[test]
fn what_visitors_write_is_text_on_every_page() {
    let site = Site::start();
    let owner = Owner::of(&site);
    site.model.will_say(&[HOSTILE]);
    let visitor = site.init("demo");
    visitor.ask(HOSTILE);
    let page = json!({"url": format!("https://www.example.com/?{HOSTILE}"), "title": HOSTILE, "referrer": HOSTILE});
    let lead = json!({"email": "a@example.com", "name": HOSTILE, "company": HOSTILE, "message": HOSTILE, "page": page,
                      "fields": {"size": HOSTILE}});
    let id = visitor.lead(&lead).expect(201)["lead"]["id"].as_str().unwrap().to_owned();
    visitor.lead(&json!({"email": "a@example.com", "name": "Ann"})).expect(200);
    visitor.event(&json!({"type": "link_click", "props": {"text": HOSTILE}, "page": page})).expect(202);
    is_escaped(&owner.page("/admin/conversations"));
    is_escaped(&owner.page(&format!("/admin/conversations/{}", visitor.conversation_id())));
    is_escaped(&owner.page("/admin/leads"));
    let saved = owner.post_from(
        &format!("/admin/leads/{id}"),
        &format!("/admin/leads/{id}"),
        &[("status", "won"), ("note", HOSTILE)],
    );
    assert_eq!(saved.status, 303);
    is_escaped(&owner.page(&format!("/admin/leads/{id}")));
    let query: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for page in ["/admin/conversations", "/admin/leads"] {
        is_escaped(&owner.page(&format!("{page}?q={query}&from={query}&to={query}&after={query}")));
    }
    owner.page(&format!("/admin?agent={query}&days={query}&done={query}"));
}

#[test]
fn a_conversation_is_found_read_and_deleted() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let (first, second) = (site.init("demo"), site.init("other"));
    site.model.will_report(20, 10);
    first.ask("Do you have kites?");
    second.ask("Is there tea?");
    first.lead(&json!({"email": "ann@example.com"})).expect(201);
    let list = |query: &str| {
        let page = owner.page(&format!("/admin/conversations{query}"));
        (page.contains("Do you have kites?"), page.contains("Is there tea?"))
    };
    assert_eq!(list(""), (true, true));
    assert_eq!(list("?agent=other"), (false, true));
    assert_eq!(list("?lead=1"), (true, false));
    assert_eq!(list("?from=2000-01-01&to=2000-01-02"), (false, false));
    assert_eq!(list("?from=2000-01-01"), (true, true));
    let path = format!("/admin/conversations/{}", first.conversation_id());
    let page = owner.page(&path);
    assert!(page.contains("Do you have kites?") && page.contains("20 tokens in, 10 out"), "{page}");
    assert!(page.contains("ann@example.com"));
    assert!(owner.page(&format!("{path}/delete")).contains("The lead that was left in it stays"));
    let deleted = owner.post_from(&format!("{path}/delete"), &format!("{path}/delete"), &[]);
    assert_eq!((deleted.status, deleted.must("Location")), (303, "/admin/conversations?done=deleted"));
    assert_eq!(owner.get(&path).status, 404);
    assert_eq!(list(""), (false, true));
    assert_eq!(db::count(&site.server.data(), "select count(*) from leads"), 1);
    assert!(owner.page("/admin/leads").contains("ann@example.com"));
    for path in ["/admin/conversations/x", "/admin/conversations/00000000-0000-7000-8000-000000000000"] {
        assert_eq!(owner.get(path).status, 404);
    }
}

#[test]
fn a_long_list_comes_page_by_page() {
    let site = Site::start();
    let owner = Owner::of(&site);
    for n in 0..51 {
        site.init("demo").lead(&json!({"email": format!("a{n}@example.com")})).expect(201);
    }
    let first = owner.page("/admin/leads?q=example");
    assert!(first.contains("a50@") && first.contains("a1@") && !first.contains("a0@"));
    let older = first.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let second = owner.page(&older);
    assert!(second.contains("a0@") && !second.contains("a1@") && second.contains("Newest"), "{older}");
}

#[test]
fn a_lead_has_the_owners_state_and_note() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let visitor = site.init("demo");
    let lead = json!({"email": "ann@example.com", "name": "Ann", "consent": true, "fields": {"size": "big"}});
    let id = visitor.lead(&lead).expect(201)["lead"]["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/leads/{id}");
    let save = |fields: &[(&str, &str)]| -> Response { owner.post_from(&path, &path, fields) };
    let saved = save(&[("status", "contacted"), ("note", "called\r\ntwice ")]);
    assert_eq!((saved.status, saved.must("Location")), (303, format!("{path}?done=saved").as_str()));
    let page = owner.page(&format!("{path}?done=saved"));
    assert!(page.contains("value=\"contacted\" checked") && page.contains(">called\ntwice</textarea>"), "{page}");
    assert!(page.contains("Saved.") && page.contains("size"));
    assert!(owner.page("/admin/leads?status=contacted").contains("ann@example.com"));
    assert!(!owner.page("/admin/leads?status=new").contains("ann@example.com"));
    assert!(owner.page("/admin/leads?q=ANN").contains("ann@example.com"));
    let long = "x".repeat(4001);
    for bad in [&[("status", "gone"), ("note", "")][..], &[("note", "")], &[("status", "new"), ("note", &long)]] {
        assert_eq!(save(bad).status, 422);
    }
    visitor.lead(&json!({"email": "ann@example.com", "name": "Anna"})).expect(200);
    let page = owner.page(&path);
    assert!(
        page.contains("What it was before") && page.contains("called\ntwice"),
        "what visitors change is not the note"
    );
    let gone = owner.post_from(&path, "/admin/leads/00000000-0000-7000-8000-000000000000", &[("status", "new")]);
    assert_eq!(gone.status, 404);
}

#[test]
fn the_switch_really_pauses_an_agent_and_lets_it_answer_again() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let visitor = site.init("demo");
    visitor.ask("Are you there?");
    let paused = owner.post_from("/admin", "/admin/agents/demo/pause", &[]);
    assert_eq!((paused.status, paused.must("Location")), (303, "/admin?done=paused"));
    assert_eq!(visitor.say("And now?").code(), "agent_paused");
    assert_eq!(site.init("other").say("And you?").status, 200, "the other one goes on");
    let page = owner.page("/admin?done=paused");
    assert!(page.contains("paused since") && page.contains("/admin/agents/demo/resume"), "{page}");
    assert!(page.contains("/admin/agents/other/pause"));
    let resumed = owner.post_from("/admin", "/admin/agents/demo/resume", &[]);
    assert_eq!((resumed.status, resumed.must("Location")), (303, "/admin?done=resumed"));
    assert_eq!(visitor.say("And now?").status, 200);
    assert_eq!(owner.post_from("/admin", "/admin/agents/nobody/pause", &[]).status, 404);
    assert_eq!(owner.send("POST", "/admin/agents/demo/pause", Some(&[])).status, 403, "not without the form's token");
}

#[test]
fn spending_is_shown_against_its_ceilings() {
    let site = Site::with(|config| {
        config.fake("input_price", "1000").fake("output_price", "1000");
        config.text("ceiling", "currency", "EUR").set("ceiling", "cost_per_month", "500");
        config.agent("demo").table("[agent.budget]\nagent_tokens_per_day = 2000\nanswer_tokens = 50\n");
    });
    let owner = Owner::of(&site);
    site.model.will_report(150, 50);
    site.init("demo").ask("How much?");
    let page = owner.page("/admin");
    assert!(
        page.contains("200 <span class=\"soft\">of 2,000") && page.contains("class=\"fill\" width=\"10\""),
        "{page}"
    );
    assert!(page.contains("0.20 EUR") && page.contains("of 500.00 EUR") && page.contains("All together"), "{page}");
}

#[test]
fn the_periods_of_what_is_kept_are_shown() {
    let site = Site::with(|config| {
        config.text("retention", "conversations", "30d").text("retention", "leads", "forever");
    });
    let page = Owner::of(&site).page("/admin/retention");
    for text in ["30 days", "for ever", "[retention]"] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

#[test]
fn leads_are_exported_as_they_are_filtered_and_safe_to_open() {
    let site = Site::start();
    let owner = Owner::of(&site);
    for (email, name) in [("ann@example.com", "=cmd|' /C calc'!A0"), ("bob@example.com", "Bob \"B\", Jr.")] {
        site.init("demo").lead(&json!({"email": email, "name": name})).expect(201);
    }
    let csv = owner.get("/admin/leads/export.csv");
    assert_eq!((csv.status, csv.must("Content-Type")), (200, "text/csv; charset=utf-8"));
    assert_eq!(csv.must("Content-Disposition"), "attachment; filename=\"leads.csv\"");
    let text = csv.text();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.starts_with("\"id\",\"agent_id\",\"created_at\","), "{text}");
    assert!(text.contains("\"'=cmd|' /C calc'!A0\"") && text.contains("\"Bob \"\"B\"\", Jr.\""), "{text}");
    assert!(!owner.get("/admin/leads/export.csv?q=bob").text().contains("ann@"));
    let json = owner.get("/admin/leads/export.jsonl?q=ann").text();
    let lead: serde_json::Value = serde_json::from_str(json.trim_end()).expect("one object");
    assert_eq!(lead["email"], "ann@example.com");
    assert_eq!(owner.send("HEAD", "/admin/leads/export.csv", None).status, 200);
    let said = owner.get("/admin/conversations/export.csv").text();
    assert!(said.starts_with("\"id\",\"agent_id\",\"began_at\""), "{said}");
    assert_eq!(Owner::at(site.address()).get("/admin/leads/export.csv").status, 303, "not for strangers");
}

#[test]
fn an_export_of_any_length_comes_whole() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let message = "x".repeat(4000);
    for n in 0..60 {
        let lead = json!({"email": format!("a{n}@example.com"), "message": message});
        site.init("demo").lead(&lead).expect(201);
    }
    let text = owner.get("/admin/leads/export.csv").text();
    assert_eq!((text.lines().count(), text.matches("@example.com").count()), (61, 60));
}

#[test]
fn the_overview_tells_what_happened_and_what_was_refused() {
    let site = Site::start();
    let owner = Owner::of(&site);
    let visitor = site.init("demo");
    visitor.event(&json!({"type": "launcher_open"})).expect(202);
    site.model.will_say(&["I don't know that."]);
    visitor.ask("Who will win?");
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    let elsewhere = json!({"agent_id": "demo"});
    let refused = Request::post("/v1/widget/init", &elsewhere).origin("https://example.com");
    site.call(&refused).refused(403, "origin_not_allowed");
    // It is counted behind the requests, some seconds later.
    wait_until("the day is counted", || owner.page("/admin?days=7").contains("Who will win?"));
    wait_until("the refusal is counted", || owner.page("/admin?days=7").contains("https://example.com"));
    let page = owner.page("/admin?days=7&agent=demo");
    let line = "allowed_origins = [&#34;https://www.example.com&#34;, &#34;https://example.com&#34;]";
    assert!(page.contains(line), "{page}");
    for text in ["A page that is not in allowed_origins", "Opened the widget", "median", "7 days"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains(&format!("/admin/conversations/{}", visitor.conversation_id())));
    assert!(!owner.page("/admin?agent=other").contains("Who will win?"));
    assert!(owner.page("/admin/conversations?unanswered=1").contains("Who will win?"));
    assert!(owner.page("/admin/conversations?q=win").contains("Who will win?"));
    assert!(!owner.page("/admin/conversations?q=lose").contains("Who will win?"));
}

#[test]
fn a_delivery_that_was_given_up_is_tried_again_by_its_button() {
    let receiver = FakeModel::start();
    receiver.always(|_| respond(200, &[], "thank you"));
    receiver.script(respond(410, &[], "gone"));
    let site = Site::with(|config| {
        config.webhook("crm", &format!("url = {:?}\nallow_private = true\nformat = \"slack\"", receiver.url()));
    });
    let owner = Owner::of(&site);
    site.init("demo").lead(&json!({"email": "ann@example.com"})).expect(201);
    wait_until("it is given up", || owner.page("/admin/webhooks").contains("Given up"));
    let page = owner.page("/admin/webhooks");
    assert!(page.contains("lead.captured") && page.contains("410") && page.contains("crm"), "{page}");
    assert!(!page.contains(&receiver.url()), "an address may be a key");
    let (before, _) = page.split_once("/replay\"").expect("a form");
    let all = before.ends_with("/admin/webhooks");
    assert!(all, "{page}");
    let (before, _) = page.rsplit_once("/replay\"").expect("a form of the delivery");
    let path = format!("{}/replay", before.rsplit('"').next().unwrap());
    let replayed = owner.post_from("/admin/webhooks", &path, &[]);
    assert_eq!((replayed.status, replayed.must("Location")), (303, "/admin/webhooks?done=replayed"));
    wait_until("it is delivered", || owner.page("/admin/webhooks").contains("delivered"));
    assert_eq!(owner.post_from("/admin/webhooks", &path, &[]).status, 422, "there is nothing to try again");
    assert_eq!(owner.post_from("/admin/webhooks", "/admin/webhooks/replay", &[]).status, 303);
    let unknown = "/admin/webhooks/00000000-0000-7000-8000-000000000000/replay";
    assert_eq!(owner.post_from("/admin/webhooks", unknown, &[]).status, 404);
}
