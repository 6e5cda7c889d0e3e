//! What becomes of an answer when the model misbehaves: an event, an error, or another model.

use std::path::Path;
use std::time::Duration;

use crate::fake_model::{
    Gate, Step, chunk, done, event, finish, head, head_until_close, last_chunk, raw, respond, say, token,
};
use crate::support::config::Config;
use crate::support::site::Site;

/// Limits that a test can wait for.
fn impatient(config: &mut Config) {
    config
        .fake("first_token_timeout", "\"400ms\"")
        .fake("idle_timeout", "\"400ms\"")
        .fake("total_timeout", "\"1200ms\"")
        .fake("connect_timeout", "\"400ms\"");
}

/// A script that says nothing before it fails.
type Fault = (&'static str, &'static str, Vec<Step>);

fn faults_before_the_first_word() -> Vec<Fault> {
    let json = [("Content-Type", "application/json")];
    let error = |status| respond(status, &json, r#"{"error":{"message":"no","type":"x","code":"500"}}"#);
    let unavailable = "model_unavailable";
    vec![
        ("a server error", unavailable, error(500)),
        ("a wrong key", unavailable, error(401)),
        ("no credit", unavailable, error(402)),
        ("an unknown model", unavailable, error(404)),
        ("an error in HTML", unavailable, respond(502, &[("Content-Type", "text/html")], "<h1>Bad Gateway</h1>")),
        ("an error without a body", unavailable, respond(500, &[], "")),
        ("an error as a list", unavailable, respond(400, &json, r#"[{"error":{"message":"no"}}]"#)),
        ("a redirect", unavailable, respond(302, &[("Location", "http://127.0.0.1:9/")], "")),
        ("a log-in page", unavailable, respond(200, &[("Content-Type", "text/html")], "<form>")),
        ("a body of another coding", unavailable, respond(200, &[("Content-Encoding", "br")], "xxxx")),
        ("an empty stream", unavailable, vec![head(), last_chunk()]),
        ("only the end", unavailable, vec![head(), done(), last_chunk()]),
        ("only a reason to finish", unavailable, vec![head(), finish("stop"), done(), last_chunk()]),
        (
            "an error inside the stream",
            unavailable,
            vec![head(), chunk("data: {\"error\":{\"message\":\"no\"}}\n\n"), last_chunk()],
        ),
        (
            "an error as an event",
            unavailable,
            vec![head(), chunk("event: error\ndata: {\"message\":\"no\"}\n\n"), last_chunk()],
        ),
        ("an error as a field", unavailable, vec![head(), chunk("error: {\"message\":\"no\"}\n\n"), last_chunk()]),
        ("no JSON", unavailable, vec![head(), chunk("data: hello\n\n"), done(), last_chunk()]),
        ("only tool calls", unavailable, vec![head(), tool_call(), finish("tool_calls"), done(), last_chunk()]),
        ("no HTTP", unavailable, vec![raw("hello\r\n\r\n"), Step::Close]),
        ("closed at once", unavailable, vec![Step::Close]),
        ("reset at once", unavailable, vec![Step::Reset]),
        ("closed after the head", unavailable, vec![head(), Step::Close]),
        ("silence", "model_timeout", vec![Step::Hang]),
        ("silence after the head", "model_timeout", vec![head(), Step::Hang]),
        (
            "comments alone",
            "model_timeout",
            vec![head(), Step::Repeat(b"3\r\n:\n\n\r\n".to_vec(), Duration::from_millis(50))],
        ),
        ("empty pieces alone", "model_timeout", vec![head(), Step::Repeat(empty_piece(), Duration::from_millis(50))]),
    ]
}

fn tool_call() -> Step {
    event(
        &serde_json::json!({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "x"}}]}}]}),
    )
}

fn empty_piece() -> Vec<u8> {
    let Step::Send(bytes) = token("") else { panic!("a token is sent") };
    bytes
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
        let turn = visitor.ask("Hello");
        assert_eq!(turn.names(), ["start", "error"], "{what}");
        let error = turn.failed(code);
        assert_eq!(error["retryable"], true, "{what}");
        let back = site.resume(&visitor);
        let roles: Vec<_> = back.messages().iter().map(|message| message["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user"], "{what}");
    }
}

#[test]
fn a_failure_before_the_first_word_falls_through_to_the_next_model() {
    let site = Site::with(|config| {
        impatient(config);
        config.agent("demo").models(&["fake", "builtin"]).text("unknown_answer", "The embedded one.");
        // Three failures in a row would have the model left alone for a while; each case has an agent of its own turn.
    });
    for (what, _, script) in faults_before_the_first_word() {
        always(&site, &script);
        let turn = site.init("demo").ask("Hello");
        turn.done();
        assert_eq!(turn.text(), "The embedded one.", "{what}");
        // Good again, so that every case is asked.
        always(&site, &say(&["Good."]));
        site.init("other").ask("Hello").done();
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
    let piece = || vec![head(), token("Half an "), token("ans")];
    let unavailable = "model_unavailable";
    let cases: [Fault; 9] = [
        ("cut", unavailable, [piece(), vec![Step::Close]].concat()),
        ("reset", unavailable, [piece(), vec![Step::Reset]].concat()),
        ("an end without a reason", unavailable, [piece(), vec![last_chunk()]].concat()),
        ("an error midway", unavailable, [piece(), vec![chunk("data: {\"error\":\"no\"}\n\n")]].concat()),
        ("a reason that is an error", unavailable, [piece(), vec![finish("error"), done(), last_chunk()]].concat()),
        ("a line without an end", unavailable, [piece(), vec![Step::Repeat(long_line(), Duration::ZERO)]].concat()),
        ("an answer without an end", unavailable, [piece(), vec![Step::Repeat(big_piece(), Duration::ZERO)]].concat()),
        ("silence", "model_timeout", [piece(), vec![Step::Hang]].concat()),
        (
            "words without an end",
            "model_timeout",
            [piece(), vec![Step::Repeat(small_piece(), Duration::from_millis(100))]].concat(),
        ),
    ];
    let site = Site::with(|config| {
        impatient(config);
        config.agent("demo").models(&["fake", "builtin"]);
    });
    for (what, code, script) in cases {
        site.model.script(script);
        let visitor = site.init("demo");
        let turn = visitor.ask("Hello");
        assert_eq!(turn.events.last().unwrap().data["code"], code, "{what}: {:?}", turn.names());
        turn.failed(code);
        assert!(turn.text().starts_with("Half an ans"), "{what}");
        let stored = site.resume(&visitor).messages()[1].clone();
        assert_eq!(stored["status"], "partial", "{what}");
        assert_eq!(stored["content"], turn.text().as_str(), "{what}");
        // The embedded one answers now and then, if the model is left alone; it must not.
        always(&site, &say(&["Good."]));
        site.init("demo").ask("Hello").done();
    }
}

fn long_line() -> Vec<u8> {
    [b"10000\r\n", vec![b'x'; 0x10000].as_slice(), b"\r\n"].concat()
}

fn sent(step: Step) -> Vec<u8> {
    match step {
        Step::Send(bytes) => bytes,
        step => panic!("{step:?} sends nothing"),
    }
}

fn big_piece() -> Vec<u8> {
    sent(token(&"word ".repeat(4000)))
}

fn small_piece() -> Vec<u8> {
    sent(token("word "))
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
