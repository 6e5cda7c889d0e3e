//! What the server counts of itself, for Prometheus: text format 0.0.4, made at each scrape of `/metrics`.
//!
//! There is one set of counters for the process, behind a function for each room, as `tracing` has one dispatcher. Handles
//! that are passed as values were weighed: each constructor of store, chain, chat, front and sender would take one more
//! argument, and each of their tests would make one, for something that is one for the process anyway. Rooms get typed
//! handles and say what happened; names, labels and buckets stand here alone. What somebody knows at any time (sizes,
//! places, connections) is not kept a second time: `server` reads it at the scrape and hands it over as [`Readings`].
//!
//! A label has few values: each set stands in a list here, or is a `&'static str` of a table in the source, but for the
//! models, which an operator names, and which are forgotten with their configuration. No id, address, origin or agent can
//! be one. Nothing is counted for a token that is relayed; what happens once a request costs an atomic or a short lock.

mod labels;
mod models;
mod process;
mod readings;
mod requests;
mod turns;
mod webhooks;
mod writer;

use std::sync::LazyLock;

use prometheus_client::encoding::prometheus_text;
use prometheus_client::registry::Registry;

use crate::clock;
use crate::domain::time::Timestamp;

#[cfg(test)]
pub(crate) use models::ERRORS as MODEL_ERRORS;
pub(crate) use models::{Model, Models};
pub(crate) use prometheus_text::CONTENT_TYPE;
pub(crate) use readings::{CeilingUse, Connections, Level, ModelState, Readings};
pub(crate) use requests::{OpenStream, Requests};
pub(crate) use turns::{Turns, Used};
pub(crate) use webhooks::Webhooks;
pub(crate) use writer::Writer;

const PREFIX: &str = "widgetd";

struct Metrics {
    requests: Requests,
    turns: Turns,
    models: Models,
    writer: Writer,
    webhooks: Webhooks,
    registry: Registry,
    started_at: Timestamp,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let mut registry = Registry::with_prefix(PREFIX);
    Metrics {
        requests: Requests::new(&mut registry),
        turns: Turns::new(&mut registry),
        models: Models::new(&mut registry),
        writer: Writer::new(&mut registry),
        webhooks: Webhooks::new(&mut registry),
        registry,
        started_at: clock::now(),
    }
});

/// To be called when the process starts, which is the start that is told.
pub(crate) fn start() {
    LazyLock::force(&METRICS);
}

/// What came over HTTP, and what was refused of it.
pub(crate) fn requests() -> &'static Requests {
    &METRICS.requests
}

/// What became of visitors' messages.
pub(crate) fn turns() -> &'static Turns {
    &METRICS.turns
}

/// How models answer.
pub(crate) fn models() -> &'static Models {
    &METRICS.models
}

/// What the one writer commits.
pub(crate) fn writer() -> &'static Writer {
    &METRICS.writer
}

/// What webhooks were told.
pub(crate) fn webhooks() -> &'static Webhooks {
    &METRICS.webhooks
}

/// Everything, as a scrape gets it.
pub(crate) fn text(readings: &Readings) -> String {
    let Metrics { turns, webhooks, registry, started_at, .. } = &*METRICS;
    let mut now = Registry::with_prefix(PREFIX);
    readings::register(readings, turns.cost_nanos(), webhooks.stock(), &mut now);
    let mut process = Registry::default();
    process::register(*started_at, &mut process);
    let mut text = String::new();
    for registry in [registry, &now, &process] {
        // A string takes whatever is written to it.
        let _ = prometheus_text::encode(&mut text, registry);
    }
    text
}

#[cfg(test)]
mod tests;
