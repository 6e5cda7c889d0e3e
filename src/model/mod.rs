//! Models: a chain of links, asked in order until one answers.
//!
//! A question goes in as a [`Prompt`], the answer comes out through a [`Listener`], word by word, on the thread that
//! asked. The listener is also called beside that, at least each second, words or not, so that one thread can watch
//! its client too; when it breaks, the call is closed at once. Retry and fall-through happen before the first word only:
//! no visitor sees the beginnings of two answers. Nothing here knows visitors, storage or HTTP towards the client.

mod breaker;
mod builtin;
mod chain;
mod openai;

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Duration;

pub(crate) use chain::{Chain, Link};
#[cfg(any(test, fuzzing))]
pub(crate) use openai::fuzzing;
pub(crate) use openai::{certificates, endpoint};

use crate::domain::conversation::{FinishReason, Role, Usage};
use crate::domain::pieces::Pieces;
use crate::domain::secret::Secret;

/// The name of the embedded model in `widget.toml`.
pub(crate) const BUILTIN: &str = "builtin";

/// An OpenAI-compatible model: one `[[model]]` of `widget.toml`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) name: String,
    /// The whole URL of chat completions, as [`endpoint`] makes it.
    pub(crate) url: String,
    pub(crate) model: String,
    /// Sent as `Authorization: Bearer`.
    pub(crate) key: Option<Secret>,
    /// Certificates in DER that its own must lead to; none: those that browsers trust.
    pub(crate) authorities: Vec<Vec<u8>>,
    pub(crate) headers: Vec<(String, Secret)>,
    /// 0–2; none: the server's default.
    pub(crate) temperature: Option<f32>,
    pub(crate) max_tokens_field: MaxTokensField,
    /// Whether usage may be asked for.
    pub(crate) stream_options: bool,
    /// Tokens of FAQ and history that it may be sent.
    pub(crate) context_tokens: u32,
    pub(crate) connect_timeout: Duration,
    /// Until the first word, connecting included.
    pub(crate) first_token_timeout: Duration,
    /// Between words.
    pub(crate) idle_timeout: Duration,
    /// For the whole answer.
    pub(crate) total_timeout: Duration,
    /// How long it is left alone after it failed several times in a row.
    pub(crate) pause: Duration,
}

/// What the limit of output tokens is called: newer models of OpenAI insist on the longer name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MaxTokensField {
    MaxTokens,
    MaxCompletionTokens,
}

/// A question with everything that a model may know.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) system: String,
    /// Oldest first, roles alternating, beginning with the user.
    pub(crate) history: Vec<Turn>,
    pub(crate) question: String,
    /// What the builtin model says.
    pub(crate) builtin: BuiltinAnswer,
    pub(crate) answer_tokens_max: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) role: Role,
    pub(crate) content: String,
}

/// What the FAQ has for a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BuiltinAnswer {
    Found { answer: String, url: Option<String> },
    Unknown { text: String },
}

/// What a listener is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Update<'a> {
    /// The question is on its way; then at least each second until the answer ends, whatever else there is to say.
    Waiting,
    /// So many bytes were thought, which nobody is shown: they have their price.
    Thought(usize),
    /// Pieces of the answer that came together: at least one, of whole characters.
    Text(&'a Pieces),
}

/// Hears the answer. `Break` closes the call: it ends as [`ModelError::Cancelled`].
pub(crate) type Listener = Rc<dyn Fn(Update<'_>) -> ControlFlow<()>>;

/// An answer that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) finish_reason: FinishReason,
    /// None: the model did not say.
    pub(crate) usage: Option<Usage>,
    /// The name of the link that answered.
    pub(crate) model: String,
}

/// What became of a question.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) answered: Result<Finished, ModelError>,
    pub(crate) unreported: Unreported,
}

/// Work of models that told nothing of their usage: above all of those that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unreported {
    /// How many took the question.
    pub(crate) calls: u32,
    /// What they said and thought.
    pub(crate) output_bytes: usize,
}

/// Why there is no answer, or no whole one. The texts are for the operator's log, not for visitors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ModelError {
    #[error("it could not be reached: {0}")]
    Connect(String),
    #[error("the question was sent, and no answer came: {0}")]
    Unanswered(String),
    #[error("it answered {status}: {message}")]
    Status { status: u16, message: String, retry_after: Option<Duration> },
    #[error("no word came in time")]
    FirstToken,
    #[error("the answer stalled")]
    Stalled,
    #[error("the answer took too long in all")]
    Total,
    #[error("the answer was cut off")]
    Cut,
    #[error("it sent no answer")]
    Empty,
    #[error("it only wanted to call tools")]
    ToolsOnly,
    #[error("its answer makes no sense: {0}")]
    Garbled(String),
    #[error("a line or the answer is too long")]
    TooLong,
    #[error("it failed midway: {0}")]
    Failed(String),
    #[error("the call was cancelled")]
    Cancelled,
    #[error("no model is configured")]
    NoModel,
}

impl Settings {
    /// `text` without the key and the headers' values: servers repeat in their errors what they did not like.
    fn strike_out(&self, text: &str) -> String {
        let secrets = self.key.iter().chain(self.headers.iter().map(|(_, value)| value)).map(Secret::expose);
        secrets.filter(|secret| !secret.is_empty()).fold(text.to_owned(), |text, secret| text.replace(secret, "[…]"))
    }
}

impl ModelError {
    pub(crate) fn is_timeout(&self) -> bool {
        matches!(self, Self::FirstToken | Self::Stalled | Self::Total)
    }

    /// What the metrics count it under; none: this side ended it, or no model was asked.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Connect(_) => "connect",
            Self::Unanswered(_) => "unanswered",
            Self::Status { status: 401 | 403, .. } => "status_401_403",
            Self::Status { status: 429, .. } => "status_429",
            Self::Status { status: 400..=499, .. } => "status_4xx",
            Self::Status { status: 500..=599, .. } => "status_5xx",
            Self::Status { .. } => "status_other",
            Self::FirstToken => "first_token",
            Self::Stalled => "stalled",
            Self::Total => "total",
            Self::Cut => "cut",
            Self::Empty => "empty",
            Self::ToolsOnly => "tools_only",
            Self::Garbled(_) => "garbled",
            Self::TooLong => "too_long",
            Self::Failed(_) => "failed",
            Self::Cancelled | Self::NoModel => return None,
        })
    }

    /// Whether it would meet another question, too. What this one question provoked, such as a prompt that is too long
    /// or that a filter refuses, is no reason to leave the server alone: any visitor could take it away from all others.
    pub(crate) fn speaks_against_server(&self) -> bool {
        match self {
            Self::Status { status: 401..=404 | 408 | 429, .. } => true,
            Self::Status { status, .. } => !(400..500).contains(status),
            Self::Empty | Self::ToolsOnly | Self::Cancelled | Self::NoModel => false,
            Self::Connect(_)
            | Self::Unanswered(_)
            | Self::FirstToken
            | Self::Stalled
            | Self::Total
            | Self::Cut
            | Self::Garbled(_)
            | Self::TooLong
            | Self::Failed(_) => true,
        }
    }

    /// Whether the model may have worked on the question: it then has a price, even without a word.
    pub(crate) fn may_have_cost(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Status { .. } | Self::NoModel => false,
            Self::Unanswered(_)
            | Self::FirstToken
            | Self::Stalled
            | Self::Total
            | Self::Cut
            | Self::Empty
            | Self::ToolsOnly
            | Self::Garbled(_)
            | Self::TooLong
            | Self::Failed(_)
            | Self::Cancelled => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::MODEL_ERRORS;

    #[test]
    fn every_kind_of_failure_is_one_that_the_metrics_list() {
        let status = |status| ModelError::Status { status, message: String::new(), retry_after: None };
        let mut kinds: Vec<_> =
            [401, 403, 429, 400, 422, 500, 503, 302, 600].map(status).iter().map(ModelError::kind).collect();
        let text = String::new;
        let others = [
            ModelError::Connect(text()),
            ModelError::Unanswered(text()),
            ModelError::FirstToken,
            ModelError::Stalled,
            ModelError::Total,
            ModelError::Cut,
            ModelError::Empty,
            ModelError::ToolsOnly,
            ModelError::Garbled(text()),
            ModelError::TooLong,
            ModelError::Failed(text()),
        ];
        kinds.extend(others.iter().map(ModelError::kind));
        for listed in MODEL_ERRORS {
            assert!(kinds.contains(&Some(listed)), "{listed}");
        }
        for kind in kinds {
            assert!(MODEL_ERRORS.contains(&kind.unwrap()), "{kind:?}");
        }
        assert_eq!([ModelError::Cancelled.kind(), ModelError::NoModel.kind()], [None, None]);
    }

    #[test]
    fn only_what_another_question_would_meet_too_speaks_against_the_server() {
        let status = |status| ModelError::Status { status, message: String::new(), retry_after: None };
        for status_code in [401, 402, 403, 404, 408, 429, 500, 502, 503, 529, 302] {
            assert!(status(status_code).speaks_against_server(), "{status_code}");
        }
        for status_code in [400, 413, 422, 451] {
            assert!(!status(status_code).speaks_against_server(), "{status_code}");
        }
        for error in [ModelError::Empty, ModelError::ToolsOnly, ModelError::Cancelled, ModelError::NoModel] {
            assert!(!error.speaks_against_server(), "{error}");
        }
        for error in [ModelError::FirstToken, ModelError::Cut, ModelError::TooLong, ModelError::Failed("x".into())] {
            assert!(error.speaks_against_server(), "{error}");
        }
    }
}
