//! Every refusal of the API: one variant a code of the contract, and its problem document in one place.
//!
//! An error is made where its reason is known. A 500 tells nothing of its cause; `api::handle` logs it.

use std::time::Duration;

use super::limits::Quota;
use crate::chat::{self, Failure, Refusal};
use crate::http::problem::{FieldError, Problem};
use crate::model::ModelError;
use crate::store::StoreError;
use crate::token::TokenError;

#[derive(Debug)]
pub(super) enum ApiError {
    InvalidJson { reason: String },
    MissingToken,
    InvalidToken,
    ExpiredToken,
    OriginNotAllowed { origin: String, agent: String },
    OriginMissing { agent: String },
    PreflightNotAllowed { origin: String },
    AgentNotFound { agent: String },
    NotFound,
    MethodNotAllowed { allow: &'static str },
    GenerationInProgress,
    UnsupportedMediaType { found: String },
    ValidationFailed { errors: Vec<FieldError> },
    IdempotencyMismatch,
    RateLimited { quotas: Vec<Quota>, wait: Duration },
    ConversationBudgetExhausted { wait: Duration },
    AgentBudgetExhausted { wait: Duration },
    EventAllowanceExhausted { wait: Duration },
    Internal { cause: String },
    ModelUnavailable { cause: String },
    ModelTimeout { cause: String },
    Overloaded { cause: &'static str },
    StorageFails { cause: String },
    ShuttingDown,
}

impl ApiError {
    /// What the client is told.
    pub(super) fn problem(&self) -> Problem {
        let (status, code, title) = self.code();
        Problem {
            status,
            code,
            title,
            detail: self.detail(),
            errors: match self {
                Self::ValidationFailed { errors } => errors.clone(),
                Self::IdempotencyMismatch => vec![FieldError {
                    field: "client_message_id".into(),
                    message: "was used before with another content".into(),
                }],
                _ => Vec::new(),
            },
            retry_after_s: self.wait().map(whole_seconds),
        }
    }

    /// Status, code and title.
    fn code(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::InvalidJson { .. } => (400, "invalid_json", "The body is not JSON"),
            Self::MissingToken => (401, "missing_token", "A token is needed"),
            Self::InvalidToken => (401, "invalid_token", "The token is not valid"),
            Self::ExpiredToken => (401, "expired_token", "The token has expired"),
            Self::OriginNotAllowed { .. } | Self::PreflightNotAllowed { .. } => {
                (403, "origin_not_allowed", "This origin is not allowed")
            }
            Self::OriginMissing { .. } => (403, "origin_missing", "The request names no origin"),
            Self::AgentNotFound { .. } => (404, "agent_not_found", "There is no such agent"),
            Self::NotFound => (404, "not_found", "There is nothing here"),
            Self::MethodNotAllowed { .. } => (405, "method_not_allowed", "The method is not allowed"),
            Self::GenerationInProgress => (409, "generation_in_progress", "An answer is being generated"),
            Self::UnsupportedMediaType { .. } => (415, "unsupported_media_type", "The content type is not supported"),
            Self::ValidationFailed { .. } => (422, "validation_failed", "The request is not valid"),
            Self::IdempotencyMismatch => (422, "idempotency_mismatch", "The id was used for another message"),
            Self::RateLimited { .. } => (429, "rate_limited", "Too many requests"),
            Self::ConversationBudgetExhausted { .. } => {
                (429, "conversation_budget_exhausted", "This conversation's budget is spent")
            }
            Self::AgentBudgetExhausted { .. } | Self::EventAllowanceExhausted { .. } => {
                (429, "agent_budget_exhausted", "This agent's budget for today is spent")
            }
            Self::Internal { .. } => (500, "internal", "Something went wrong here"),
            Self::ModelUnavailable { .. } => (502, "model_unavailable", "The model gave no answer"),
            Self::ModelTimeout { .. } => (504, "model_timeout", "The model took too long"),
            Self::Overloaded { .. } => (503, "overloaded", "The server is busy"),
            Self::StorageFails { .. } => (503, "overloaded", "The server cannot store anything"),
            Self::ShuttingDown => (503, "shutting_down", "The server is shutting down"),
        }
    }

    /// What a person should do next.
    fn detail(&self) -> String {
        match self {
            Self::InvalidJson { reason } => format!("Send one JSON object in UTF-8: {reason}."),
            Self::MissingToken => {
                "Send \"Authorization: Bearer TOKEN\" with the token that /v1/widget/init returned.".into()
            }
            Self::InvalidToken => "Call /v1/widget/init for a new token.".into(),
            Self::ExpiredToken => {
                "Tokens last 60 minutes. Call /v1/widget/init with the visitor_id for a new one.".into()
            }
            Self::OriginNotAllowed { origin, agent } => format!(
                "Requests from the origin \"{origin}\" are not allowed. If it is yours, add it to allowed_origins of \
                 agent \"{agent}\" in widget.toml and reload."
            ),
            Self::OriginMissing { agent } => format!(
                "The request has no Origin header, as browsers send it. Send the origin of a page that is listed in \
                 allowed_origins of agent \"{agent}\" in widget.toml."
            ),
            Self::PreflightNotAllowed { origin } => format!(
                "Requests from the origin \"{origin}\" are not allowed. If it is yours, add it to allowed_origins of \
                 the agent in widget.toml and reload."
            ),
            Self::AgentNotFound { agent } => {
                format!("No agent is called \"{agent}\" here. Compare agent_id with the ids in widget.toml.")
            }
            Self::NotFound => "Look at /openapi.json for what this server has.".into(),
            Self::MethodNotAllowed { allow } => format!("Use one of these here: {allow}."),
            Self::GenerationInProgress => {
                "Wait until the answer to the message before has ended, then send the next one.".into()
            }
            Self::UnsupportedMediaType { found } => {
                format!("Send the body as application/json or as text/plain; this came as \"{found}\".")
            }
            Self::ValidationFailed { .. } => "Correct the fields in \"errors\" and send the request again.".into(),
            Self::IdempotencyMismatch => "Use a new client_message_id for a new message.".into(),
            Self::RateLimited { wait, .. } => format!("Wait {} and try again.", seconds(*wait)),
            Self::ConversationBudgetExhausted { wait } => {
                format!("Start a new conversation, or come back in {}.", seconds(*wait))
            }
            Self::AgentBudgetExhausted { wait } | Self::EventAllowanceExhausted { wait } => {
                format!("It is renewed at midnight UTC, in {}.", seconds(*wait))
            }
            Self::Internal { .. } => "The log has the cause under this request_id.".into(),
            Self::ModelUnavailable { .. } => "The message is stored. Try again in a moment.".into(),
            Self::ModelTimeout { .. } => "The message is stored. Try again in a moment.".into(),
            Self::Overloaded { .. } | Self::StorageFails { .. } => "Try again in a moment.".into(),
            Self::ShuttingDown => "Try again in a moment: it is probably being restarted.".into(),
        }
    }

    /// After how long the client is let through.
    pub(super) fn wait(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { wait, .. }
            | Self::ConversationBudgetExhausted { wait }
            | Self::AgentBudgetExhausted { wait }
            | Self::EventAllowanceExhausted { wait } => Some(*wait),
            Self::GenerationInProgress => Some(chat::IN_PROGRESS_WAIT),
            Self::Overloaded { .. } | Self::StorageFails { .. } | Self::ShuttingDown => Some(Duration::from_secs(1)),
            _ => None,
        }
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_retryable(&self) -> bool {
        self.wait().is_some() || matches!(self, Self::ModelUnavailable { .. } | Self::ModelTimeout { .. })
    }

    /// What the operator should read beside the request's line in the log.
    pub(super) fn cause(&self) -> Option<&str> {
        match self {
            Self::Internal { cause }
            | Self::ModelUnavailable { cause }
            | Self::ModelTimeout { cause }
            | Self::StorageFails { cause } => Some(cause),
            Self::Overloaded { cause } => Some(cause),
            _ => None,
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3): the error is named only if a token came.
    pub(super) fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::MissingToken => Some("Bearer realm=\"widget\""),
            Self::InvalidToken => {
                Some("Bearer realm=\"widget\", error=\"invalid_token\", error_description=\"the token is not valid\"")
            }
            Self::ExpiredToken => {
                Some("Bearer realm=\"widget\", error=\"invalid_token\", error_description=\"the token has expired\"")
            }
            _ => None,
        }
    }
}

/// In whole seconds, rounded up, at least 1: a client that waits so long is let through.
pub(super) fn whole_seconds(wait: Duration) -> u64 {
    let rounded_up = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    rounded_up.max(1)
}

fn seconds(wait: Duration) -> String {
    match whole_seconds(wait) {
        1 => "1 second".into(),
        n => format!("{n} seconds"),
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::InvalidToken,
            TokenError::Expired => Self::ExpiredToken,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::Overloaded { cause: "the disk is full" },
            StoreError::DiskFloor => Self::Overloaded { cause: "less disk space is free than storage.free_disk_floor" },
            StoreError::Busy => Self::Overloaded { cause: "storage has no room for more work" },
            StoreError::Closed => Self::ShuttingDown,
            error @ (StoreError::Disk(_) | StoreError::Corrupt(_)) => Self::StorageFails { cause: error.to_string() },
            error => Self::Internal { cause: error.to_string() },
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::InProgress => Self::GenerationInProgress,
            Refusal::Mismatch => Self::IdempotencyMismatch,
            Refusal::ConversationBudget { wait } => Self::ConversationBudgetExhausted { wait },
            Refusal::AgentBudget { wait } => Self::AgentBudgetExhausted { wait },
            Refusal::Store(error) => error.into(),
        }
    }
}

impl From<ModelError> for ApiError {
    fn from(error: ModelError) -> Self {
        let cause = error.to_string();
        if error.is_timeout() { Self::ModelTimeout { cause } } else { Self::ModelUnavailable { cause } }
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Model(error) => error.into(),
            Failure::ShuttingDown => Self::ShuttingDown,
            Failure::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_and_at_least_one() {
        for (ms, expected) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_000, 59), (59_001, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(ms)), expected, "{ms}");
        }
    }

    #[test]
    fn a_cause_is_never_told() {
        for error in [
            ApiError::Internal { cause: "secret path".into() },
            StoreError::Disk("secret path".into()).into(),
            StoreError::Corrupt("secret path".into()).into(),
        ] {
            assert!(!format!("{:?}", error.problem()).contains("secret path"));
            assert!(error.cause().is_some_and(|cause| cause.contains("secret path")));
        }
    }

    #[test]
    fn storage_that_takes_no_write_is_no_fault_of_the_program() {
        for error in
            [StoreError::Full, StoreError::Disk(String::new()), StoreError::Corrupt(String::new()), StoreError::Busy]
        {
            let problem = ApiError::from(error).problem();
            assert_eq!((problem.status, problem.code, problem.retry_after_s), (503, "overloaded", Some(1)));
        }
        assert_eq!(ApiError::from(StoreError::Panicked).problem().status, 500);
    }
}
