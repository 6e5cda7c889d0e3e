//! `GET /v1/widget/check`: why a widget does not work on a page, in words, readable from every origin.
//!
//! A misconfigured `allowed_origins` is the commonest reason. It tells no more than `/init` would, and shares its limit.

use rouille::Response;
use serde::Serialize;

use super::error::ApiError;
use super::{Ctx, Outcome, gate, limits};

#[derive(Serialize)]
struct Answer<'a> {
    agent_id: &'a str,
    origin: Option<&'a str>,
    allowed: bool,
    hint: Option<String>,
}

pub(super) fn check(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let quota = ctx.snapshot.limits.init(ctx.client(), ctx.monotonic)?;
    let agent_id = ctx.request.get_param("agent_id").unwrap_or_default();
    let agent = &gate::find(ctx, &agent_id)?.agent;
    let origin = ctx.origin();
    let allowed = origin.is_some_and(|origin| gate::allows(ctx, agent, origin));
    let hint = match origin {
        _ if allowed => None,
        Some(origin) => Some(format!("add \"{origin}\" to allowed_origins of agent \"{agent_id}\"")),
        None => Some(
            "the request has no Origin header: ask from the page, or with curl --header \"Origin: https://…\"".into(),
        ),
    };
    let answer = Answer { agent_id: &agent_id, origin, allowed, hint };
    Ok(limits::tell(Response::json(&answer), &[quota]).into())
}
