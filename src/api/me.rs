//! `GET` and `DELETE /v1/widget/me`: what is stored of the visitor whose token this is, to be taken along or erased.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, gate, limits};

/// Of each conversation; who wants more of its own telemetry asks the owner.
const EVENTS_MAX: u32 = 1000;

pub(super) fn show(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let quota = ctx.snapshot.limits.me(&visit.claims.jti, ctx.monotonic)?;
    let record = ctx.app.store.visitor_record(visit.claims.visitor, EVENTS_MAX)?;
    let response = match &record {
        Some(record) => Response::json(record),
        // Who has only opened the widget has left nothing.
        None => Response::json(&serde_json::json!({
            "visitor_id": visit.claims.visitor,
            "agent_id": visit.claims.agent,
            "created_at": null,
            "conversations": [],
            "leads": [],
        })),
    };
    Ok(limits::tell(response, &[quota]).into())
}

/// Answered once nothing is left. The token stays good: who goes on talking begins anew.
pub(super) fn erase(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let visit = gate::authorize(ctx)?;
    let quota = ctx.snapshot.limits.me(&visit.claims.jti, ctx.monotonic)?;
    // An answer under way would be stored after it.
    let _quiet = ctx.app.chat.quiet(visit.claims.conversation).ok_or(ApiError::GenerationInProgress)?;
    ctx.app.store.erase_visitor(visit.claims.visitor).wait()?;
    Ok(limits::tell(Response::empty_204(), &[quota]).into())
}
