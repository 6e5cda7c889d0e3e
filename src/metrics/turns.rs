//! What became of visitors' messages, and what it took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::Known;
use super::models::FIRST_TOKEN_SECONDS;

const OUTCOMES: [&str; 5] = ["complete", "model_failed", "client_left", "shutting_down", "not_stored"];

pub(crate) struct Turns {
    answers: Known,
    first_token: Histogram,
    input_tokens: Counter,
    output_tokens: Counter,
    /// Whole, so that a sum of fractions does not drift.
    cost_nanos: AtomicU64,
}

/// What a turn took of all models that were asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Used {
    pub(crate) input_tokens: u32,
    pub(crate) output_tokens: u32,
    pub(crate) nanos: u64,
}

impl Turns {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let first_token = Histogram::new(FIRST_TOKEN_SECONDS);
        registry.register(
            "first_token_seconds",
            "From the acceptance of a message to the first word of its answer",
            first_token.clone(),
        );
        let [input_tokens, output_tokens]: [Counter; 2] = Default::default();
        registry.register("input_tokens", "Tokens of prompts, as models report or as estimated", input_tokens.clone());
        registry.register(
            "output_tokens",
            "Tokens of answers, as models report or as estimated",
            output_tokens.clone(),
        );
        let answers = Known::new(
            registry,
            "answers",
            "Messages that were accepted, by how their answer ended",
            "outcome",
            &OUTCOMES,
        );
        Self { answers, first_token, input_tokens, output_tokens, cost_nanos: AtomicU64::new(0) }
    }

    /// An accepted message came to its end.
    pub(crate) fn ended(&self, outcome: &'static str, first_token: Option<Duration>, used: Used) {
        self.answers.count(outcome);
        if let Some(first_token) = first_token {
            self.first_token.observe(first_token.as_secs_f64());
        }
        self.input_tokens.inc_by(u64::from(used.input_tokens));
        self.output_tokens.inc_by(u64::from(used.output_tokens));
        self.cost_nanos.fetch_add(used.nanos, Ordering::Relaxed);
    }

    /// Since the start.
    pub(super) fn cost_nanos(&self) -> u64 {
        self.cost_nanos.load(Ordering::Relaxed)
    }
}
