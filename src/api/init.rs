//! `POST /v1/widget/init`: a conversation for a visitor, new or resumed. Stores nothing.

use rouille::Response;
use serde::Serialize;
use serde_json::value::RawValue;

use super::error::ApiError;
use super::{Ctx, Outcome, body, gate, limits};
use crate::chat::{self, Remaining};
use crate::domain::agent::Agent;
use crate::domain::conversation::{Message, RESUMED_MESSAGES_MAX};
use crate::domain::id::{ConversationId, VisitorId};
use crate::domain::time::Timestamp;
use crate::store::Resume;
use crate::token;

const AGENT_ID_CHARS_MAX: usize = 64;
const LOCALE_CHARS_MAX: usize = 35;
const VISITOR_ID_CHARS_MAX: usize = 128;

struct Body {
    agent_id: String,
    visitor_id: Option<String>,
    new_conversation: bool,
}

#[derive(Serialize)]
struct Answer<'a> {
    conversation_id: ConversationId,
    visitor_id: VisitorId,
    token: &'a str,
    token_type: &'static str,
    expires_in: u64,
    expires_at: Timestamp,
    resumed: bool,
    agent: &'a RawValue,
    messages: Vec<Message>,
    budget: Remaining,
}

pub(super) fn init(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let quota = ctx.snapshot.limits.init(ctx.client(), ctx.monotonic)?;
    let body = parse(ctx)?;
    let agent = &gate::admit(ctx, &body.agent_id)?.agent;
    let place = place(ctx, agent, &body)?;
    let (messages, spent) = if place.resumed {
        let messages = ctx.app.store.recent_messages(place.conversation, RESUMED_MESSAGES_MAX)?;
        let window_start = ctx.now.minus(agent.budget.window);
        let state = ctx.app.store.conversation_state(agent.id(), place.conversation, None, window_start, 0)?;
        (messages, state.spent)
    } else {
        (Vec::new(), Vec::new())
    };
    let signed = ctx.app.tokens.sign(agent.id(), place.visitor, place.conversation, ctx.now);
    let answer = Answer {
        conversation_id: place.conversation,
        visitor_id: place.visitor,
        token: &signed.token,
        token_type: "Bearer",
        expires_in: token::LIFETIME.as_secs(),
        expires_at: signed.expires_at,
        resumed: place.resumed,
        agent: &agent.published,
        messages,
        budget: chat::remaining(&agent.budget, &spent),
    };
    Ok(limits::tell(Response::json(&answer), &[quota]).into())
}

fn parse(ctx: &Ctx<'_>) -> Result<Body, ApiError> {
    body::parse(ctx.request, ctx.body, |fields| {
        fields.page();
        fields.text("locale", LOCALE_CHARS_MAX);
        let visitor_id = fields.text("visitor_id", VISITOR_ID_CHARS_MAX);
        let new_conversation = fields.bool("new_conversation").unwrap_or(false);
        let agent_id = fields.required_text("agent_id", AGENT_ID_CHARS_MAX)?;
        Some(Body { agent_id, visitor_id, new_conversation })
    })
}

/// Who speaks, and where.
struct Place {
    visitor: VisitorId,
    conversation: ConversationId,
    resumed: bool,
}

/// A visitor whom this agent knows goes on where it left off, if that is not too long ago. Anyone else is new, with an
/// id of our choice.
fn place(ctx: &Ctx<'_>, agent: &Agent, body: &Body) -> Result<Place, ApiError> {
    let new_conversation = |visitor| Place { visitor, conversation: ConversationId::new(ctx.now), resumed: false };
    let Some(visitor) = body.visitor_id.as_deref().and_then(VisitorId::parse) else {
        return Ok(new_conversation(VisitorId::new()));
    };
    let active_since = ctx.now.minus(ctx.snapshot.config.resume_window);
    Ok(match ctx.app.store.resume(agent.id(), visitor, active_since)? {
        Resume::Conversation(conversation) if !body.new_conversation => Place { visitor, conversation, resumed: true },
        Resume::Conversation(_) | Resume::NoConversation => new_conversation(visitor),
        Resume::UnknownVisitor => new_conversation(VisitorId::new()),
    })
}
