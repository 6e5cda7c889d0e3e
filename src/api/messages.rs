//! `POST /v1/widget/messages/stream` and `POST /v1/widget/messages`: one turn, told as it comes or as a whole.
//!
//! A message is admitted first: token, origin, body, place, limit, and what `chat` says. Only what is accepted is left
//! to be generated, so that a flood of bad tokens cannot take a place from a visitor.

mod stream;
mod whole;

use super::body::Fields;
use super::error::ApiError;
use super::limits::Quota;
use super::places::{self, Place};
use super::{Ctx, Outcome, body, gate};
use crate::chat::{Acceptance, NewMessage};
use crate::domain::conversation::{CLIENT_MESSAGE_ID_CHARS_MAX, CONTENT_CHARS_MAX};
use crate::domain::id::ConversationId;

pub(super) fn stream(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let Admitted { place, quota, conversation, acceptance } = admit(ctx)?;
    let app = ctx.app.clone();
    Ok(Outcome::Later(Box::new(move |reply| {
        match acceptance {
            Acceptance::Turn(accepted) => stream::generate(&app.chat, *accepted, reply, quota),
            Acceptance::Replay(replay) => stream::replay(*replay, conversation, reply, quota),
        }
        drop(place);
    })))
}

pub(super) fn whole(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let Admitted { place, quota, acceptance, .. } = admit(ctx)?;
    let app = ctx.app.clone();
    match acceptance {
        Acceptance::Replay(replay) => Ok(whole::replay(*replay, quota).into()),
        Acceptance::Turn(accepted) => Ok(Outcome::Later(Box::new(move |reply| {
            whole::generate(&app.chat, *accepted, reply, quota);
            drop(place);
        }))),
    }
}

struct Admitted {
    place: Place,
    quota: Quota,
    conversation: ConversationId,
    acceptance: Acceptance,
}

/// Everything that can refuse a message. What must be given back is taken last.
fn admit(ctx: &Ctx<'_>) -> Result<Admitted, ApiError> {
    let visit = gate::authorize(ctx)?;
    let message = body::parse(ctx.request, ctx.body, parse)?;
    let place = places::take(ctx, &visit)?;
    let quota = ctx.snapshot.limits.messages(ctx.client(), ctx.monotonic)?;
    let accepted = ctx.app.chat.accept(&visit.assistant, &ctx.snapshot.faq, visit.speaker(), message, ctx.now);
    let acceptance = accepted.inspect_err(|_| ctx.snapshot.limits.give_message_back(ctx.client()))?;
    Ok(Admitted { place, quota, conversation: visit.claims.conversation, acceptance })
}

pub(super) fn parse(fields: &mut Fields<'_>) -> Option<NewMessage> {
    let page = fields.page();
    let client_message_id = fields.text("client_message_id", CLIENT_MESSAGE_ID_CHARS_MAX);
    let content = fields.required_text("content", CONTENT_CHARS_MAX)?;
    Some(NewMessage { content, client_message_id, page })
}
