//! A visitor who comes back (the contract, section 4).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::site::{Shared, Site, Visitor, init_request};
use crate::support::{CEILING, ORIGIN};

static SITE: Shared = Shared::new(|| {
    Site::with(|config| {
        config.agent("demo").models(&["builtin"]);
    })
});

fn contents(visitor: &Visitor) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    visitor.messages().iter().map(|message| (text(&message["role"]), text(&message["content"]))).collect()
}

#[test]
fn a_visitor_goes_on_where_it_left_off() {
    let site = Site::start();
    site.model.will_say(&["You are ", "Ann."]);
    let visitor = site.init("demo");
    let turn = visitor.ask("Who am I?");
    let back = site.resume(&visitor);
    assert!(back.is_resumed());
    assert_eq!(back.visitor_id(), visitor.visitor_id());
    assert_eq!(back.conversation_id(), visitor.conversation_id());
    assert_ne!(back.token(), visitor.token());
    assert_eq!(contents(&back), [("user".into(), "Who am I?".into()), ("assistant".into(), "You are Ann.".into())]);
    let [question, answer] = back.messages() else { panic!("{:#?}", back.messages()) };
    assert_eq!(question["id"], turn.start()["user_message_id"]);
    assert_eq!(question.get("status"), None, "only an answer has one");
    assert_eq!(answer["id"], turn.start()["message_id"]);
    assert_eq!(answer["status"], "complete");
    back.ask("And now?").done();
}

#[test]
fn the_model_is_told_what_was_said_before() {
    let site = Site::start();
    site.model.will_say(&["You are Ann."]);
    let visitor = site.init("demo");
    visitor.ask("I am Ann. Who am I?").done();
    site.resume(&visitor).ask("And who are you?").done();
    let body = site.model.requests().remove(1).body;
    let messages = body["messages"].as_array().unwrap();
    let last: Vec<_> =
        messages[messages.len() - 3..].iter().map(|m| (m["role"].clone(), m["content"].clone())).collect();
    assert_eq!(
        last,
        [
            (json!("user"), json!("I am Ann. Who am I?")),
            (json!("assistant"), json!("You are Ann.")),
            (json!("user"), json!("And who are you?")),
        ]
    );
}

#[test]
fn at_most_the_last_thirty_messages_come_back_oldest_first() {
    let site = SITE.get();
    let visitor = site.init("demo");
    for n in 1..=17 {
        visitor.ask(&format!("Question {n}")).done();
    }
    let back = site.resume(&visitor);
    assert_eq!(back.messages().len(), 30);
    let questions: Vec<_> =
        contents(&back).into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect();
    let expected: Vec<_> = (3..=17).map(|n| format!("Question {n}")).collect();
    assert_eq!(questions, expected);
    let times: Vec<_> = back.messages().iter().map(|m| m["created_at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn a_new_conversation_is_of_the_same_visitor() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor.ask("First").done();
    let again = site.init_with("demo", json!({"visitor_id": visitor.visitor_id(), "new_conversation": true}));
    assert!(!again.is_resumed());
    assert_eq!(again.visitor_id(), visitor.visitor_id());
    assert_ne!(again.conversation_id(), visitor.conversation_id());
    assert_eq!(again.messages().len(), 0);
    again.ask("Second").done();
    let latest = site.resume(&visitor);
    assert_eq!(latest.conversation_id(), again.conversation_id(), "the latest is resumed");
    assert_eq!(contents(&latest)[0].1, "Second");
    visitor.ask("First again").done();
    assert_eq!(site.resume(&visitor).conversation_id(), visitor.conversation_id(), "by its last activity");
}

#[test]
fn outside_of_the_window_a_new_conversation_of_the_same_visitor_starts() {
    let site = Site::with(|config| {
        config.text("conversation", "resume_window", "1s");
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    assert!(site.resume(&visitor).is_resumed(), "inside of it");
    let deadline = Instant::now() + CEILING;
    let back = loop {
        let back = site.resume(&visitor);
        if !back.is_resumed() {
            break back;
        }
        assert!(Instant::now() < deadline, "still resumed");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(back.visitor_id(), visitor.visitor_id());
    assert_ne!(back.conversation_id(), visitor.conversation_id());
    assert_eq!(back.messages().len(), 0);
}

#[test]
fn an_id_of_another_agent_is_unknown() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor.ask("A secret of demo").done();
    let elsewhere = site.init_with("other", json!({"visitor_id": visitor.visitor_id()}));
    assert!(!elsewhere.is_resumed());
    assert_ne!(elsewhere.visitor_id(), visitor.visitor_id());
    assert_eq!(elsewhere.messages().len(), 0);
    assert!(site.resume(&visitor).is_resumed());
}

#[test]
fn a_conversation_id_resumes_nothing() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    let back = site.init_with(
        "demo",
        json!({"visitor_id": visitor.conversation_id(), "conversation_id": visitor.conversation_id()}),
    );
    assert!(!back.is_resumed());
    assert_ne!(back.conversation_id(), visitor.conversation_id());
}

#[test]
fn guesses_resume_nothing() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    let id = visitor.visitor_id();
    let neighbours = (0..16u8).map(|digit| {
        let last = char::from_digit(u32::from(digit), 16).unwrap();
        format!("{}{last}", &id[..id.len() - 1])
    });
    let tricks =
        [id.replace('-', ""), format!("{{{id}}}"), format!("{id} "), format!("{id}%"), "%".repeat(36), "_".repeat(36)];
    for guess in neighbours.filter(|guess| guess != id).chain(tricks) {
        let stranger = site.init_with("demo", json!({"visitor_id": guess}));
        // A blank around an id may be trimmed: then it is the id.
        assert!(!stranger.is_resumed() || guess.trim() == id, "{guess:?}");
    }
}

/// All ids that differ in one digit, then as many as are wanted with 122 bits by chance, as the server makes them.
fn wild_guesses(id: &str, count: usize) -> Vec<String> {
    let neighbours = id.char_indices().filter(|(_, digit)| *digit != '-').flat_map(|(place, digit)| {
        let others = "0123456789abcdef".chars().filter(move |other| *other != digit);
        others.map(move |other| format!("{}{other}{}", &id[..place], &id[place + 1..]))
    });
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        // Xorshift: the guesses are the same in each run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let random_ids = std::iter::repeat_with(|| {
        let (high, low) = (random(), random());
        let [time, middle, version] = [high >> 32, high >> 16 & 0xffff, high & 0xfff];
        let [variant, node] = [low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff];
        format!("{time:08x}-{middle:04x}-4{version:03x}-{variant:04x}-{node:012x}")
    });
    neighbours.chain(random_ids).take(count).collect()
}

#[test]
fn ten_thousand_guesses_resume_nothing_either() {
    let site = SITE.get();
    let visitor = site.init("demo");
    visitor.ask("CANARY").done();
    let guesses = wild_guesses(visitor.visitor_id(), 10_000);
    std::thread::scope(|scope| {
        for guesses in guesses.chunks(2_500) {
            let site = &site;
            scope.spawn(move || {
                let mut connection = site.connect();
                for guess in guesses {
                    let request = init_request("demo", json!({"visitor_id": guess})).origin(ORIGIN);
                    let response = connection.call_lightly(&request);
                    // Not as JSON: that would take longer than the server does.
                    let text = response.text();
                    assert!(response.status == 200 && text.contains(r#""resumed":false"#), "{guess}: {text}");
                    assert!(!text.contains("CANARY"), "{guess}");
                }
            });
        }
    });
    assert!(site.resume(&visitor).is_resumed(), "the one that is right does");
}

#[test]
fn an_id_that_is_unknown_is_answered_like_one_of_another_agent_and_like_none() {
    let site = SITE.get();
    let (visitor, foreigner) = (site.init("demo"), site.init("other"));
    visitor.ask("Hello").done();
    foreigner.event(&json!({"type": "launcher_open"})).expect(202);
    let shape = |members: Value| {
        let response = site.call(&init_request("demo", members).origin(ORIGIN));
        let names: Vec<_> = response.headers.iter().map(|(name, _)| name.clone()).collect();
        // All members, with the length of those whose value is new each time.
        let mut answer = response.expect(200);
        for member in ["token", "visitor_id", "conversation_id", "expires_at"] {
            answer[member] = answer[member].as_str().unwrap().len().into();
        }
        (names, answer)
    };
    let none = shape(json!({}));
    assert_eq!(none.1["resumed"], false);
    for id in [foreigner.visitor_id(), visitor.conversation_id(), &wild_guesses(visitor.visitor_id(), 1)[0]] {
        assert_eq!(shape(json!({"visitor_id": id})), none);
    }
    assert_ne!(shape(json!({"visitor_id": visitor.visitor_id()})), none, "the shape tells those who are known");
}

#[test]
fn a_visitor_who_said_nothing_has_nothing_to_resume() {
    let site = SITE.get();
    let visitor = site.init("demo");
    let back = site.resume(&visitor);
    assert!(!back.is_resumed());
    assert_eq!(back.messages().len(), 0);
}

#[test]
fn an_event_or_a_lead_is_enough_to_come_back_to() {
    let site = SITE.get();
    let (clicker, customer) = (site.init("demo"), site.init("demo"));
    clicker.event(&json!({"type": "launcher_open"})).expect(202);
    customer.lead(&json!({"email": "resume@example.com"})).expect(201);
    for visitor in [clicker, customer] {
        let back = site.resume(&visitor);
        assert!(back.is_resumed());
        assert_eq!(back.conversation_id(), visitor.conversation_id());
    }
}

#[test]
fn a_restart_forgets_no_conversation() {
    let mut site = Site::start();
    let visitor = site.init("demo");
    visitor.ask("Remember me").done();
    site.kill_and_restart();
    let back = site.resume(&visitor);
    assert!(back.is_resumed());
    assert_eq!(contents(&back)[0].1, "Remember me");
    visitor.at(&site).ask("The old token is still good").done();
}
