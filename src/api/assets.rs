//! What is served from inside the binary: the demo page and the description of the API.

use std::sync::Arc;

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, routes};
use crate::domain::agent::Agent;

/// The agent that the demo page talks to, if there is one of that id.
const DEMO_AGENT: &str = "demo";

/// Where the demo page names it.
const DEMO_TAG: &str = "data-agent-id=\"demo\"";

/// As strict as a site with the widget can be: no inline script or style, nothing from elsewhere, no HTML made from text.
const DEMO_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                           img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                           require-trusted-types-for 'script'; trusted-types 'none'";

/// The page is an app of a few pages; these are their paths besides `/`, so that a reload finds them.
const DEMO_PAGES: [&str; 3] = ["/products", "/pricing", "/checkout"];

/// Each file of `src/widget/site/` that is named: its path, and what is in it.
macro_rules! site_files {
    ($($name:literal),+ $(,)?) => {
        [$((concat!("/site/", $name), include_str!(concat!("../widget/site/", $name)))),+]
    };
}

const SITE_FILES: [(&str, &str); 30] = site_files![
    "site.css",
    "pages.css",
    "kites.css",
    "forms.css",
    "site.js",
    "basket.js",
    "catalogue.js",
    "element.js",
    "kites.js",
    "pages.js",
    "queue.js",
    "pictures/eider.svg",
    "pictures/gannet.svg",
    "pictures/ground.svg",
    "pictures/harrier.svg",
    "pictures/plan.svg",
    "pictures/swift.svg",
    "pictures/tern.svg",
    "pictures/wren.svg",
    "try/try.css",
    "try/actions.js",
    "try/controls.js",
    "try/drawer.js",
    "try/events.js",
    "try/language.js",
    "try/languages.js",
    "try/look.js",
    "try/settings.js",
    "try/snippets.js",
    "try/toml.js",
];

/// The widget's words, as [`SITE_FILES`]: the page lets one try each language.
macro_rules! words_files {
    ($($name:literal),+ $(,)?) => {
        [$((concat!("/site/words/", $name), include_str!(concat!("../widget/words/", $name)))),+]
    };
}

const WORDS_FILES: [(&str, &str); 8] =
    words_files!["ar.json", "de.json", "en.json", "es.json", "fr.json", "it.json", "nl.json", "pt.json"];

pub(super) fn openapi(_: &Ctx<'_>) -> Result<Outcome, ApiError> {
    Ok(Response::from_data("application/json; charset=utf-8", include_str!("openapi.json")).into())
}

pub(super) fn demo_page(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let agent = demo_agent(ctx).ok_or(ApiError::NotFound)?;
    // An id has no character that HTML gives a meaning.
    let tag = format!("data-agent-id=\"{}\"", agent.id().as_str());
    let page = include_str!("../widget/site/index.html").replace(DEMO_TAG, &tag);
    let response = demo(ctx, "text/html; charset=utf-8", page)?;
    Ok(response
        .with_additional_header("Content-Security-Policy", DEMO_POLICY)
        .with_additional_header("Referrer-Policy", "strict-origin-when-cross-origin")
        .into())
}

/// Whether the path, other than `/`, leads to the demo page or to something on it.
pub(super) fn is_of_demo(path: &str) -> bool {
    DEMO_PAGES.contains(&path) || file(path).is_some()
}

/// What is at such a path.
pub(super) fn of_demo(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let path = routes::path(ctx.request);
    let Some(body) = file(path) else {
        return demo_page(ctx);
    };
    let content_type = match path.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "json")) => "application/json; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/javascript; charset=utf-8",
    };
    Ok(demo(ctx, content_type, body)?.into())
}

fn file(path: &str) -> Option<&'static str> {
    SITE_FILES.iter().chain(&WORDS_FILES).find(|(known, _)| *known == path).map(|(_, body)| *body)
}

/// The agent of that id, else the first that may be used on the server's own pages.
fn demo_agent<'a>(ctx: &'a Ctx<'_>) -> Option<&'a Agent> {
    let config = &ctx.snapshot.config;
    let is_for_own = |agent: &&Arc<Agent>| agent.allowed_origins.own;
    config.agent(DEMO_AGENT).or_else(|| config.agents.iter().find(is_for_own)).map(Arc::as_ref)
}

/// Something of the demo page, while there is an agent for it.
fn demo(ctx: &Ctx<'_>, content_type: &'static str, body: impl Into<Vec<u8>>) -> Result<Response, ApiError> {
    if demo_agent(ctx).is_none() {
        return Err(ApiError::NotFound);
    }
    Ok(Response::from_data(content_type, body).with_unique_header("Cache-Control", "no-cache"))
}
