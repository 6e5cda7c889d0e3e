//! The same `client_message_id` never asks the model twice (the contract, section 6).

use serde_json::{Value, json};

use crate::support::site::Site;

fn message(content: &str, id: &str) -> Value {
    json!({"content": content, "client_message_id": id})
}

#[test]
fn a_repetition_streams_the_stored_answer() {
    let site = Site::start();
    site.model.will_say(&["Once ", "only."]);
    let visitor = site.init("demo");
    let first = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    let second = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    assert_eq!(second.text(), "Once only.");
    assert_eq!(second.start(), first.start());
    assert_eq!(second.done(), first.done());
    assert_eq!(site.model.requests().len(), 1);
    assert_eq!(site.resume(&visitor).messages().len(), 2);
}

#[test]
fn both_endpoints_repeat_each_other() {
    let site = Site::start();
    site.model.will_say(&["Once ", "only."]);
    let visitor = site.init("demo");
    let whole = visitor.post("/v1/widget/messages", &message("Hello", "m-1")).expect(200);
    let again = visitor.post("/v1/widget/messages", &message("  Hello\n", "m-1")).expect(200);
    assert_eq!(again, whole, "the content is compared as it is stored");
    let turn = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    assert_eq!(turn.text(), "Once only.");
    assert_eq!(turn.start()["message_id"], whole["message"]["id"]);
    assert_eq!(turn.start()["user_message_id"], whole["user_message"]["id"]);
    assert_eq!(turn.done()["usage"], whole["usage"]);
    assert_eq!(site.model.requests().len(), 1);
}

#[test]
fn a_repetition_costs_nothing_of_the_budget() {
    let site = Site::with(|config| {
        config.set("budget", "messages", 1);
    });
    let visitor = site.init("demo");
    visitor.stream(&message("Hello", "m-1")).unwrap().rest().done();
    let again = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    assert_eq!(again.done()["budget"]["messages_remaining"], 0);
    visitor.refused(&message("Hello", "m-2")).refused(429, "conversation_budget_exhausted");
}

#[test]
fn other_content_under_the_same_id_is_refused() {
    let site = Site::start();
    let visitor = site.init("demo");
    visitor.stream(&message("Hello", "m-1")).unwrap().rest().done();
    for response in
        [visitor.refused(&message("Goodbye", "m-1")), visitor.post("/v1/widget/messages", &message("hello", "m-1"))]
    {
        let problem = response.refused(422, "idempotency_mismatch");
        assert_eq!(problem["errors"][0]["field"], "client_message_id");
    }
    assert_eq!(site.model.requests().len(), 1);
}

#[test]
fn a_repetition_waits_while_the_answer_is_being_generated() {
    let site = Site::start();
    let gate = site.model.will_hold(&["Wait "], &["for it."]);
    let visitor = site.init("demo");
    let mut stream = visitor.stream(&message("Hello", "m-1")).unwrap();
    stream.expect("start");
    stream.expect("token");
    for response in [
        visitor.refused(&message("Hello", "m-1")),
        visitor.post("/v1/widget/messages", &message("Hello", "m-1")),
        visitor.refused(&message("Another", "m-2")),
        visitor.refused(&json!({"content": "Another"})),
    ] {
        response.refused(409, "generation_in_progress");
        assert_eq!(response.must("Retry-After"), "1");
    }
    gate.open();
    stream.rest().done();
    let again = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    assert_eq!(again.text(), "Wait for it.");
    assert_eq!(site.model.requests().len(), 1);
}

#[test]
fn an_id_is_of_its_conversation_alone() {
    let site = Site::start();
    let (ann, bob) = (site.init("demo"), site.init("demo"));
    let first = ann.stream(&message("Hello", "m-1")).unwrap().rest();
    let second = bob.stream(&message("Good morning", "m-1")).unwrap().rest();
    assert_ne!(first.start()["message_id"], second.start()["message_id"]);
    assert_eq!(site.model.requests().len(), 2);
}

#[test]
fn a_partial_answer_is_repeated_as_one() {
    let site = Site::start();
    site.model.will_cut(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let first = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    first.failed("model_unavailable");
    let second = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    assert_eq!(second.text(), "Half an ans");
    assert_eq!(second.done()["finish_reason"], "cancelled");
    let whole = visitor.post("/v1/widget/messages", &message("Hello", "m-1")).expect(200);
    assert_eq!(whole["message"]["content"], "Half an ans");
    assert_eq!(whole["message"]["status"], "partial");
    assert_eq!(whole["finish_reason"], "cancelled");
    assert_eq!(site.model.requests().len(), 1);
}

#[test]
fn a_message_without_any_answer_asks_again_as_the_same_message() {
    let site = Site::start();
    site.model.will_refuse(500);
    let visitor = site.init("demo");
    let failed = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    failed.failed("model_unavailable");
    site.model.will_say(&["Here I am."]);
    let second = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    second.done();
    assert_eq!(second.text(), "Here I am.");
    assert_eq!(second.start()["user_message_id"], failed.start()["user_message_id"]);
    let back = site.resume(&visitor);
    assert_eq!(back.messages().len(), 2, "one question, one answer: {:#?}", back.messages());
}

#[test]
fn of_fifty_repetitions_at_once_one_asks_the_model() {
    let site = Site::with(|config| {
        config.set("server", "generations", 128);
    });
    let visitor = site.init("demo");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let post = || visitor.post("/v1/widget/messages", &message("Hello", "m-1")).status;
        let posts: Vec<_> = (0..50).map(|_| scope.spawn(post)).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| [200, 409].contains(status)), "{statuses:?}");
    assert!(statuses.contains(&200), "{statuses:?}");
    assert_eq!(site.model.requests().len(), 1);
    assert_eq!(site.resume(&visitor).messages().len(), 2);
}

#[test]
fn a_repetition_is_known_after_a_restart() {
    let mut site = Site::start();
    site.model.will_say(&["Stored."]);
    let visitor = site.init("demo");
    let first = visitor.stream(&message("Hello", "m-1")).unwrap().rest();
    site.kill_and_restart();
    let second = visitor.at(&site).stream(&message("Hello", "m-1")).unwrap().rest();
    assert_eq!((second.text(), second.start()), (first.text(), first.start()));
    assert_eq!(site.model.requests().len(), 1);
}
