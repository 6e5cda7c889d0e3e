//! Visitors who leave in the middle: noticed within two seconds, the model's call closed, what was said kept as partial
//! (the contract, section 6).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::fake_model::{Step, chunk, event, head, token};
use crate::support::client::Connection;
use crate::support::site::{Site, Visitor};
use crate::support::{CEILING, wait_until};

/// Two seconds by the contract; the rest is for a machine that is slow.
const NOTICED: Duration = Duration::from_secs(5);

/// The last message of the conversation, once it is an answer.
fn stored_answer(site: &Site, visitor: &Visitor) -> Value {
    let deadline = Instant::now() + CEILING;
    loop {
        let back = site.resume(visitor);
        match back.messages().last() {
            Some(message) if message["role"] == "assistant" => return message.clone(),
            _ => assert!(Instant::now() < deadline, "no answer was stored"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The conversation is free again: it takes the next message.
fn is_free(visitor: &Visitor) {
    let deadline = Instant::now() + CEILING;
    loop {
        let response = visitor.say("Are you there?");
        if response.status == 200 {
            return;
        }
        response.refused(409, "generation_in_progress");
        assert!(Instant::now() < deadline, "the conversation is never free");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn who_leaves_while_the_model_is_silent_is_noticed_and_the_call_is_closed() {
    let site = Site::start();
    site.model.will_hang_after(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    for name in ["start", "token", "token"] {
        stream.expect(name);
    }
    let left = Instant::now();
    stream.leave();
    let closed = site.model.wait_until_closed(0);
    assert!(closed.duration_since(left) < NOTICED, "{:?}", closed.duration_since(left));
    let answer = stored_answer(&site, &visitor);
    assert_eq!((&answer["content"], &answer["status"]), (&json!("Half an ans"), &json!("partial")));
    is_free(&visitor);
}

#[test]
fn who_leaves_before_the_first_word_leaves_a_question() {
    let site = Site::start();
    site.model.will_hang_after(&[]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    // The start is told before the model is asked: who leaves in between is never asked about.
    site.model.wait_for_requests(1);
    let left = Instant::now();
    stream.leave();
    let closed = site.model.wait_until_closed(0);
    assert!(closed.duration_since(left) < NOTICED, "{:?}", closed.duration_since(left));
    is_free(&visitor);
    let messages = site.resume(&visitor).messages().to_vec();
    let contents: Vec<_> = messages.iter().map(|message| message["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["Hello", "Are you there?", "Hello from the scripted model."]);
}

#[test]
fn who_leaves_while_the_model_speaks_is_noticed_too() {
    let site = Site::start();
    let Step::Send(word) = token("word ") else { panic!("a token is sent") };
    site.model.script(vec![head(), Step::Repeat(word, Duration::from_millis(5))]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Talk");
    for name in ["start", "token", "token", "token"] {
        stream.expect(name);
    }
    let left = Instant::now();
    stream.leave();
    let closed = site.model.wait_until_closed(0);
    assert!(closed.duration_since(left) < NOTICED, "{:?}", closed.duration_since(left));
    let answer = stored_answer(&site, &visitor);
    assert_eq!(answer["status"], "partial");
    assert!(answer["content"].as_str().unwrap().starts_with("word word word "));
}

#[test]
fn who_leaves_the_synchronous_endpoint_is_noticed_too() {
    let site = Site::start();
    site.model.will_hang_after(&["Half an ", "ans"]);
    let visitor = site.init("demo");
    let mut connection = site.connect();
    connection.send(&visitor.request("/v1/widget/messages", &json!({"content": "Hello"})));
    site.model.wait_for_requests(1);
    let left = Instant::now();
    connection.leave();
    let closed = site.model.wait_until_closed(0);
    assert!(closed.duration_since(left) < NOTICED, "{:?}", closed.duration_since(left));
    let back = site.resume(&visitor);
    assert_eq!(back.messages()[0]["content"], "Hello");
    is_free(&visitor);
}

#[test]
fn who_leaves_while_the_model_is_busy_without_a_word_is_noticed_too() {
    let site = Site::start();
    let thought = || event(&json!({"choices": [{"delta": {"reasoning_content": "hm "}}]}));
    for (what, begin, again, pause_ms) in [
        ("thoughts", thought(), thought(), 20),
        ("a thought in the text", token("<think>"), token("hm "), 20),
        ("comments", chunk(":\n\n"), chunk(":\n\n"), 100),
    ] {
        let Step::Send(bytes) = again else { panic!("{what} are sent") };
        let request = site.model.requests().len();
        site.model.script(vec![head(), begin, Step::Repeat(bytes, Duration::from_millis(pause_ms))]);
        let mut stream = site.init("demo").open("Think");
        stream.expect("start");
        site.model.wait_for_requests(request + 1);
        let left = Instant::now();
        stream.leave();
        let closed = site.model.wait_until_closed(request);
        assert!(closed.duration_since(left) < NOTICED, "{what}: {:?}", closed.duration_since(left));
    }
}

#[test]
fn who_leaves_the_synchronous_endpoint_while_the_model_speaks_is_noticed_too() {
    let site = Site::start();
    let Step::Send(word) = token("word ") else { panic!("a token is sent") };
    site.model.script(vec![head(), Step::Repeat(word, Duration::from_millis(5))]);
    let visitor = site.init("demo");
    let mut connection = site.connect();
    connection.send(&visitor.request("/v1/widget/messages", &json!({"content": "Talk"})));
    site.model.wait_for_requests(1);
    let left = Instant::now();
    connection.leave();
    let closed = site.model.wait_until_closed(0);
    assert!(closed.duration_since(left) < NOTICED, "{:?}", closed.duration_since(left));
    assert_eq!(stored_answer(&site, &visitor)["status"], "partial");
}

#[test]
fn what_was_used_is_charged() {
    let site = Site::start();
    site.model.will_hang_after(&["Half an ", "answer of some length"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    for name in ["start", "token", "token"] {
        stream.expect(name);
    }
    stream.leave();
    stored_answer(&site, &visitor);
    let budget = site.resume(&visitor).answer["budget"].clone();
    assert_eq!(budget["messages_remaining"], 59);
    let left = budget["tokens_remaining"].as_u64().unwrap();
    assert!((39_000..40_000).contains(&left), "neither nothing nor all that was reserved: {left}");
}

#[test]
fn twenty_who_leave_leave_nothing_behind() {
    let site = Site::with(|config| {
        config.set("server", "generations", 40);
    });
    for _ in 0..20 {
        site.model.will_hang_after(&["Well, "]);
    }
    let visitors: Vec<_> = (0..20).map(|_| site.init("demo")).collect();
    let streams: Vec<_> = visitors
        .iter()
        .map(|visitor| {
            let mut stream = visitor.open("Hello");
            stream.expect("start");
            stream
        })
        .collect();
    site.model.wait_for_requests(20);
    streams.into_iter().for_each(super::support::sse::EventStream::leave);
    for request in 0..20 {
        site.model.wait_until_closed(request);
    }
    for visitor in &visitors {
        is_free(visitor);
    }
}

/// What the model says is many times as long as events, with their escapes, so that the client's buffers are full long
/// before the answer is as long as it may be.
#[test]
fn a_client_that_reads_nothing_is_given_up_at_the_write_timeout() {
    let site = Site::with(|config| {
        config.text("server", "write_timeout", "500ms");
        // It may be told a lot before its buffers are full.
        config.set("budget", "tokens", 10_000_000).set("budget", "answer_tokens", 200_000);
    });
    let Step::Send(piece) = token("\u{1}\u{2}\u{1}") else { panic!("a token is sent") };
    site.model.script(vec![head(), Step::Repeat(piece.repeat(100), Duration::ZERO)]);
    let visitor = site.init("demo");
    let mut connection = Connection::open_narrow(site.address());
    connection.send(&visitor.request("/v1/widget/messages/stream", &json!({"content": "Talk"})));
    site.model.wait_for_requests(1);
    site.model.wait_until_closed(0);
    let answer = stored_answer(&site, &visitor);
    assert_eq!(answer["status"], "partial");
    let bytes = answer["content"].as_str().unwrap().len();
    assert!(bytes < 250 * 1024, "{bytes} bytes: the answer's own limit has ended it");
    let line = site.server.wait_for_line("path=/v1/widget/messages/stream");
    assert!(line.contains("status=499"), "{line}");
    assert!(!site.server.printed().contains("too long"));
    wait_until("its connection is closed", || site.server.connections() == 0);
    is_free(&visitor);
}

#[test]
fn who_leaves_before_sending_it_all_is_never_heard() {
    let site = Site::start();
    let visitor = site.init("demo");
    let mut connection = site.connect();
    let head = format!(
        "POST /v1/widget/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n{{\"content\":\"Hel",
        visitor.token()
    );
    connection.send_raw(head.as_bytes()).unwrap();
    connection.leave();
    visitor.ask("Hello").done();
    assert_eq!(site.model.requests().len(), 1);
    assert_eq!(site.resume(&visitor).messages().len(), 2);
}
