//! What is read at a scrape from those who know it.

use std::time::Duration;

use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::labels::{Figure, Labels};
use super::process::float;

const NANOS_OF_ONE: f64 = 1e9;

/// One look at everything.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    pub(crate) is_ready: bool,
    pub(crate) connections: Connections,
    /// For short requests.
    pub(crate) workers: Level,
    /// Requests that wait for one of them.
    pub(crate) queue: Level,
    /// For answers that are generated.
    pub(crate) places: Level,
    /// For leads and events that wait for their commit.
    pub(crate) commit_places: Level,
    pub(crate) writes: Level,
    /// For how long the commit under way has been under way; zero: there is none.
    pub(crate) committing: Duration,
    pub(crate) database_bytes: Option<u64>,
    pub(crate) log_bytes: Option<u64>,
    pub(crate) free_bytes: Option<u64>,
    pub(crate) free_floor_bytes: u64,
    pub(crate) models: Vec<ModelState>,
    pub(crate) ceilings: Vec<CeilingUse>,
    /// Three letters.
    pub(crate) currency: String,
}

/// How full something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) used: usize,
    pub(crate) max: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) idle: usize,
    pub(crate) reading: usize,
    pub(crate) answering: usize,
    pub(crate) writing: usize,
    pub(crate) lingering: usize,
    /// That may be open in all.
    pub(crate) max: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelState {
    pub(crate) name: String,
    pub(crate) is_skipped: bool,
    pub(crate) failures: u32,
}

/// A ceiling that all agents share, and how much of it is used or reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CeilingUse {
    /// The key of `[ceiling]`.
    pub(crate) key: &'static str,
    pub(crate) used: u64,
    pub(crate) most: u64,
}

pub(super) fn register(readings: &Readings, cost_nanos: u64, [pending, dead]: [u64; 2], registry: &mut Registry) {
    let version = Info::new(Labels::one("version", env!("CARGO_PKG_VERSION")));
    registry.register("build", "The version that runs", version);
    gauge(
        registry,
        "ready",
        "Whether it can serve, as far as is known without asking the database",
        f64::from(u8::from(readings.is_ready)),
    );
    connections(&readings.connections, registry);
    for (name, what, level) in [
        ("workers", "Threads that run short requests", readings.workers),
        ("worker_queue", "Requests that wait for such a thread", readings.queue),
        ("generation_places", "Answers that are generated", readings.places),
        ("commit_places", "Leads and events that wait for their commit", readings.commit_places),
        ("write_queue", "Writes that wait for the writer", readings.writes),
    ] {
        gauge(registry, &format!("{name}_used"), what, float(level.used));
        gauge(registry, &format!("{name}_max"), &format!("{what}: at most"), float(level.max));
    }
    let committing = readings.committing.as_secs_f64();
    gauge(
        registry,
        "commit_running_seconds",
        "For how long the commit under way has taken; 0 if there is none",
        committing,
    );
    for (name, help, bytes) in [
        ("database_size_bytes", "Size of the database's file", readings.database_bytes),
        ("wal_size_bytes", "Size of the log beside the database, its -wal", readings.log_bytes),
        ("disk_free_bytes", "What is free on the disk of the database", readings.free_bytes),
        (
            "disk_free_floor_bytes",
            "storage.free_disk_floor, below which events are refused",
            Some(readings.free_floor_bytes),
        ),
    ] {
        if let Some(bytes) = bytes {
            gauge(registry, name, help, float(bytes));
        }
    }
    gauge(registry, "webhook_deliveries_pending", "Deliveries to webhooks that are still to be made", float(pending));
    gauge(
        registry,
        "webhook_deliveries_dead",
        "Deliveries to webhooks that were given up, and are kept for 30 days",
        float(dead),
    );
    models(&readings.models, registry);
    ceilings(&readings.ceilings, registry);
    cost(cost_nanos, &readings.currency, registry);
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    registry.register(name, help, ConstGauge::new(value));
}

fn connections(connections: &Connections, registry: &mut Registry) {
    let Connections { idle, reading, answering, writing, lingering, max } = *connections;
    let family = Family::<Labels, Figure>::default();
    for (state, count) in
        [("idle", idle), ("reading", reading), ("answering", answering), ("writing", writing), ("lingering", lingering)]
    {
        family.get_or_create(&Labels::one("state", state)).set(float(count));
    }
    registry.register("connections", "Open connections to [server] listen, by what is waited for", family);
    gauge(registry, "connections_max", "Connections that may be open", float(max));
}

fn models(models: &[ModelState], registry: &mut Registry) {
    let [skipped, failures] = [Family::<Labels, Figure>::default(), Family::<Labels, Figure>::default()];
    for ModelState { name, is_skipped, failures: in_a_row } in models {
        let name = Labels::model(name.as_str().into());
        skipped.get_or_create(&name).set(f64::from(u8::from(*is_skipped)));
        failures.get_or_create(&name).set(f64::from(*in_a_row));
    }
    registry.register(
        "model_skipped",
        "1 while a model is left alone because it failed several times in a row",
        skipped,
    );
    registry.register("model_failures_in_a_row", "Failures of a model since it last answered", failures);
}

fn ceilings(ceilings: &[CeilingUse], registry: &mut Registry) {
    let family = Family::<Labels, Figure>::default();
    for CeilingUse { key, used, most } in ceilings {
        family.get_or_create(&Labels::one("ceiling", key)).set(share(*used, *most));
    }
    registry.register(
        "ceiling_used_ratio",
        "Share of a ceiling of [ceiling] that is used or reserved in its period",
        family,
    );
}

/// Of a ceiling of nothing everything is used.
fn share(used: u64, most: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a share of two digits is enough")]
    if most == 0 { 1.0 } else { used as f64 / most as f64 }
}

fn cost(nanos: u64, currency: &str, registry: &mut Registry) {
    #[expect(clippy::cast_precision_loss, reason = "exact up to nine millions of the currency")]
    let cost = ConstCounter::new(nanos as f64 / NANOS_OF_ONE);
    let of_currency = registry.sub_registry_with_label(("currency".into(), currency.to_owned().into()));
    of_currency.register(
        "cost",
        "What models cost by the prices of [[model]], in the currency that [ceiling] names",
        cost,
    );
}
