//! Why a request gets no page, and what the owner reads instead.

use std::time::Duration;

use rouille::Response;

use super::page;
use super::password::PasswordError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is no such page")]
    NotFound,
    #[error("the method is not allowed")]
    Method { allow: &'static str },
    /// The form is not from a page of this session.
    #[error("the form is from elsewhere")]
    Forged,
    #[error("the form is sent as something else")]
    MediaType,
    /// Of the form, in words for the owner.
    #[error("{0}")]
    Form(&'static str),
    #[error("too many attempts")]
    Limited { wait: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Template(#[from] askama::Error),
}

impl Refusal {
    /// What the log is told, and the owner is not.
    pub(super) fn cause(&self) -> Option<String> {
        match self {
            Self::Store(_) | Self::Password(_) | Self::Template(_) => Some(self.to_string()),
            _ => None,
        }
    }

    pub(super) fn response(&self, request_id: &str) -> Response {
        let (status, title, text) = self.words();
        let response = page::error(status, title, &text, self.cause().is_some().then_some(request_id));
        match self {
            Self::Method { allow } => response.with_additional_header("Allow", *allow),
            Self::Limited { wait } => {
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                response.with_additional_header("Retry-After", seconds.max(1).to_string())
            }
            Self::Store(StoreError::Full | StoreError::Busy) => response.with_additional_header("Retry-After", "2"),
            _ => response,
        }
    }

    fn words(&self) -> (u16, &'static str, String) {
        match self {
            Self::NotFound => (404, "There is no such page", "It may have been deleted.".into()),
            Self::Method { .. } => (405, "That cannot be done here", "The page is for something else.".into()),
            Self::Forged => (
                403,
                "The form was not taken",
                "It came from another page, or from a session that has ended. Nothing was changed: open the page again \
                 and repeat what you did."
                    .into(),
            ),
            Self::MediaType => (415, "The form was not taken", "It is not sent as a form.".into()),
            Self::Form(text) => (422, "The form was not taken", (*text).into()),
            Self::Limited { wait } => {
                let minutes = wait.as_secs().div_ceil(60).max(1);
                let unit = if minutes == 1 { "minute" } else { "minutes" };
                (429, "Too many attempts", format!("Try again in {minutes} {unit}."))
            }
            Self::Store(StoreError::Full | StoreError::DiskFloor) => {
                (503, "The disk is full", "Nothing can be stored now. It goes on when there is room.".into())
            }
            Self::Store(StoreError::Busy | StoreError::Closed) => {
                (503, "The database is busy", "Try again in a moment.".into())
            }
            Self::Store(_) | Self::Password(_) | Self::Template(_) => {
                (500, "Something went wrong here", "The log has the cause.".into())
            }
        }
    }
}
