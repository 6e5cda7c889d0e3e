//! How a model can fail, as scripts: each with the code that the visitor is told.

use std::time::Duration;

use crate::fake_model::{Step, chunk, done, event, finish, head, last_chunk, raw, respond, token};

/// What is wrong, the code, and the script.
pub(super) type Fault = (&'static str, &'static str, Vec<Step>);

/// Scripts that say nothing before they fail.
pub(super) fn faults_before_the_first_word() -> Vec<Fault> {
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
        ("too many requests", unavailable, respond(429, &[("Retry-After", "60")], "")),
        ("a length that is too short for the first event", unavailable, vec![short_head(10), raw(PIECE)]),
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
    sent(token(""))
}

/// Scripts that say "Half an ans" before they fail.
pub(super) fn faults_after_the_first_word() -> Vec<Fault> {
    let piece = || vec![head(), token("Half an "), token("ans")];
    let unavailable = "model_unavailable";
    vec![
        ("cut", unavailable, [piece(), vec![Step::Close]].concat()),
        ("reset", unavailable, [piece(), vec![Step::Reset]].concat()),
        ("an end without a reason", unavailable, [piece(), vec![last_chunk()]].concat()),
        ("an error midway", unavailable, [piece(), vec![chunk("data: {\"error\":\"no\"}\n\n")]].concat()),
        ("a reason that is an error", unavailable, [piece(), vec![finish("error"), done(), last_chunk()]].concat()),
        ("a line without an end", unavailable, [piece(), vec![Step::Repeat(long_line(), Duration::ZERO)]].concat()),
        ("an answer without an end", unavailable, [piece(), vec![Step::Repeat(big_piece(), Duration::ZERO)]].concat()),
        ("line ends without an end", unavailable, [piece(), vec![Step::Repeat(line_ends(), Duration::ZERO)]].concat()),
        ("a length that is too short", unavailable, vec![short_head(PIECE.len()), raw(PIECE), raw(PIECE)]),
        ("silence", "model_timeout", [piece(), vec![Step::Hang]].concat()),
        (
            "words without an end",
            "model_timeout",
            [piece(), vec![Step::Repeat(small_piece(), Duration::from_millis(100))]].concat(),
        ),
    ]
}

/// The head of a body that ends after so many bytes.
fn short_head(bytes: usize) -> Step {
    raw(format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: {bytes}\r\n\r\n"))
}

const PIECE: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Half an ans\"}}]}\n\n";

fn line_ends() -> Vec<u8> {
    sent(token(&"\n".repeat(4000)))
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
