//! `POST /v1/widget/messages`: the whole answer in one document (the contract, section 7), and the embedded model.

use serde_json::json;

use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

#[test]
fn the_whole_answer_is_one_document() {
    let site = Site::start();
    site.model.will_say(&["Hel", "lo ", "there."]);
    let visitor = site.init("demo");
    let answer = visitor.say("Hi").expect(200);
    assert_eq!(answer["message"]["role"], "assistant");
    assert_eq!(answer["message"]["content"], "Hello there.");
    assert_eq!(answer["message"]["status"], "complete");
    assert_eq!(answer["finish_reason"], "stop");
    assert_eq!(answer["usage"], json!({"input_tokens": 20, "output_tokens": 10}));
    assert_eq!(answer["budget"]["messages_remaining"], 59);
    let back = site.resume(&visitor);
    assert_eq!(back.messages()[0]["id"], answer["user_message"]["id"]);
    assert_eq!(back.messages()[0]["created_at"], answer["user_message"]["created_at"]);
    assert_eq!(back.messages()[1], answer["message"]);
}

#[test]
fn model_trouble_is_502_or_504_and_the_message_is_kept() {
    let mut site = Site::start();
    let is_kept = |site: &Site, status, code| {
        let visitor = site.init("demo");
        visitor.say("Hi").refused(status, code);
        let back = site.resume(&visitor);
        assert_eq!(back.messages().len(), 1, "{:#?}", back.messages());
        assert_eq!(back.messages()[0]["content"], "Hi");
    };
    site.model.will_refuse(500);
    is_kept(&site, 502, "model_unavailable");
    // Not before: a machine that is busy may take longer for the refusal.
    site.reload(|config| {
        config.fake("first_token_timeout", "\"200ms\"");
    });
    site.server.wait_for_line("reloaded");
    let _gate = site.model.will_hold(&[], &["Too late."]);
    is_kept(&site, 504, "model_timeout");
}

#[test]
fn trouble_midway_keeps_what_was_said() {
    let site = Site::start();
    site.model.will_cut(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    visitor.say("Hi").refused(502, "model_unavailable");
    let answer = site.resume(&visitor).messages()[1].clone();
    assert_eq!((&answer["content"], &answer["status"]), (&json!("Half an ans"), &json!("partial")));
}

#[test]
fn bad_members_are_named() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let post = |body| visitor.post("/v1/widget/messages", &body);
    assert_eq!(
        post(json!({"content": "x".repeat(4001), "client_message_id": {}})).bad_fields(),
        ["client_message_id", "content"]
    );
    assert_eq!(post(json!({"content": " "})).bad_fields(), ["content"]);
    assert_eq!(post(json!({"content": "Hi", "page": "here"})).bad_fields(), ["page"]);
}

#[test]
fn the_cause_of_trouble_is_for_the_log_alone() {
    let site = Site::start();
    site.model.will_refuse(500);
    let response = site.init("demo").say("Hi");
    let problem = response.refused(502, "model_unavailable");
    let told = format!("{} {}", problem["title"], problem["detail"]);
    for secret in ["127.0.0.1", "500", "scripted", "fake"] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let line = site.server.wait_for_line(problem["request_id"].as_str().unwrap());
    assert!(line.contains("500") || site.server.printed().contains("500"), "{line}");
}

/// An agent with answers of its own.
fn site_with_faq() -> Site {
    Site::with(|config| {
        config
            .agent("demo")
            .models(&["builtin"])
            .faq("What are your opening hours?", "We are open from nine to five, Monday to Friday.")
            .faq("How much does shipping cost?", "Shipping is free from 50 euros.")
            .faq("Do you ship to Switzerland?", "Yes, to Switzerland and Austria.")
            .faq("Wie kann ich zahlen?", "Mit Karte oder auf Rechnung: das geht immer.");
    })
}

#[test]
fn the_embedded_model_answers_from_the_faq() {
    let site = site_with_faq();
    for (question, answer) in [
        ("What are your opening hours?", "nine to five"),
        ("when are you open? opening hours please", "nine to five"),
        ("shipping cost", "free from 50 euros"),
        ("Do you also ship to SWITZERLAND", "Switzerland and Austria"),
        ("Wie kann man bei euch zahlen", "auf Rechnung"),
    ] {
        let turn = site.init("demo").ask(question);
        assert!(turn.text().contains(answer), "{question}: {}", turn.text());
        assert!(turn.events.len() > 4, "in words, as a model would: {:?}", turn.names());
        assert_eq!(turn.done()["finish_reason"], "stop");
    }
    assert!(site.model.requests().is_empty(), "no network");
}

#[test]
fn the_embedded_model_says_that_it_does_not_know() {
    let site = site_with_faq();
    for question in ["Can you write a poem about llamas?", "!?", "\" OR * NEAR(", "你好"] {
        let turn = site.init("demo").ask(question);
        turn.done();
        let text = turn.text().to_lowercase();
        assert!(text.contains("email"), "{question}: {text}");
        assert!(!text.contains("shipping") && !text.contains("nine"), "{question}: {text}");
    }
}

#[test]
fn the_owner_may_word_that_it_does_not_know() {
    let site = Site::with(|config| {
        config.agent("demo").models(&["builtin"]).text("unknown_answer", "Ask me something else, or call us.");
    });
    assert_eq!(site.init("demo").ask("Why?").text(), "Ask me something else, or call us.");
}

#[test]
fn faqs_of_one_agent_are_not_told_by_another() {
    let site = Site::with(|config| {
        config.agent("demo").models(&["builtin"]).faq("Where is the key?", "Under the mat.");
        config.agent("other").models(&["builtin"]).faq("Where is the cat?", "On the sofa.");
    });
    assert!(!site.init("other").ask("Where is the key?").text().contains("mat"));
    assert!(site.init("demo").ask("Where is the key?").text().contains("mat"));
}

#[test]
fn a_link_of_the_faq_is_told_with_the_answer() {
    let site = Site::with(|config| {
        config.agent("demo").models(&["builtin"]).table(
            "[[agent.faq]]\nquestion = \"What are the prices?\"\nanswer = \"From 10 euros.\"\nurl = \"https://www.example.com/prices\"\n",
        );
    });
    let text = site.init("demo").ask("What are the prices?").text();
    assert!(text.contains("From 10 euros.") && text.contains("https://www.example.com/prices"), "{text}");
}

#[test]
fn an_answer_that_does_not_know_offers_the_lead_form_each_time_it_is_told() {
    let site = Site::with(|config| {
        config
            .agent("demo")
            .models(&["builtin"])
            .faq("Where is the key?", "Under the mat.")
            .table("[agent.lead_form]\n");
        config.agent("other").models(&["builtin"]);
    });
    let visitor = site.init("demo");
    let unknown = json!({"content": "Tell me of quantum gravity", "client_message_id": "q1"});
    for _ in 0..2 {
        assert_eq!(visitor.post("/v1/widget/messages", &unknown).expect(200)["offer_lead"], true);
        let Ok(mut stream) = visitor.stream(&unknown) else { panic!("refused") };
        assert_eq!(stream.rest().done()["offer_lead"], true);
    }
    assert_eq!(visitor.say("Where is the key?").expect(200)["offer_lead"], false);
    let without_form = site.init("other");
    assert_eq!(without_form.say("Tell me of quantum gravity").expect(200)["offer_lead"], false);
}
