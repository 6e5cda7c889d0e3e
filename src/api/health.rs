//! `GET /healthz`: the process answers. `GET /readyz`: it can serve.

use rouille::Response;
use serde::Serialize;

use super::error::ApiError;
use super::{Ctx, Outcome};

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    storage: &'static str,
    draining: bool,
    models: Vec<Model>,
}

#[derive(Serialize)]
struct Model {
    name: String,
    /// `skipped` after three failures in a row, for a `pause` of `widget.toml` at a time.
    state: &'static str,
    failures: u32,
}

pub(super) fn healthz(_: &Ctx<'_>) -> Result<Outcome, ApiError> {
    Ok(Response::json(&Health { status: "ok" }).into())
}

pub(super) fn readyz(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    let draining = ctx.app.front.is_draining();
    let storage = ctx.app.store.ready();
    if let Err(error) = &storage {
        tracing::warn!(request_id = ctx.request_id, %error, "storage is not ready");
    }
    let is_ready = storage.is_ok() && !draining;
    let models = ctx.snapshot.links.iter().map(|link| {
        let status = link.status(ctx.monotonic);
        Model {
            name: link.name().to_owned(),
            state: if status.is_skipped { "skipped" } else { "ok" },
            failures: status.failures,
        }
    });
    let readiness = Readiness {
        status: if is_ready { "ready" } else { "unavailable" },
        storage: if storage.is_ok() { "ok" } else { "unavailable" },
        draining,
        models: models.collect(),
    };
    Ok(Response::json(&readiness).with_status_code(if is_ready { 200 } else { 503 }).into())
}
