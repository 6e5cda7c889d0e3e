//! Every page, in one column.

use super::{Ctx, Outcome, Refusal, conversations, exports, leads, login, overview, retention, spending, webhooks};

type Endpoint = fn(&Ctx<'_>) -> Result<Outcome, Refusal>;

struct Route {
    /// As the log has it: no ids.
    name: &'static str,
    get: Option<Endpoint>,
    post: Option<Endpoint>,
}

const fn get(name: &'static str, get: Endpoint) -> Option<Route> {
    Some(Route { name, get: Some(get), post: None })
}

const fn post(name: &'static str, post: Endpoint) -> Option<Route> {
    Some(Route { name, get: None, post: Some(post) })
}

const fn both(name: &'static str, get: Endpoint, post: Endpoint) -> Option<Route> {
    Some(Route { name, get: Some(get), post: Some(post) })
}

fn route(parts: &[&str]) -> Option<Route> {
    match parts {
        [] => get("/admin", overview::show),
        ["agents", _, "pause"] => post("/admin/agents/ID/pause", spending::pause),
        ["agents", _, "resume"] => post("/admin/agents/ID/resume", spending::resume),
        ["conversations"] => get("/admin/conversations", conversations::list),
        ["conversations", "export.csv" | "export.jsonl"] => {
            get("/admin/conversations/export", exports::of_conversations)
        }
        ["conversations", _] => get("/admin/conversations/ID", conversations::one),
        ["conversations", _, "delete"] => {
            both("/admin/conversations/ID/delete", conversations::confirm, conversations::delete)
        }
        ["leads"] => get("/admin/leads", leads::list),
        ["leads", "export.csv" | "export.jsonl"] => get("/admin/leads/export", exports::of_leads),
        ["leads", _] => both("/admin/leads/ID", leads::one, leads::save),
        ["webhooks"] => get("/admin/webhooks", webhooks::list),
        ["webhooks", "replay"] => post("/admin/webhooks/replay", webhooks::replay_all),
        ["webhooks", _, "replay"] => post("/admin/webhooks/ID/replay", webhooks::replay),
        ["retention"] => get("/admin/retention", retention::show),
        ["logout"] => post("/admin/logout", login::leave),
        _ => None,
    }
}

/// The endpoint; or there is none, or not with this method.
pub(super) fn find(method: &str, parts: &[&str]) -> Result<Endpoint, Refusal> {
    let Route { get, post, .. } = route(parts).ok_or(Refusal::NotFound)?;
    let endpoint = match method {
        "GET" | "HEAD" => get,
        "POST" => post,
        _ => None,
    };
    endpoint.ok_or(Refusal::Method {
        allow: match (get.is_some(), post.is_some()) {
            (true, true) => "GET, HEAD, POST",
            (true, false) => "GET, HEAD",
            _ => "POST",
        },
    })
}

pub(super) fn name(parts: &[&str]) -> &'static str {
    route(parts).map_or("/admin", |route| route.name)
}
