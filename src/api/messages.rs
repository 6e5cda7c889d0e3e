//! `POST /v1/widget/messages/stream` and `POST /v1/widget/messages`: one turn, told as it comes or as a whole.
//!
//! The short pool admits the message: token, origin, body, permit, limit, and what `chat` says. Only what is accepted
//! goes to the generation pool, so that a flood of bad tokens cannot take a permit from a visitor.

mod stream;
mod whole;

use super::body::Fields;
use super::error::ApiError;
use super::limits::Quota;
use super::{Ctx, Outcome, body, gate};
use crate::chat::{Acceptance, NewMessage};
use crate::domain::conversation::{CLIENT_MESSAGE_ID_CHARS_MAX, CONTENT_CHARS_MAX};
use crate::domain::id::ConversationId;
use crate::http::Permit;

pub(super) fn stream(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let Admitted { permit, quota, conversation, acceptance } = admit(ctx)?;
    let app = ctx.app.clone();
    Ok(Outcome::Later(
        permit,
        Box::new(move |reply| match acceptance {
            Acceptance::Turn(accepted) => stream::generate(&app.chat, *accepted, reply, quota),
            Acceptance::Replay(replay) => stream::replay(*replay, conversation, reply, quota),
        }),
    ))
}

pub(super) fn whole(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let Admitted { permit, quota, acceptance, .. } = admit(ctx)?;
    let app = ctx.app.clone();
    match acceptance {
        Acceptance::Replay(replay) => Ok(whole::replay(*replay, quota).into()),
        Acceptance::Turn(accepted) => {
            Ok(Outcome::Later(permit, Box::new(move |reply| whole::generate(&app.chat, *accepted, reply, quota))))
        }
    }
}

struct Admitted {
    permit: Permit,
    quota: Quota,
    conversation: ConversationId,
    acceptance: Acceptance,
}

/// Everything that can refuse a message. What must be given back is taken last.
fn admit(ctx: &Ctx<'_>) -> Result<Admitted, ApiError> {
    let visit = gate::authorize(ctx)?;
    let message = body::parse(ctx.request, ctx.body, parse)?;
    if ctx.app.front.is_draining() {
        return Err(ApiError::ShuttingDown);
    }
    let permit = ctx.app.generations.try_permit().ok_or(ApiError::Overloaded { cause: "all generations are busy" })?;
    let quota = ctx.snapshot.limits.messages(ctx.client(), ctx.monotonic)?;
    let accepted = ctx.app.chat.accept(&visit.assistant, &ctx.snapshot.faq, visit.speaker(), message, ctx.now);
    let acceptance = accepted.inspect_err(|_| ctx.snapshot.limits.give_message_back(ctx.client()))?;
    Ok(Admitted { permit, quota, conversation: visit.claims.conversation, acceptance })
}

pub(super) fn parse(fields: &mut Fields<'_>) -> Option<NewMessage> {
    let page = fields.page();
    let client_message_id = fields.text("client_message_id", CLIENT_MESSAGE_ID_CHARS_MAX);
    let content = fields.required_text("content", CONTENT_CHARS_MAX)?;
    Some(NewMessage { content, client_message_id, page })
}
