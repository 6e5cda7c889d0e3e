//! Who may come in: the agent, the origin, the token. Every route of the widget passes here before anything else.

use std::borrow::Cow;
use std::sync::Arc;

use super::error::ApiError;
use super::{Ctx, body};
use crate::chat::Assistant;
use crate::domain::agent::Agent;
use crate::domain::origin::Received;
use crate::domain::text;
use crate::store::Speaker;
use crate::token::Claims;

/// Of what a client sends, in the log. No origin that works is as long.
const QUOTED_CHARS_MAX: usize = 200;

/// A visitor with a valid token, on an origin that the token's agent allows.
pub(super) struct Visit {
    pub(super) claims: Claims,
    pub(super) assistant: Arc<Assistant>,
}

impl Visit {
    /// As whom the visitor speaks: ids come from the token alone, never from a body or a query.
    pub(super) fn speaker(&self) -> Speaker {
        Speaker {
            agent: self.claims.agent.clone(),
            visitor: self.claims.visitor,
            conversation: self.claims.conversation,
        }
    }
}

/// For the routes with a token: verifies it, and the origin if there is one. A client that is not a browser sends none.
/// The token may stand in the body instead of the header: a page that sends no such header is not asked for a preflight
/// (Fetch, "CORS-preflight request"), which saves a round trip before the first word.
pub(super) fn authorize(ctx: &Ctx<'_>) -> Result<Visit, ApiError> {
    let token = match bearer(ctx.request.header("Authorization")) {
        Ok(token) => Cow::Borrowed(token),
        Err(missing) => body::token(ctx.body).ok_or(missing)?,
    };
    let claims = ctx.app.tokens.verify(&token, ctx.now)?;
    let assistant = ctx.snapshot.assistants.get(&claims.agent).ok_or(ApiError::InvalidToken)?.clone();
    let _ = ctx.agent.set(claims.agent.clone());
    if let Some(origin) = ctx.origin_header() {
        allow(ctx, &assistant.agent, origin)?;
    }
    Ok(Visit { claims, assistant })
}

/// For the routes without a token: an origin that must be there, and the agent by its name.
pub(super) fn admit<'a>(ctx: &'a Ctx<'_>, agent_id: &str) -> Result<&'a Arc<Assistant>, ApiError> {
    let Some(origin) = ctx.origin() else {
        let agent = text::beginning(agent_id, QUOTED_CHARS_MAX);
        tracing::warn!(?agent, request_id = ctx.request_id, "refused: the request has no Origin header");
        return Err(ApiError::OriginMissing { agent: agent_id.to_owned() });
    };
    let assistant = find(ctx, agent_id)?;
    allow(ctx, &assistant.agent, origin)?;
    Ok(assistant)
}

/// The agent by its name.
pub(super) fn find<'a>(ctx: &'a Ctx<'_>, agent_id: &str) -> Result<&'a Arc<Assistant>, ApiError> {
    let assistant = ctx
        .snapshot
        .config
        .agent(agent_id)
        .and_then(|agent| ctx.snapshot.assistants.get(agent.id()))
        .ok_or_else(|| ApiError::AgentNotFound { agent: agent_id.to_owned() })?;
    let _ = ctx.agent.set(assistant.agent.id().clone());
    Ok(assistant)
}

/// Whether the agent allows this origin.
pub(super) fn allows(ctx: &Ctx<'_>, agent: &Agent, origin: &str) -> bool {
    agent.allowed_origins.allow(&Received::parse(origin), &ctx.snapshot.own_origins)
}

fn allow(ctx: &Ctx<'_>, agent: &Agent, origin: &str) -> Result<(), ApiError> {
    if allows(ctx, agent, origin) {
        return Ok(());
    }
    tracing::warn!(
        agent = %agent.id(),
        origin = ?text::beginning(origin, QUOTED_CHARS_MAX),
        request_id = ctx.request_id,
        "refused: add this origin to the agent's allowed_origins in widget.toml if it is yours"
    );
    Err(ApiError::OriginNotAllowed { origin: origin.to_owned(), agent: agent.id().to_string() })
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750, section 2.1; the scheme in any case, RFC 9110, section 11.1).
fn bearer(header: Option<&str>) -> Result<&str, ApiError> {
    let (scheme, token) = header.and_then(|header| header.trim().split_once(' ')).ok_or(ApiError::MissingToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(ApiError::MissingToken);
    }
    Ok(token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_a_token() {
        assert_eq!(bearer(Some("Bearer abc")).ok(), Some("abc"));
        assert_eq!(bearer(Some("bearer  abc ")).ok(), Some("abc"));
        for missing in [None, Some(""), Some("Bearer"), Some("Basic abc"), Some("abc")] {
            assert!(matches!(bearer(missing), Err(ApiError::MissingToken)), "{missing:?}");
        }
    }
}
