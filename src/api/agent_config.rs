//! `GET /v1/widget/config`: the agent's looks, for painting the launcher before anything is known of the visitor.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, etag, gate};

pub(super) fn agent_config(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    // What is allowed tells nothing of it: a cache would tell others.
    ctx.snapshot.limits.config(ctx.client(), ctx.monotonic)?;
    let agent_id = ctx.request.get_param("agent_id").unwrap_or_default();
    let agent = &gate::admit(ctx, &agent_id)?.agent;
    let body = agent.published.get();
    let response = etag::answer(ctx.request, etag::strong(body.as_bytes()), || {
        Response::from_data("application/json; charset=utf-8", body)
    });
    Ok(response.with_unique_header("Cache-Control", "public, max-age=300").into())
}
