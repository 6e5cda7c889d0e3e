//! What must hold for any body of a request. Panics if it does not.

use std::fmt::Debug;

use rouille::Request;
use serde_json::Value;

use super::body::{self, Fields};
use super::error::ApiError;
use super::{events, leads, messages};
use crate::domain::conversation::{CLIENT_MESSAGE_ID_CHARS_MAX, CONTENT_CHARS_MAX, PAGE_FIELD_CHARS_MAX, Page};
use crate::domain::email::Email;
use crate::domain::event::{self, EventType};
use crate::domain::lead;

/// Complaints about one event, at most; a lead has its twenty fields.
const COMPLAINTS_MAX: usize = 7 * event::BATCH_MAX;
/// Of the name or the sentence in a complaint: nothing that a client sent comes back at length.
const COMPLAINT_CHARS_MAX: usize = 300;

/// Each endpoint reads it alike when it is written differently, and what it takes keeps to the limits.
pub(crate) fn body(body: &[u8]) {
    if let Some(message) = read(body, messages::parse) {
        text(&message.content, CONTENT_CHARS_MAX);
        optional(message.client_message_id.as_ref(), CLIENT_MESSAGE_ID_CHARS_MAX);
        page(&message.page);
    }
    if let Some(lead) = read(body, leads::parse) {
        optional(lead.name.as_ref(), lead::NAME_CHARS_MAX);
        optional(lead.phone.as_ref(), lead::PHONE_CHARS_MAX);
        optional(lead.company.as_ref(), lead::COMPANY_CHARS_MAX);
        optional(lead.message.as_ref(), lead::MESSAGE_CHARS_MAX);
        page(&lead.page);
        assert!(lead.fields.len() <= lead::FIELDS_MAX);
        for (key, value) in &lead.fields {
            text(key, lead::FIELD_KEY_CHARS_MAX);
            bounded(value, lead::FIELD_VALUE_CHARS_MAX);
        }
        assert_eq!(Email::parse(lead.email.as_str()), Ok(lead.email.clone()), "an address has two forms");
    }
    if let Some(events) = read(body, events::parse) {
        assert!((1..=event::BATCH_MAX).contains(&events.len()));
        for event in events {
            assert_eq!(EventType::parse(event.event_type.as_str()).as_ref(), Ok(&event.event_type));
            optional(event.client_id.as_ref(), event::CLIENT_ID_CHARS_MAX);
            page(&event.page);
            if let Some(props) = event.props {
                assert!(props.len() <= event::PROPS_BYTES_MAX);
                assert!(serde_json::from_str::<Value>(&props).is_ok_and(|props| props.is_object()), "{props}");
            }
        }
    }
}

/// What `parse` makes of the body, in the client's spelling and in serde_json's.
fn read<T: Debug + PartialEq>(body: &[u8], parse: fn(&mut Fields<'_>) -> Option<T>) -> Option<T> {
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let request = Request::fake_http("POST", "/", headers, Vec::new());
    let parsed = body::parse(&request, body, parse).map_err(complaints);
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let again = format!(" {value:#}\n");
        // Of a number with many digits the last one may change.
        if serde_json::from_str::<Value>(&again).is_ok_and(|read| read == value) {
            assert_eq!(parsed, body::parse(&request, again.as_bytes(), parse).map_err(complaints));
        }
    }
    parsed.ok()
}

/// The bad members with what is said of them; none if the body is no JSON.
fn complaints(error: ApiError) -> Vec<(String, String)> {
    match error {
        ApiError::InvalidJson { .. } => Vec::new(),
        ApiError::ValidationFailed { errors } => {
            assert!((1..=COMPLAINTS_MAX).contains(&errors.len()), "{} complaints", errors.len());
            for error in &errors {
                bounded(&error.field, COMPLAINT_CHARS_MAX);
                text(&error.message, COMPLAINT_CHARS_MAX);
            }
            errors.into_iter().map(|error| (error.field, error.message)).collect()
        }
        other => panic!("{other:?} is not about a body"),
    }
}

fn page(page: &Page) {
    for field in [&page.url, &page.title, &page.referrer].into_iter().flatten() {
        bounded(field, PAGE_FIELD_CHARS_MAX);
    }
}

fn optional(found: Option<&String>, chars_max: usize) {
    if let Some(found) = found {
        text(found, chars_max);
    }
}

/// Trimmed, not empty, not too long.
fn text(found: &str, chars_max: usize) {
    assert_eq!(found.trim(), found);
    assert!(!found.is_empty());
    bounded(found, chars_max);
}

fn bounded(found: &str, chars_max: usize) {
    assert!(found.chars().count() <= chars_max && !found.contains('\0'), "{found:?}");
}
