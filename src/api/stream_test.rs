//! `GET /v1/widget/stream-test`: a stream like an answer's, of events whose moments are known, so that a client can tell what
//! the proxies between do to streams, and as whom the server counts it. `widgetd doctor` asks for it. Stores nothing.
//!
//! It holds a place and counts in the address's window as a message does: it is no cheaper way to hold the server up.

use std::time::Duration;

use serde::Serialize;

use super::error::ApiError;
use super::limits::{self, Quota};
use super::reply::{self, OpenStream, Reply};
use super::{Ctx, Outcome, gate, places};
use crate::clock;
use crate::http::{ClientGone, Forwarded, address_key};

/// Enough gaps that one late packet does not decide.
const EVENTS: u32 = 5;
/// Longer than networks vary, and short enough to be waited for.
const GAP: Duration = Duration::from_millis(150);

/// An event's data, with its number from 1 and the milliseconds since the first.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event {
    Seen { number: u32, ms: u64, of: u32, client: String, forwarded_for: &'static str },
    Tick { number: u32, ms: u64 },
}

impl Event {
    const fn name(&self) -> &'static str {
        match self {
            Self::Seen { .. } => "seen",
            Self::Tick { .. } => "tick",
        }
    }
}

pub(super) fn stream_test(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let place = places::take(ctx, &visit)?;
    let quota = ctx.snapshot.limits.messages(ctx.client(), ctx.monotonic)?;
    // What answers HEAD has no body, not even a slow one.
    if ctx.request.method() == "HEAD" {
        return Ok(limits::tell(reply::stream_head(), &[quota]).into());
    }
    let client = address_key(ctx.client()).to_string();
    let forwarded_for = match ctx.forwarded {
        Forwarded::Absent => "absent",
        Forwarded::Ignored => "ignored",
        Forwarded::Believed => "believed",
    };
    Ok(Outcome::Later(Box::new(move |reply| {
        run(reply, quota, Event::Seen { number: 1, ms: 0, of: EVENTS, client, forwarded_for });
        drop(place);
    })))
}

fn run(reply: Reply, quota: Quota, first: Event) {
    let stream = reply.stream(limits::tell(reply::stream_head(), &[quota]));
    match tick(&stream, &first) {
        Ok(()) => stream.finish(),
        Err(ClientGone) => stream.abandon(),
    }
}

/// The last event is left in the queue, to leave with the end of the stream.
fn tick(stream: &OpenStream, first: &Event) -> Result<(), ClientGone> {
    let begun = clock::monotonic();
    stream.events.queue(first.name(), first);
    for number in 2..=EVENTS {
        stream.events.flush()?;
        std::thread::sleep(GAP);
        stream.events.tick()?;
        let since_first = clock::monotonic().saturating_sub(begun);
        let event = Event::Tick { number, ms: u64::try_from(since_first.as_millis()).unwrap_or(u64::MAX) };
        stream.events.queue(event.name(), &event);
    }
    Ok(())
}
