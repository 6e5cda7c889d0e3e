//! What a scrape of `/metrics` reads from the rooms that know it. None of them is made to wait, and none is waited for.

use crate::api::{App, Snapshot};
use crate::clock;
use crate::domain::money::{Ceiling, Charge};
use crate::metrics::{CeilingUse, Level, ModelState, Readings};

/// All metrics, as text.
pub(super) fn text(app: &App) -> String {
    crate::metrics::text(&read(app))
}

fn read(app: &App) -> Readings {
    let snapshot = app.snapshot.read().clone();
    let store = app.store.load(clock::monotonic());
    let [workers, queue] = app.front.work().unwrap_or([Level { used: 0, max: 0 }; 2]);
    Readings {
        is_ready: store.is_well && !app.front.is_draining(),
        connections: app.front.connections(),
        workers,
        queue,
        places: app.places.permits().load(),
        commit_places: app.commits.load(),
        writes: store.queue,
        committing: store.committing,
        database_bytes: store.database_bytes,
        log_bytes: store.log_bytes,
        free_bytes: store.free_bytes,
        free_floor_bytes: store.free_floor_bytes,
        models: models(&snapshot),
        ceilings: ceilings(&snapshot, app.chat.used(clock::now())),
        currency: snapshot.config.currency.to_string(),
    }
}

fn models(snapshot: &Snapshot) -> Vec<ModelState> {
    let state = |link: &std::sync::Arc<crate::model::Link>| {
        let status = link.status(clock::monotonic());
        ModelState { name: link.name().to_owned(), is_skipped: status.is_skipped, failures: status.failures }
    };
    snapshot.links.iter().map(state).collect()
}

/// Of those that are set.
fn ceilings(snapshot: &Snapshot, [day, month]: [Charge; 2]) -> Vec<CeilingUse> {
    let all = &snapshot.config.all_agents;
    let of = |[tokens, cost]: [&'static str; 2], ceiling: Ceiling, used: Charge| {
        let tokens = ceiling.tokens.map(|most| CeilingUse { key: tokens, used: used.tokens, most });
        let cost = ceiling.nanos.map(|most| CeilingUse { key: cost, used: used.nanos, most });
        [tokens, cost]
    };
    let day = of(["tokens_per_day", "cost_per_day"], all.day, day);
    let month = of(["tokens_per_month", "cost_per_month"], all.month, month);
    day.into_iter().chain(month).flatten().collect()
}
