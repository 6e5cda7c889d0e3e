//! How models answer, each under the name that its operator gave it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{Counters, Histograms, Labels};

/// In seconds, up to the longest that a first token may be waited for by default, and beyond for those that set more.
pub(super) const FIRST_TOKEN_SECONDS: [f64; 12] = [0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0, 300.0];
/// In seconds, up to the longest that a whole answer may take by default, and beyond.
const ANSWER_SECONDS: [f64; 11] = [0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 600.0];

/// Why calls fail: `model::ModelError` by its variants, and its statuses by what they mean.
pub(crate) const ERRORS: [&str; 16] = [
    "connect",
    "unanswered",
    "status_401_403",
    "status_429",
    "status_4xx",
    "status_5xx",
    "status_other",
    "first_token",
    "stalled",
    "total",
    "cut",
    "empty",
    "tools_only",
    "garbled",
    "too_long",
    "failed",
];

pub(crate) struct Models {
    calls: Counters,
    cancelled: Counters,
    errors: Counters,
    first_token: Histograms,
    answer: Histograms,
    /// Of those that are told of.
    names: Mutex<Vec<Arc<str>>>,
}

/// The handles of one model: its labels were looked up.
#[derive(Clone)]
pub(crate) struct Model {
    calls: Counter,
    cancelled: Counter,
    /// In the order of [`ERRORS`].
    errors: Vec<Counter>,
    first_token: Histogram,
    answer: Histogram,
}

impl Models {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let models = Self {
            calls: Family::default(),
            cancelled: Family::default(),
            errors: Family::default(),
            first_token: Family::new_with_constructor(|| Histogram::new(FIRST_TOKEN_SECONDS)),
            answer: Family::new_with_constructor(|| Histogram::new(ANSWER_SECONDS)),
            names: Mutex::default(),
        };
        registry.register("model_calls", "Questions that a model was asked", models.calls.clone());
        registry.register(
            "model_cancelled",
            "Calls that were ended from here: the visitor left, or the server stopped",
            models.cancelled.clone(),
        );
        registry.register("model_errors", "Calls that a model failed, by kind", models.errors.clone());
        registry.register(
            "model_first_token_seconds",
            "From the call of a model to its first word, of those that came",
            models.first_token.clone(),
        );
        registry.register(
            "model_answer_seconds",
            "From the call of a model to the end of its answer, of those that were whole",
            models.answer.clone(),
        );
        models
    }

    /// The handles of the model of this name, which is told of from now on.
    pub(crate) fn model(&self, name: &str) -> Model {
        let mut known = self.names.lock();
        if !known.iter().any(|known| **known == *name) {
            known.push(name.into());
        }
        let label = Labels::model(name.into());
        let errors = ERRORS.map(|kind| self.errors.get_or_create_owned(&label.clone().and(Labels::one("kind", kind))));
        Model {
            calls: self.calls.get_or_create_owned(&label),
            cancelled: self.cancelled.get_or_create_owned(&label),
            errors: errors.to_vec(),
            first_token: self.first_token.get_or_create_owned(&label),
            answer: self.answer.get_or_create_owned(&label),
        }
    }

    /// Forgets the models that have no other name than these: those that a reload took out.
    pub(crate) fn keep(&self, names: &[&str]) {
        let mut known = self.names.lock();
        for gone in known.extract_if(.., |name| !names.contains(&&**name)) {
            let label = Labels::model(gone);
            for kind in ERRORS {
                self.errors.remove(&label.clone().and(Labels::one("kind", kind)));
            }
            self.calls.remove(&label);
            self.cancelled.remove(&label);
            self.first_token.remove(&label);
            self.answer.remove(&label);
        }
    }
}

impl Model {
    pub(crate) fn asked(&self) {
        self.calls.inc();
    }

    /// Its first word came so long after the call.
    pub(crate) fn spoke(&self, after: Duration) {
        self.first_token.observe(after.as_secs_f64());
    }

    /// Its answer was whole so long after the call.
    pub(crate) fn answered(&self, after: Duration) {
        self.answer.observe(after.as_secs_f64());
    }

    /// `kind` is one of [`ERRORS`].
    pub(crate) fn failed(&self, kind: &'static str) {
        if let Some(counter) = ERRORS.iter().zip(&self.errors).find_map(|(known, it)| (*known == kind).then_some(it)) {
            counter.inc();
        }
    }

    pub(crate) fn cancelled(&self) {
        self.cancelled.inc();
    }
}
