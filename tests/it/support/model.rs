//! Verbs for the scripted model: what its next answer is like.

use std::ops::Deref;

use crate::fake_model::{
    FakeModel, Gate, Step, chunk_bytes, done, finish, head, last_chunk, respond, say, say_with_usage, token, usage,
};

/// Answers "Hello from the scripted model." with a usage of 20 and 10 tokens, but for what a test scripts.
pub(crate) struct Model(FakeModel);

impl Deref for Model {
    type Target = FakeModel;

    fn deref(&self) -> &FakeModel {
        &self.0
    }
}

impl Model {
    pub(crate) fn start() -> Self {
        Self(FakeModel::start())
    }

    pub(crate) fn will_say(&self, pieces: &[&str]) {
        self.script(say(pieces));
    }

    pub(crate) fn will_say_without_usage(&self, pieces: &[&str]) {
        self.script(say_with_usage(pieces, None));
    }

    /// An answer that is said to have taken so many tokens.
    pub(crate) fn will_report(&self, input_tokens: u64, output_tokens: u64) {
        self.script(say_with_usage(&["Hello."], Some((input_tokens, output_tokens))));
    }

    pub(crate) fn always_reports(&self, input_tokens: u64, output_tokens: u64) {
        self.always(move |_| say_with_usage(&["Hello."], Some((input_tokens, output_tokens))));
    }

    /// An answer that ends for this reason.
    pub(crate) fn will_finish(&self, pieces: &[&str], reason: &str) {
        self.script([opening(pieces), vec![finish(reason), usage(20, 10), done(), last_chunk()]].concat());
    }

    /// Says `before`, waits for the gate, says `after` and ends.
    pub(crate) fn will_hold(&self, before: &[&str], after: &[&str]) -> Gate {
        let gate = Gate::new();
        let rest = after.iter().map(|piece| token(piece)).collect();
        self.script([opening(before), vec![Step::Hold(gate.clone())], rest, ending()].concat());
        gate
    }

    /// Waits before each piece for its gate.
    pub(crate) fn will_hold_each(&self, pieces: &[String]) -> Vec<Gate> {
        let gates: Vec<_> = pieces.iter().map(|_| Gate::new()).collect();
        let held = pieces.iter().zip(&gates).flat_map(|(piece, gate)| [Step::Hold(gate.clone()), token(piece)]);
        self.script([vec![head()], held.collect(), ending()].concat());
        gates
    }

    /// Sends its chunks and its events in pieces of so many bytes, whatever they cut through.
    pub(crate) fn will_drip(&self, pieces: &[&str], bytes: usize) {
        let events: Vec<u8> = pieces.iter().flat_map(|piece| event_bytes(piece)).collect();
        let chunks: Vec<u8> = events.chunks(bytes).flat_map(chunk_bytes).collect();
        self.script([vec![head(), Step::Drip(chunks, 3)], ending()].concat());
    }

    /// Says `pieces` and is cut off.
    pub(crate) fn will_cut(&self, pieces: &[&str]) {
        self.script([opening(pieces), vec![Step::Close]].concat());
    }

    /// Says `pieces` and then nothing, until the client is gone.
    pub(crate) fn will_hang_after(&self, pieces: &[&str]) {
        self.script([opening(pieces), vec![Step::Hang]].concat());
    }

    /// Answers with an error of HTTP.
    pub(crate) fn will_refuse(&self, status: u16) {
        self.script(respond(status, &[("Content-Type", "application/json")], r#"{"error":{"message":"no"}}"#));
    }
}

fn opening(pieces: &[&str]) -> Vec<Step> {
    let mut steps = vec![head()];
    steps.extend(pieces.iter().map(|piece| token(piece)));
    steps
}

fn ending() -> Vec<Step> {
    vec![finish("stop"), usage(20, 10), done(), last_chunk()]
}

fn event_bytes(piece: &str) -> Vec<u8> {
    let data = serde_json::json!({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": null}]});
    format!("data: {data}\n\n").into_bytes()
}
