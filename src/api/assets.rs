//! What is served from inside the binary: the demo page and the description of the API.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, routes};

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

/// The files of the demo page by their paths.
const DEMO_FILES: [(&str, &str); 16] = [
    ("/demo.css", include_str!("../widget/demo.css")),
    ("/demo.js", include_str!("../widget/demo.js")),
    ("/demo/chat.js", include_str!("../widget/demo/chat.js")),
    ("/demo/client.js", include_str!("../widget/demo/client.js")),
    ("/demo/composer.js", include_str!("../widget/demo/composer.js")),
    ("/demo/developer.js", include_str!("../widget/demo/developer.js")),
    ("/demo/dom.js", include_str!("../widget/demo/dom.js")),
    ("/demo/lead_form.js", include_str!("../widget/demo/lead_form.js")),
    ("/demo/markdown.js", include_str!("../widget/demo/markdown.js")),
    ("/demo/rules.js", include_str!("../widget/demo/rules.js")),
    ("/demo/sse.js", include_str!("../widget/demo/sse.js")),
    ("/demo/storage.js", include_str!("../widget/demo/storage.js")),
    ("/demo/telemetry.js", include_str!("../widget/demo/telemetry.js")),
    ("/demo/theme.js", include_str!("../widget/demo/theme.js")),
    ("/demo/transcript.js", include_str!("../widget/demo/transcript.js")),
    ("/demo/words.js", include_str!("../widget/demo/words.js")),
];

pub(super) fn is_demo_file(path: &str) -> bool {
    DEMO_FILES.iter().any(|(known, _)| *known == path)
}

pub(super) fn demo_file(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let path = routes::path(ctx.request);
    let (_, body) = DEMO_FILES.iter().find(|(known, _)| *known == path).ok_or(ApiError::NotFound)?;
    let content_type =
        if path.ends_with(".css") { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
    Ok(demo(ctx, content_type, body)?.into())
}

/// Something of the demo page, while the demo agent is configured.
fn demo(ctx: &Ctx<'_>, content_type: &'static str, body: &'static str) -> Result<Response, ApiError> {
    if ctx.snapshot.config.agent(DEMO_AGENT).is_none() {
        return Err(ApiError::NotFound);
    }
    Ok(Response::from_data(content_type, body).with_unique_header("Cache-Control", "no-cache"))
}
