//! Every method, path and endpoint, in one column.

use super::error::ApiError;
use super::{
    Ctx, Outcome, agent_config, assets, check, cors, events, health, init, leads, me, messages, script, stream_test,
};

type Endpoint = fn(&Ctx<'_>) -> Result<Outcome, ApiError>;

/// Below this, origins are checked and answers carry CORS headers.
pub(super) const WIDGET: &str = "/v1/widget/";
pub(super) const CHECK: &str = "/v1/widget/check";
pub(super) const ME: &str = "/v1/widget/me";

struct Route {
    method: &'static str,
    path: &'static str,
    endpoint: Endpoint,
}

const fn get(path: &'static str, endpoint: Endpoint) -> Route {
    Route { method: "GET", path, endpoint }
}

const fn post(path: &'static str, endpoint: Endpoint) -> Route {
    Route { method: "POST", path, endpoint }
}

const fn delete(path: &'static str, endpoint: Endpoint) -> Route {
    Route { method: "DELETE", path, endpoint }
}

const ROUTES: [Route; 15] = [
    post("/v1/widget/init", init::init),
    post("/v1/widget/messages/stream", messages::stream),
    post("/v1/widget/messages", messages::whole),
    post("/v1/widget/leads", leads::leads),
    post("/v1/widget/events", events::events),
    get("/v1/widget/config", agent_config::agent_config),
    get(CHECK, check::check),
    get("/v1/widget/stream-test", stream_test::stream_test),
    get(ME, me::show),
    delete(ME, me::erase),
    get("/healthz", health::healthz),
    get("/readyz", health::readyz),
    get("/openapi.json", assets::openapi),
    get("/widget.js", script::latest),
    get("/", assets::demo_page),
];

/// The script by its hash: one endpoint for all hashes.
const PINNED_SCRIPT: Route = get("/w/{hash}/widget.js", script::pinned);

/// The demo page's other paths, its scripts, styles and pictures: one endpoint for all of them.
const OF_DEMO: Route = get("/site/{file}", assets::of_demo);

/// Of no route, for the metrics.
const OTHER: &str = "other";

/// The endpoint's answer, or 404, or 405 with what is allowed.
pub(super) fn answer(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let path = path(ctx.request);
    let of_demo = || assets::is_of_demo(path).then_some(&OF_DEMO);
    let pinned_script = || script::is_pinned(path).then_some(&PINNED_SCRIPT);
    let mut routes: Vec<&Route> = ROUTES.iter().filter(|route| route.path == path).collect();
    if routes.is_empty() {
        routes.push(of_demo().or_else(pinned_script).ok_or(ApiError::NotFound)?);
    }
    let is_widget = path.starts_with(WIDGET);
    let method = match ctx.request.method() {
        "OPTIONS" if is_widget => return cors::preflight(ctx),
        "HEAD" => "GET",
        method => method,
    };
    match routes.iter().find(|route| route.method == method) {
        Some(route) => (route.endpoint)(ctx),
        None => Err(ApiError::MethodNotAllowed {
            allow: match (routes.as_slice(), is_widget) {
                ([_, _, ..], _) => "GET, HEAD, DELETE, OPTIONS",
                ([Route { method: "POST", .. }], _) => "POST, OPTIONS",
                (_, true) => "GET, HEAD, OPTIONS",
                (_, false) => "GET, HEAD",
            },
        }),
    }
}

/// What the path is counted under: its pattern, or `other`. It grows with this table alone, whatever is asked for.
pub(super) fn label(path: &str) -> &'static str {
    match ROUTES.iter().find(|route| route.path == path) {
        Some(route) => route.path,
        None if assets::is_of_demo(path) => OF_DEMO.path,
        None if script::is_pinned(path) => PINNED_SCRIPT.path,
        None => OTHER,
    }
}

/// The path as it came, without its query: an escaped path is none of ours.
pub(super) fn path(request: &rouille::Request) -> &str {
    let url = request.raw_url();
    url.split_once('?').map_or(url, |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn whatever_is_asked_for_is_counted_under_a_pattern() {
        for (path, expected) in [
            ("/v1/widget/init", "/v1/widget/init"),
            ("/v1/widget/messages/stream", "/v1/widget/messages/stream"),
            ("/v1/widget/me", "/v1/widget/me"),
            ("/", "/"),
            ("/site/site.css", "/site/{file}"),
            ("/site/words/de.json", "/site/{file}"),
            ("/products", "/site/{file}"),
            ("/w/0123456789abcdef/widget.js", "/w/{hash}/widget.js"),
            ("/w/anything/widget.js", "/w/{hash}/widget.js"),
            ("/v1/widget/init/", "other"),
            ("/v1/widget/conversations/018f", "other"),
            ("/site/none.css", "other"),
            ("", "other"),
        ] {
            assert_eq!(label(path), expected, "{path}");
        }
        let mut labels: BTreeSet<_> = ROUTES.iter().map(|route| label(route.path)).collect();
        labels.extend((0..1000).map(|n| label(&format!("/w/{n}/widget.js"))));
        labels.extend((0..1000).map(|n| label(&format!("/{n}"))));
        let of_table: BTreeSet<_> = ROUTES.iter().map(|route| route.path).collect();
        assert_eq!(
            labels.len(),
            of_table.len() + 2,
            "those of the table, the script by its hash, and other: {labels:?}"
        );
    }
}
