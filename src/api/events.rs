//! `POST /v1/widget/events`: telemetry, one event or a batch. 202 means stored.

use rouille::Response;
use serde::Serialize;
use serde_json::Value;

use super::body::Fields;
use super::error::ApiError;
use super::{Ctx, Outcome, body, gate, limits, stored};
use crate::domain::event::{self, EventType, NewEvent};
use crate::domain::time::Timestamp;
use crate::store::Stored;

#[derive(Serialize)]
struct Answer {
    accepted: usize,
}

pub(super) fn events(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let events = body::parse(ctx.request, ctx.body, parse)?;
    let quota = ctx.snapshot.limits.events(&visit.claims.jti, ctx.monotonic)?;
    let allowance = visit.assistant.agent.budget.event_bytes_per_day;
    let wait = ctx.now.next_day().since(ctx.now);
    let permit = stored::may_wait(ctx)?;
    let commit = ctx.app.store.insert_events(visit.speaker(), events, allowance, ctx.now)?;
    stored::answer(permit, commit, move |stored| match stored {
        Stored::Accepted(accepted) => {
            let response = Response::json(&Answer { accepted }).with_status_code(202);
            Ok(limits::tell(response, &[quota]))
        }
        Stored::DailyAllowanceSpent => Err(ApiError::EventAllowanceExhausted { wait }),
    })
}

pub(super) fn parse(fields: &mut Fields<'_>) -> Option<Vec<NewEvent>> {
    if !fields.has("events") {
        return parse_event(fields).map(|event| vec![event]);
    }
    let batch = fields.array("events")?;
    if batch.is_empty() || batch.len() > event::BATCH_MAX {
        fields.complain("events", format!("must have 1 to {} events", event::BATCH_MAX));
        return None;
    }
    // All are read, so that every bad one is named.
    let events: Vec<_> = batch
        .iter()
        .enumerate()
        .map(|(index, event)| match event {
            Value::Object(members) => parse_event(&mut fields.inner(members, &format!("events[{index}]"))),
            _ => {
                fields.complain(&format!("events[{index}]"), "must be an object");
                None
            }
        })
        .collect();
    events.into_iter().collect()
}

fn parse_event(fields: &mut Fields<'_>) -> Option<NewEvent> {
    let page = fields.page();
    let client_id = fields.text("id", event::CLIENT_ID_CHARS_MAX);
    let client_time = fields.parsed("ts", parse_time);
    let props = parse_props(fields);
    if !fields.has("type") {
        fields.complain("type", "is required");
    }
    let event_type = fields.parsed("type", EventType::parse)?;
    Some(NewEvent { event_type, client_id, client_time, props, page })
}

fn parse_time(text: &str) -> Result<Timestamp, &'static str> {
    let time: jiff::Timestamp =
        text.parse().map_err(|_| "must be a time as in RFC 3339, such as 2026-11-23T10:00:00Z")?;
    Ok(Timestamp::from_ms(time.as_millisecond()))
}

fn parse_props(fields: &mut Fields<'_>) -> Option<String> {
    let props = Value::Object(fields.object("props")?).to_string();
    if props.len() > event::PROPS_BYTES_MAX {
        fields.complain("props", format!("must be at most {} bytes as JSON", event::PROPS_BYTES_MAX));
        return None;
    }
    Some(props)
}
