//! The call against a scripted server that plays, byte for byte, what real ones send.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::*;
use crate::domain::conversation::{FinishReason, Role, Usage};
use crate::domain::secret::Secret;
use crate::model::{BuiltinAnswer, MaxTokensField, Turn};

#[path = "../../../tests/fake_model/mod.rs"]
mod fake_model;

use fake_model::{
    FakeModel, Gate, Step, chunk, chunk_bytes, done, event, finish, head, head_until_close, last_chunk, raw, respond,
    say, token, usage,
};

/// No test waits so long: a limit that is not the subject.
const LONG: Duration = Duration::from_secs(20);
const BRIEF: Duration = Duration::from_millis(200);

fn settings(model: &FakeModel) -> Settings {
    Settings {
        name: "fake".into(),
        url: endpoint(&model.url()).unwrap(),
        model: "scripted".into(),
        key: Some(Secret::new("the-key")),
        authorities: Vec::new(),
        headers: vec![("X-Extra".into(), Secret::new("extra"))],
        temperature: Some(0.5),
        max_tokens_field: MaxTokensField::MaxTokens,
        stream_options: true,
        context_tokens: 3000,
        connect_timeout: LONG,
        first_token_timeout: LONG,
        idle_timeout: LONG,
        total_timeout: LONG,
        pause: LONG,
    }
}

fn prompt() -> Prompt {
    Prompt {
        system: "Be brief.".into(),
        history: vec![
            Turn { role: Role::User, content: "before".into() },
            Turn { role: Role::Assistant, content: "then".into() },
        ],
        question: "now?".into(),
        builtin: BuiltinAnswer::Unknown { text: String::new() },
        answer_tokens_max: 99,
    }
}

/// What was said, and how it ended.
struct Heard {
    pieces: Vec<String>,
    end: Result<Finished, ModelError>,
}

impl Heard {
    fn text(&self) -> String {
        self.pieces.concat()
    }

    fn reason(&self) -> Option<FinishReason> {
        self.end.as_ref().ok().map(|finished| finished.finish_reason)
    }
}

fn ask_with(link: &OpenAi, mut on_update: impl FnMut(Update<'_>, usize) -> ControlFlow<()> + 'static) -> Heard {
    let pieces = Rc::new(RefCell::new(Vec::new()));
    let on_update = RefCell::new(move |update: Update<'_>, said| on_update(update, said));
    let listener: Listener = {
        let pieces = pieces.clone();
        Rc::new(move |update| {
            if let Update::Text(said) = update {
                pieces.borrow_mut().extend(said.iter().map(str::to_owned));
            }
            let said = pieces.borrow().len();
            (on_update.borrow_mut())(update, said)
        })
    };
    let end = link.ask(&prompt(), &listener);
    Heard { pieces: pieces.take(), end }
}

fn ask(link: &OpenAi) -> Heard {
    ask_with(link, |_, _| ControlFlow::Continue(()))
}

/// One question to a server that answers like this.
fn hear(script: Vec<Step>) -> Heard {
    let model = FakeModel::start();
    model.script(script);
    ask(&OpenAi::new(settings(&model), 4))
}

/// A chunked stream of these raw bytes.
fn stream(bytes: impl AsRef<[u8]>) -> Vec<Step> {
    vec![head(), chunk(bytes), last_chunk()]
}

const HELLO: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n";
const STOP: &str = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

#[test]
fn the_question_is_put_as_the_format_says() {
    let model = FakeModel::start();
    let heard = ask(&OpenAi::new(settings(&model), 4));
    assert_eq!(heard.text(), "Hello from the scripted model.");
    let expected = Finished {
        finish_reason: FinishReason::Stop,
        usage: Some(Usage { input_tokens: 20, output_tokens: 10 }),
        model: "fake".into(),
    };
    assert_eq!(heard.end, Ok(expected));
    let request = model.requests().remove(0);
    assert!(request.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", request.head);
    for (name, value) in [
        ("authorization", "Bearer the-key"),
        ("x-extra", "extra"),
        ("accept-encoding", "identity"),
        ("content-type", "application/json"),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
    assert_eq!(
        request.body,
        serde_json::json!({
            "model": "scripted", "stream": true, "stream_options": {"include_usage": true}, "max_tokens": 99,
            "temperature": 0.5,
            "messages": [
                {"role": "system", "content": "Be brief."}, {"role": "user", "content": "before"},
                {"role": "assistant", "content": "then"}, {"role": "user", "content": "now?"},
            ],
        })
    );
}

#[test]
fn captures_of_real_servers_are_understood() {
    for (capture, begins, reason, usage) in [
        (&include_bytes!("../../../tests/fixtures/upstream/llamacpp-chat-stream.raw")[..], "There", "stop", true),
        (include_bytes!("../../../tests/fixtures/upstream/llamacpp-prefill-pings.raw"), "", "", true),
        (include_bytes!("../../../tests/fixtures/upstream/llama-cpp-python-chat.raw"), "", "", false),
        (include_bytes!("../../../tests/fixtures/upstream/litellm-mock.raw"), "", "", true),
        (include_bytes!("../../../tests/fixtures/upstream/litellm-real.raw"), "", "", true),
    ] {
        // At once, and a byte at a time.
        for script in [vec![raw(capture)], vec![Step::Drip(capture.to_vec(), 1)]] {
            let heard = hear(script);
            let finished = heard.end.as_ref().unwrap_or_else(|error| panic!("{error} after {}", heard.text()));
            assert!(!heard.text().is_empty() && heard.text().starts_with(begins), "{}", heard.text());
            assert!(
                reason.is_empty()
                    || finished.finish_reason.as_str() == "length"
                    || finished.finish_reason.as_str() == reason
            );
            assert_eq!(finished.usage.is_some(), usage, "{}", heard.text());
        }
    }
    // The prompt was too long: 200 and an empty stream.
    let overflow = include_bytes!("../../../tests/fixtures/upstream/llama-cpp-python-overflow.raw");
    assert_eq!(hear(vec![raw(overflow)]).end, Err(ModelError::Empty));
}

#[test]
fn framing_is_read_in_every_known_form() {
    for bytes in [
        format!("{HELLO}{STOP}data: [DONE]\n\n"),
        format!("{HELLO}{STOP}data: [DONE]\n\n").replace('\n', "\r\n"),
        format!("{HELLO}{STOP}data: [DONE]\n\n").replace('\n', "\r"),
        format!("{HELLO}{STOP}data:[DONE]\n\n").replace("data: ", "data:"),
        format!("\u{feff}{HELLO}{STOP}"),
        format!(": OPENROUTER PROCESSING\n\n{HELLO}:\n\n{STOP}data: [DONE] \n\n"),
        format!("data: : OPENROUTER PROCESSING\n\n{HELLO}{STOP}"),
        format!("event: message\nid: 7\nretry: 1\n{HELLO}{STOP}"),
        format!("{}{STOP}", HELLO.replace("\n\n", "\n")), // no empty line between
        format!("{HELLO}{}", STOP.trim_end()),            // none at the end
    ] {
        for script in [stream(&bytes), vec![head(), Step::Drip(chunk_bytes(&bytes), 1), last_chunk()]] {
            let heard = hear(script);
            assert_eq!((heard.text().as_str(), heard.reason()), ("Hello", Some(FinishReason::Stop)), "{bytes:?}");
        }
    }
}

#[test]
fn characters_that_are_cut_between_chunks_arrive_whole() {
    let text = "h\u{e9}\u{1f600}e\u{301}\r\ndata: x";
    let bytes = format!("data: {}\n\n{STOP}", serde_json::json!({"choices": [{"delta": {"content": text}}]}));
    let pieces = bytes.as_bytes().chunks(1).map(chunk);
    let script = [head()].into_iter().chain(pieces).chain([last_chunk()]).collect();
    assert_eq!(hear(script).text(), text);
}

#[test]
fn servers_that_do_not_stream_are_understood() {
    let whole = r#"{"choices":[{"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}"#;
    let json = hear(respond(200, &[("Content-Type", "application/json")], whole));
    assert_eq!((json.text().as_str(), json.reason()), ("Hello", Some(FinishReason::Stop)));
    let blank = hear(respond(200, &[], &format!("\n\n {whole}"))); // DeepSeek under load
    assert_eq!(blank.text(), "Hello");
    let lines = format!("{}{}", &HELLO[6..].trim_start(), &STOP[6..]);
    assert_eq!(hear(respond(200, &[("Content-Type", "application/x-ndjson")], &lines)).text(), "Hello");
    let error = hear(respond(200, &[("Content-Type", "application/json")], r#"{"error":{"message":"no"}}"#));
    assert_eq!(error.end, Err(ModelError::Failed("no".into())));
    let untyped =
        hear(vec![raw("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"), raw(format!("{HELLO}{STOP}")), Step::Close]);
    assert_eq!(untyped.text(), "Hello");
}

#[test]
fn what_holds_no_answer_is_refused_by_its_head() {
    let html = hear(respond(200, &[("Content-Type", "text/html; charset=utf-8")], "<html>log in</html>"));
    assert!(matches!(html.end, Err(ModelError::Garbled(_))), "{:?}", html.end);
    let zipped = hear(respond(200, &[("Content-Encoding", "br"), ("Content-Type", "text/event-stream")], "x"));
    assert!(matches!(zipped.end, Err(ModelError::Garbled(reason)) if reason.contains("br")));
    let model = FakeModel::start();
    model.script(respond(302, &[("Location", "http://127.0.0.1:9/elsewhere")], ""));
    let moved = ask(&OpenAi::new(settings(&model), 4));
    assert!(
        matches!(&moved.end, Err(ModelError::Status { status: 302, message, .. }) if message.contains("elsewhere"))
    );
    assert_eq!(model.requests().len(), 1, "a redirect is not followed");
}

#[test]
fn error_answers_are_told_apart() {
    for (status, body, expected) in [
        (400, r#"{"error":{"message":"bad","code":7}}"#, "7: bad"),
        (401, r#"{"error":"no key"}"#, "no key"),
        (402, "", "Payment Required"),
        (500, "<html>oops</html>", "Internal Server Error"),
        (502, r#"[{"error":{"message":"list"}}]"#, "list"),
    ] {
        let heard = hear(respond(status, &[], body));
        assert!(
            matches!(&heard.end, Err(ModelError::Status { status: found, message, .. })
            if *found == status && message == expected),
            "{status}: {:?}",
            heard.end
        );
    }
}

#[test]
fn a_busy_server_is_asked_once_more() {
    for headers in [&[("Retry-After", "0")][..], &[("retry-after-ms", "20")], &[("Retry-After", "0.1")]] {
        let model = FakeModel::start();
        model.script(respond(429, headers, ""));
        assert_eq!(ask(&OpenAi::new(settings(&model), 4)).reason(), Some(FinishReason::Stop), "{headers:?}");
        assert_eq!(model.requests().len(), 2);
    }
    let model = FakeModel::start();
    model.always(|_| respond(503, &[("Retry-After", "0")], r#"{"error":{"message":"Loading model"}}"#));
    assert!(matches!(ask(&OpenAi::new(settings(&model), 4)).end, Err(ModelError::Status { status: 503, .. })));
    assert_eq!(model.requests().len(), 2, "once, not for ever");
}

#[test]
fn a_refusal_that_will_not_heal_is_not_tried_again() {
    for (status, headers, body) in [
        (429, &[("Retry-After", "60")][..], ""),
        (429, &[("Retry-After", "0")], r#"{"error":{"code":"insufficient_quota","message":"pay"}}"#),
        (400, &[], "{}"),
        (500, &[], "{}"),
    ] {
        let model = FakeModel::start();
        model.script(respond(status, headers, body));
        assert!(ask(&OpenAi::new(settings(&model), 4)).end.is_err());
        assert_eq!(model.requests().len(), 1, "{status} {headers:?} {body}");
    }
}

#[test]
fn a_server_that_knows_no_stream_options_is_asked_without() {
    let model = FakeModel::start();
    model.script(respond(
        400,
        &[],
        r#"{"error":{"message":"Unrecognized request argument supplied: stream_options"}}"#,
    ));
    assert_eq!(ask(&OpenAi::new(settings(&model), 4)).reason(), Some(FinishReason::Stop));
    assert!(model.requests()[1].body.get("stream_options").is_none());
}

#[test]
fn connections_are_used_again_where_the_answer_was_read_to_its_end() {
    let model = FakeModel::start();
    let link = OpenAi::new(settings(&model), 4);
    for _ in 0..20 {
        assert!(ask(&link).end.is_ok());
    }
    assert_eq!(model.connections(), 1);
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_costs_no_answer() {
    let model = FakeModel::start();
    let link = OpenAi::new(settings(&model), 4);
    for _ in 0..5 {
        let mut script = say(&["Hello"]);
        script.push(Step::Close);
        model.script(script);
        assert_eq!(ask(&link).text(), "Hello");
    }
}

#[test]
fn no_server_is_an_error_at_once() {
    let model = FakeModel::start();
    let mut settings = settings(&model);
    settings.url = "http://127.0.0.1:9/v1/chat/completions".into();
    assert!(matches!(ask(&OpenAi::new(settings, 4)).end, Err(ModelError::Connect(_))));
}

#[test]
fn a_question_is_announced_before_the_connection_is_open() {
    let model = FakeModel::start();
    let mut settings = settings(&model);
    settings.url = "http://127.0.0.1:9/v1/chat/completions".into(); // where nobody listens
    let announced = Rc::new(std::cell::Cell::new(0));
    let heard = {
        let announced = announced.clone();
        ask_with(&OpenAi::new(settings, 4), move |update, _| {
            announced.set(announced.get() + usize::from(update == Update::Waiting));
            ControlFlow::Continue(())
        })
    };
    assert!(matches!(heard.end, Err(ModelError::Connect(_))), "{:?}", heard.end);
    assert_eq!(announced.get(), 3, "before each of the two tries, and in the pause between");
}

#[test]
fn the_first_word_has_its_own_limit_which_comments_do_not_feed() {
    let comments = || vec![head(), Step::Repeat(chunk_bytes(": keep-alive\n\n"), Duration::from_millis(10))];
    for script in [vec![Step::Hang], vec![head(), Step::Hang], comments()] {
        let model = FakeModel::start();
        model.script(script);
        let link = OpenAi::new(Settings { first_token_timeout: BRIEF, ..settings(&model) }, 4);
        assert_eq!(ask(&link).end, Err(ModelError::FirstToken));
        model.wait_until_closed(0);
    }
}

#[test]
fn silence_between_words_has_a_limit_which_comments_do_not_feed() {
    let comments = Step::Repeat(chunk_bytes(": keep-alive\n\n"), Duration::from_millis(10));
    for silence in [Step::Hang, comments] {
        let model = FakeModel::start();
        model.script(vec![head(), token("Hel"), silence]);
        let heard = ask(&OpenAi::new(Settings { idle_timeout: BRIEF, ..settings(&model) }, 4));
        assert_eq!((heard.text().as_str(), heard.end), ("Hel", Err(ModelError::Stalled)));
        model.wait_until_closed(0);
    }
}

#[test]
fn thinking_is_no_silence() {
    let model = FakeModel::start();
    let thought = event(&serde_json::json!({"choices": [{"delta": {"reasoning_content": "hm"}}]}));
    let mut script = vec![head()];
    for _ in 0..6 {
        script.extend([thought.clone(), Step::Pause(BRIEF / 3)]);
    }
    script.extend([token("Hello"), finish("stop"), done(), last_chunk()]);
    model.script(script);
    let link = OpenAi::new(Settings { first_token_timeout: BRIEF, idle_timeout: BRIEF, ..settings(&model) }, 4);
    assert_eq!(ask(&link).text(), "Hello");
}

#[test]
fn an_endless_answer_has_a_limit() {
    let model = FakeModel::start();
    let Step::Send(word) = token("word ") else { unreachable!() };
    model.script(vec![head(), Step::Repeat(word, Duration::from_millis(5))]);
    let heard = ask(&OpenAi::new(Settings { total_timeout: BRIEF, ..settings(&model) }, 4));
    assert_eq!(heard.end, Err(ModelError::Total));
    assert!(heard.text().starts_with("word word"));
}

#[test]
fn floods_are_cut_off() {
    let line = hear(vec![head(), raw(chunk_bytes(vec![b'x'; 2 << 20])), Step::Hang]);
    assert_eq!(line.end, Err(ModelError::TooLong));
    let Step::Send(words) = token(&"x".repeat(10_000)) else { unreachable!() };
    assert_eq!(hear(vec![head(), Step::Repeat(words, Duration::ZERO)]).end, Err(ModelError::TooLong));
    let Step::Send(blanks) = token(&"\n".repeat(1000)) else { unreachable!() };
    assert_eq!(hear(vec![head(), Step::Repeat(blanks, Duration::ZERO)]).end, Err(ModelError::TooLong));
}

#[test]
fn an_answer_that_is_cut_is_no_whole_one() {
    let cut = |script: Vec<Step>| hear(script);
    for script in [
        vec![head(), token("Half"), Step::Close],
        vec![head(), token("Half"), Step::Reset],
        vec![head(), token("Half"), last_chunk()],
        vec![head_until_close(), raw(HELLO.replace("Hello", "Half")), Step::Close],
        vec![head(), token("Half"), raw("5\r\nda"), Step::Close],
        // llama-cpp-python, interrupted: [DONE] without a reason, then the body is cut.
        vec![head(), token("Half"), done(), Step::Close],
    ] {
        let heard = cut(script.clone());
        assert_eq!((heard.text().as_str(), heard.end), ("Half", Err(ModelError::Cut)), "{script:?}");
    }
    let length = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 10000\r\n\r\n";
    assert_eq!(cut(vec![raw(length), raw(HELLO), Step::Close]).end, Err(ModelError::Cut));
}

#[test]
fn a_question_that_was_sent_is_asked_again_only_if_its_connection_had_grown_old() {
    let model = FakeModel::start();
    model.always(|_| vec![Step::Close]);
    let link = OpenAi::new(settings(&model), 4);
    assert!(matches!(ask(&link).end, Err(ModelError::Unanswered(_))));
    assert_eq!(model.requests().len(), 1, "the model may be at work on it");
    for closed in [vec![Step::Close], vec![Step::Reset], vec![raw("HTTP/1.1 200 OK\r\nCont"), Step::Close]] {
        let is_begun = closed.len() > 1;
        let model = FakeModel::start();
        let link = OpenAi::new(settings(&model), 4);
        assert_eq!(ask(&link).reason(), Some(FinishReason::Stop));
        model.script(closed);
        let heard = ask(&link);
        assert_eq!(matches!(heard.end, Err(ModelError::Unanswered(_))), is_begun, "{:?}", heard.end);
        assert_eq!(heard.end.is_ok(), !is_begun);
        assert_eq!(model.requests().len(), if is_begun { 2 } else { 3 });
    }
}

#[test]
fn an_end_is_an_end_without_done_or_with_a_connection_that_stays_open() {
    let without_done = hear(vec![head(), token("Hi"), finish("stop"), last_chunk()]);
    assert_eq!(without_done.reason(), Some(FinishReason::Stop));
    let held_after_done = hear(vec![head(), token("Hi"), finish("stop"), usage(1, 2), done(), Step::Hang]);
    assert_eq!(held_after_done.end.unwrap().usage, Some(Usage { input_tokens: 1, output_tokens: 2 }));
    let held_after_reason = hear(vec![head(), token("Hi"), finish("length"), Step::Hang]);
    assert_eq!(held_after_reason.reason(), Some(FinishReason::Length));
    let done_alone = hear(vec![head(), token("Hi"), done(), last_chunk()]);
    assert_eq!(done_alone.reason(), Some(FinishReason::Stop));
    let cut_after_reason = hear(vec![head(), token("Hi"), finish("stop"), Step::Close]);
    assert_eq!(cut_after_reason.reason(), Some(FinishReason::Stop));
}

#[test]
fn cancelling_closes_the_call_whatever_it_waits_for() {
    // Before the head, before the first word, between words.
    for script in [vec![Step::Hang], vec![head(), Step::Hang], vec![head(), token("Hel"), Step::Hang]] {
        let model = FakeModel::start();
        model.script(script);
        let mut waits = 0;
        let heard = ask_with(&OpenAi::new(settings(&model), 4), move |update, _| {
            waits += usize::from(update == Update::Waiting);
            if waits > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(heard.end, Err(ModelError::Cancelled));
        model.wait_until_closed(0);
    }
    // In the middle of words.
    let model = FakeModel::start();
    let Step::Send(word) = token("word ") else { unreachable!() };
    model.script(vec![head(), Step::Repeat(word, Duration::from_millis(1))]);
    let heard = ask_with(&OpenAi::new(settings(&model), 4), |_, said| {
        if said == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((heard.pieces.len(), heard.end), (3, Err(ModelError::Cancelled)));
    model.wait_until_closed(0);
}

#[test]
fn a_cancelled_call_leaves_the_others_alone() {
    let model = FakeModel::start();
    let link = OpenAi::new(settings(&model), 4);
    let gate = Gate::new();
    model.script(vec![head(), token("a"), Step::Hold(gate.clone()), token("b"), finish("stop"), done(), last_chunk()]);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let heard = ask(&link);
            (heard.text(), heard.end)
        });
        model.wait_for_requests(1);
        model.script(vec![Step::Hang]);
        let cancelled = ask_with(&link, |_, _| ControlFlow::Break(()));
        assert_eq!(cancelled.end, Err(ModelError::Cancelled));
        gate.open();
        assert_eq!(running.join().unwrap().0, "ab");
    });
}

#[test]
fn each_piece_is_passed_on_as_it_comes() {
    let model = FakeModel::start();
    let gates: Vec<_> = (0..3).map(|_| Gate::new()).collect();
    let mut script = vec![head()];
    for gate in &gates {
        script.extend([Step::Hold(gate.clone()), token("x")]);
    }
    script.extend([finish("stop"), done(), last_chunk()]);
    model.script(script);
    // Each word opens the gate of the next: a word that is held back would leave it closed for ever.
    let heard = ask_with(&OpenAi::new(settings(&model), 4), move |update, said| {
        if said < gates.len() && (said > 0 || update == Update::Waiting) {
            gates[said].open();
        }
        ControlFlow::Continue(())
    });
    assert_eq!(heard.text(), "xxx");
}
