//! `GET` and `DELETE /v1/widget/me`: what is stored of the visitor whose token this is, to be taken along or erased.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, gate, limits, stored};

/// Of what is shown, about; who has left more asks the owner for the rest.
const BYTES_MAX: usize = 1 << 20;

pub(super) fn show(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let quota = ctx.snapshot.limits.me(&visit.claims.jti, ctx.client(), ctx.monotonic)?;
    let record = ctx.app.store.visitor_record(visit.claims.visitor, BYTES_MAX)?;
    let response = match &record {
        Some(record) => Response::json(record),
        // Who has only opened the widget has left nothing.
        None => Response::json(&serde_json::json!({
            "visitor_id": visit.claims.visitor,
            "agent_id": visit.claims.agent,
            "created_at": null,
            "conversations": [],
            "leads": [],
            "is_whole": true,
        })),
    };
    Ok(limits::tell(response, &[quota]).into())
}

/// Answered once nothing is left. The token stays good: who goes on talking begins anew.
/// Answered once nothing is left. The token stays good: who goes on talking begins anew.
pub(super) fn erase(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let visitor = visit.claims.visitor;
    let quota = ctx.snapshot.limits.me(&visit.claims.jti, ctx.client(), ctx.monotonic)?;
    // An answer under way would be stored after it.
    let mut quiet = vec![ctx.app.chat.quiet(visit.claims.conversation).ok_or(ApiError::GenerationInProgress)?];
    for other in ctx.app.store.conversations_of(visitor)? {
        if other != visit.claims.conversation {
            quiet.push(ctx.app.chat.quiet(other).ok_or(ApiError::GenerationInProgress)?);
        }
    }
    let permit = stored::may_wait(ctx)?;
    let store = ctx.app.store.clone();
    // A long conversation goes in many commits.
    Ok(Outcome::Later(Box::new(move |reply| {
        let erased = store.erase_visitor(visitor).map_err(ApiError::from);
        drop(quiet);
        reply.send(erased.map(|_| limits::tell(Response::empty_204(), &[quota])));
        drop(permit);
    })))
}
