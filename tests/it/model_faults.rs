//! What becomes of an answer when the model misbehaves: an event, an error, or another model.

mod table;

use std::path::Path;
use std::time::{Duration, Instant};

use table::{faults_after_the_first_word, faults_before_the_first_word};

use crate::fake_model::{
    Gate, Step, chunk, done, finish, head, head_until_close, last_chunk, raw, respond, say, token,
};
use crate::support::config::Config;
use crate::support::site::{Site, Visitor};
use crate::support::sse::Turn;

/// Limits that a test can wait for, and so few places that none may be lost.
fn impatient(config: &mut Config) {
    config.set("server", "generations", 2);
    // Floods are paid for.
    config.set("budget", "tokens", 10_000_000).set("budget", "agent_tokens_per_day", 1_000_000_000);
    config
        .fake("first_token_timeout", "\"400ms\"")
        .fake("idle_timeout", "\"400ms\"")
        .fake("total_timeout", "\"1200ms\"")
        .fake("connect_timeout", "\"400ms\"");
}

const FIRST_TOKEN: Duration = Duration::from_millis(400);
const TOTAL: Duration = Duration::from_millis(1200);
/// For a machine that is slow.
const SLACK: Duration = Duration::from_secs(3);

/// A question that is over when `limit` is, whatever becomes of it.
#[track_caller]
fn ask_within(limit: Duration, visitor: &Visitor, what: &str) -> Turn {
    let asked = Instant::now();
    let turn = visitor.ask("Hello");
    assert!(asked.elapsed() < limit + SLACK, "{what}: {:?}", asked.elapsed());
    turn
}

/// Its conversation and its place are free: the model is good again and answers the next question.
#[track_caller]
fn is_answered_again(site: &Site, visitor: &Visitor, what: &str) {
    always(site, &say(&["Good."]));
    let turn = visitor.ask("Hello?");
    turn.done();
    assert_eq!(turn.text(), "Good.", "{what}");
}

/// Every request meets this fault, a retry too.
fn always(site: &Site, script: &[Step]) {
    let script = script.to_vec();
    site.model.always(move |_| script.clone());
}

#[test]
fn a_failure_before_the_first_word_is_an_error_event_and_keeps_the_question() {
    let site = Site::with(impatient);
    for (what, code, script) in faults_before_the_first_word() {
        always(&site, &script);
        let visitor = site.init("demo");
        let turn = ask_within(FIRST_TOKEN, &visitor, what);
        assert_eq!(turn.names(), ["start", "error"], "{what}");
        let error = turn.failed(code);
        assert_eq!(error["retryable"], true, "{what}");
        let back = site.resume(&visitor);
        let roles: Vec<_> = back.messages().iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user"], "{what}");
        is_answered_again(&site, &visitor, what);
    }
}

#[test]
fn a_failure_before_the_first_word_falls_through_to_the_next_model() {
    let site = Site::with(|config| {
        impatient(config);
        config.agent("demo").models(&["fake", "builtin"]).text("unknown_answer", "The embedded one.");
    });
    for (what, _, script) in faults_before_the_first_word() {
        always(&site, &script);
        let visitor = site.init("demo");
        let turn = ask_within(FIRST_TOKEN, &visitor, what);
        turn.done();
        assert_eq!(turn.text(), "The embedded one.", "{what}");
        // Three failures in a row would have the model left alone for a while.
        is_answered_again(&site, &visitor, what);
    }
    let asked = site.model.requests().len();
    assert!(asked >= 2 * faults_before_the_first_word().len(), "every fault was met: {asked}");
}

#[test]
fn a_model_that_nobody_listens_for_falls_through_too() {
    let site = Site::with(|config| {
        impatient(config);
        let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        config.model("dead", &format!("http://{refused}/v1"));
        config.model("lost", "http://no-such-host.invalid/v1");
        config.agent("demo").models(&["dead", "lost", "fake"]);
        config.agent("other").models(&["dead", "lost"]);
    });
    let turn = site.init("demo").ask("Hello");
    turn.done();
    assert_eq!(turn.text(), "Hello from the scripted model.");
    site.init("other").ask("Hello").failed("model_unavailable");
}

#[test]
fn after_the_first_word_nobody_else_is_asked_and_what_was_said_is_partial() {
    let site = Site::with(|config| {
        impatient(config);
        config.agent("demo").models(&["fake", "builtin"]);
    });
    for (what, code, script) in faults_after_the_first_word() {
        site.model.script(script);
        let visitor = site.init("demo");
        let turn = ask_within(TOTAL, &visitor, what);
        assert_eq!(turn.events.last().unwrap().data["code"], code, "{what}: {:?}", turn.names());
        turn.failed(code);
        assert!(turn.text().starts_with("Half an ans"), "{what}");
        let stored = site.resume(&visitor).messages()[1].clone();
        assert_eq!(stored["status"], "partial", "{what}");
        assert_eq!(stored["content"], turn.text().as_str(), "{what}");
        is_answered_again(&site, &visitor, what);
    }
}

#[test]
fn an_answer_that_only_lacks_its_manners_is_whole() {
    let text = |json: &str| chunk(format!("data: {json}\n\n"));
    let ok = || text(r#"{"choices":[{"delta":{"content":"Fine."}}]}"#);
    let whole = r#"{"choices":[{"message":{"content":"Fine."},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#;
    check_whole([
        ("no [DONE]", vec![head(), ok(), finish("stop"), last_chunk()]),
        ("no reason, but [DONE]", vec![head(), ok(), done(), last_chunk()]),
        (
            "an end by close",
            vec![
                head_until_close(),
                raw(
                    "data: {\"choices\":[{\"delta\":{\"content\":\"Fine.\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
                ),
                Step::Close,
            ],
        ),
        ("open after [DONE]", vec![head(), ok(), finish("stop"), done(), Step::Hang]),
        ("open after the reason", vec![head(), ok(), finish("stop"), Step::Hang]),
        ("not streamed", respond(200, &[("Content-Type", "application/json")], whole)),
    ]);
}

#[test]
fn an_answer_is_whole_in_whatever_words() {
    let text = |json: &str| chunk(format!("data: {json}\n\n"));
    let ok = || text(r#"{"choices":[{"delta":{"content":"Fine."}}]}"#);
    check_whole([
        (
            "the reason with the text",
            vec![
                head(),
                text(r#"{"choices":[{"delta":{"content":"Fine."},"finish_reason":"stop"}]}"#),
                done(),
                last_chunk(),
            ],
        ),
        (
            "parts",
            vec![
                head(),
                text(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"Fine."}]}}]}"#),
                finish("stop"),
                done(),
                last_chunk(),
            ],
        ),
        (
            "thoughts before",
            vec![
                head(),
                text(r#"{"choices":[{"delta":{"reasoning_content":"Hm."}}]}"#),
                ok(),
                finish("stop"),
                done(),
                last_chunk(),
            ],
        ),
        ("thoughts in the text", vec![head(), token("<think>Hm.</think>"), ok(), finish("stop"), done(), last_chunk()]),
        (
            "nulls and unknown members",
            vec![
                head(),
                text(r#"{"choices":[],"prompt_filter_results":[]}"#),
                text(r#"{"choices":[{"delta":{"role":"assistant","content":null},"finish_reason":""}]}"#),
                ok(),
                finish("stop"),
                done(),
                last_chunk(),
            ],
        ),
        (
            "CRLF, comments, other fields",
            vec![
                head(),
                chunk(
                    ":\r\n\r\nid: 1\r\nretry: 5\r\nevent: x\r\ndata:{\"choices\":[{\"delta\":{\"content\":\"Fine.\"}}]}\r\n\r\n",
                ),
                finish("stop"),
                done(),
                last_chunk(),
            ],
        ),
    ]);
}

/// Each of these says "Fine." and stops.
fn check_whole(cases: [(&str, Vec<Step>); 6]) {
    let site = Site::start();
    for (what, script) in cases {
        site.model.script(script);
        let turn = site.init("demo").ask("Hello");
        assert_eq!(turn.text(), "Fine.", "{what}");
        assert_eq!(turn.done()["finish_reason"], "stop", "{what}");
    }
}

#[test]
fn what_real_servers_sent_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upstream");
    let site = Site::start();
    for (name, reason) in [
        ("llamacpp-chat-stream.raw", "stop"),
        ("llamacpp-prefill-pings.raw", "length"),
        ("llama-cpp-python-chat.raw", "length"),
        ("litellm-mock.raw", "stop"),
        ("litellm-real.raw", "length"),
    ] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        site.model.script(vec![raw(bytes), Step::Close]);
        let turn = site.init("demo").ask("Hello");
        assert_eq!(turn.done()["finish_reason"], reason, "{name}");
        assert!(!turn.text().is_empty(), "{name}");
    }
    site.model.script(vec![raw(std::fs::read(folder.join("llama-cpp-python-overflow.raw")).unwrap())]);
    site.init("demo").ask("Hello").failed("model_unavailable");
}

#[test]
fn a_model_that_is_busy_for_a_moment_is_asked_once_more() {
    let site = Site::start();
    for (status, headers) in
        [(429, [("Retry-After", "0")]), (503, [("Retry-After", "0.2")]), (529, [("retry-after-ms", "100")])]
    {
        let before = site.model.requests().len();
        site.model.script(respond(status, &headers, "{}"));
        site.model.will_say(&["Now."]);
        let turn = site.init("demo").ask("Hello");
        turn.done();
        assert_eq!(turn.text(), "Now.", "{status}");
        assert_eq!(site.model.requests().len() - before, 2, "{status}");
    }
    let before = site.model.requests().len();
    site.model.script(respond(429, &[], r#"{"error":{"code":"insufficient_quota","message":"insufficient_quota"}}"#));
    site.init("demo").ask("Hello").failed("model_unavailable");
    assert_eq!(site.model.requests().len() - before, 1, "what never heals is not asked again");
}

#[test]
fn a_model_that_knows_no_stream_options_is_asked_without() {
    let site = Site::start();
    site.model.script(respond(
        400,
        &[("Content-Type", "application/json")],
        r#"{"error":{"message":"Unknown parameter: stream_options"}}"#,
    ));
    site.init("demo").ask("Hello").done();
    let requests = site.model.requests();
    assert!(requests[0].body.get("stream_options").is_some());
    assert!(requests[1].body.get("stream_options").is_none());
    let never = Site::with(|config| {
        config.fake("stream_options", "false");
    });
    never.init("demo").ask("Hello").done();
    assert!(never.model.requests()[0].body.get("stream_options").is_none());
}

#[test]
fn proxies_of_the_environment_are_not_for_models() {
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    // Nobody listens there.
    let site = Site::with_environment(&names.map(|name| (name, "http://127.0.0.1:9")), |_| {});
    assert_eq!(site.init("demo").ask("Hello").text(), "Hello from the scripted model.");
}

#[test]
fn connections_to_the_model_are_used_again() {
    let site = Site::start();
    for _ in 0..5 {
        site.init("demo").ask("Hello").done();
    }
    assert_eq!(site.model.connections(), 1);
}

#[test]
fn a_silent_model_never_delays_init_or_another_conversation() {
    let site = Site::with(|config| {
        config.set("server", "workers", 2).set("server", "generations", 40);
    });
    let gates: Vec<Gate> = (0..15).map(|_| site.model.will_hold(&[], &["Late."])).collect();
    let mut streams: Vec<_> = (0..15).map(|_| site.init("demo").open("Hello")).collect();
    for stream in &mut streams {
        stream.expect("start");
    }
    site.model.wait_for_requests(15);
    for _ in 0..10 {
        site.init("demo").lead(&serde_json::json!({"email": "ann@example.com"}));
    }
    site.init("other").ask("Hello").done();
    gates.iter().for_each(Gate::open);
    for stream in &mut streams {
        stream.rest().done();
    }
}
