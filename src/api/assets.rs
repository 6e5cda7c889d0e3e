//! What is served from inside the binary: the demo page and the description of the API.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome};

/// The agent that the demo page talks to.
const DEMO_AGENT: &str = "demo";

/// No inline script or style, nothing from elsewhere.
const DEMO_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                           img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn openapi(_: &Ctx<'_>) -> Result<Outcome, ApiError> {
    Ok(Response::from_data("application/json; charset=utf-8", include_str!("openapi.json")).into())
}

pub(super) fn demo_page(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let response = demo(ctx, "text/html; charset=utf-8", include_str!("../widget/demo.html"))?;
    Ok(response
        .with_additional_header("Content-Security-Policy", DEMO_POLICY)
        .with_additional_header("Referrer-Policy", "strict-origin-when-cross-origin")
        .into())
}

pub(super) fn demo_css(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    Ok(demo(ctx, "text/css; charset=utf-8", include_str!("../widget/demo.css"))?.into())
}

pub(super) fn demo_js(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    Ok(demo(ctx, "text/javascript; charset=utf-8", include_str!("../widget/demo.js"))?.into())
}

/// A file of the demo page, while the demo agent is configured.
fn demo(ctx: &Ctx<'_>, content_type: &'static str, body: &'static str) -> Result<Response, ApiError> {
    if ctx.snapshot.config.agent(DEMO_AGENT).is_none() {
        return Err(ApiError::NotFound);
    }
    Ok(Response::from_data(content_type, body).with_unique_header("Cache-Control", "no-cache"))
}
