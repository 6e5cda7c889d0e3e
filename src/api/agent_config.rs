//! `GET /v1/widget/config`: the agent's looks, for painting the launcher before anything is known of the visitor.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, gate};

pub(super) fn agent_config(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let agent_id = ctx.request.get_param("agent_id").unwrap_or_default();
    let agent = &gate::admit(ctx, &agent_id)?.agent;
    let body = agent.published.get();
    let etag = strong_etag(body.as_bytes());
    let is_unchanged = ctx.request.header("If-None-Match").is_some_and(|known| matches(known, &etag));
    let response = if is_unchanged {
        Response { status_code: 304, ..Response::empty_204() }
    } else {
        Response::from_data("application/json; charset=utf-8", body)
    };
    let response =
        response.with_unique_header("Cache-Control", "public, max-age=300").with_additional_header("ETag", etag);
    Ok(response.into())
}

/// Equal bodies have equal tags, on every start of every build: a UUIDv5 of the bytes (RFC 9562, section 5.5).
fn strong_etag(body: &[u8]) -> String {
    format!("\"{}\"", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, body).simple())
}

/// `If-None-Match` compares weakly (RFC 9110, section 13.1.2).
fn matches(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}
