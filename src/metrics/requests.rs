//! What came over HTTP: requests by route, streams, and what was refused and why.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{Counters, Figure, Histograms, Known, Labels};

/// In seconds: a refusal takes less than the first, a streamed answer may take minutes.
const SECONDS: [f64; 13] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];

/// The windows of `[limits]`, as `RateLimit-Policy` names them, and that of logging in.
const LIMITS: [&str; 10] = [
    "init",
    "config",
    "messages",
    "leads",
    "leads-address",
    "leads-agent",
    "me",
    "me-address",
    "events",
    "admin-login",
];
const BUDGETS: [&str; 4] = ["conversation", "agent_ceiling", "global_ceiling", "event_allowance"];
const ORIGINS: [&str; 3] = ["not_allowed", "missing", "preflight"];
const PLACES: [&str; 5] = ["all_busy", "address_share", "network_share", "agent_share", "commits_busy"];
/// The statuses with which the front refuses what no route sees.
const EARLY: [u16; 10] = [400, 408, 411, 413, 414, 417, 431, 501, 503, 505];

pub(crate) struct Requests {
    answered: Counters,
    seconds: Histograms,
    streams: Figure,
    early: Counters,
    limits: Known,
    budgets: Known,
    origins: Known,
    places: Known,
    paused: Counter,
}

impl Requests {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let answered = Counters::default();
        registry.register(
            "http_requests",
            "Requests that were answered, by route and status; 499: the client left",
            answered.clone(),
        );
        let seconds: Histograms = Family::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register(
            "http_request_duration_seconds",
            "From a whole request to the end of its answer, which of a stream is its last event",
            seconds.clone(),
        );
        let streams = Figure::default();
        registry.register("streams_open", "Answers that are being streamed", streams.clone());
        let early = Counters::default();
        EARLY.iter().for_each(|&status| drop(early.get_or_create(&Labels::status(status))));
        registry.register(
            "http_early_refusals",
            "Requests refused before any route saw them: malformed, too slow, too large, or no place",
            early.clone(),
        );
        let paused = Counter::default();
        registry.register("paused_refusals", "Messages refused because their agent is paused", paused.clone());
        let mut known = |name, help, label, values: &[&'static str]| Known::new(registry, name, help, label, values);
        Self {
            limits: known("limit_refusals", "Requests refused by a window of [limits]", "limit", &LIMITS),
            budgets: known("budget_refusals", "Messages and events refused by a budget or a ceiling", "kind", &BUDGETS),
            origins: known(
                "origin_refusals",
                "Requests refused for the origin that they name or lack",
                "kind",
                &ORIGINS,
            ),
            places: known(
                "place_refusals",
                "Requests refused because a place was missing to answer them",
                "reason",
                &PLACES,
            ),
            answered,
            seconds,
            streams,
            early,
            paused,
        }
    }

    /// One request was answered. `route` is the pattern of a table, never a path that was sent.
    pub(crate) fn answered(&self, route: &'static str, status: u16, time: Duration) {
        let route = Labels::one("route", route);
        self.answered.get_or_create(&route.clone().and(Labels::status(status))).inc();
        self.seconds.get_or_create(&route).observe(time.as_secs_f64());
    }

    /// A stream has begun. It has ended when this is dropped.
    pub(crate) fn stream(&self) -> OpenStream {
        self.streams.inc();
        OpenStream(self.streams.clone())
    }

    /// No route saw it.
    pub(crate) fn refused_early(&self, status: u16) {
        self.early.get_or_create(&Labels::status(status)).inc();
    }

    pub(crate) fn refused_by_limit(&self, limit: &'static str) {
        self.limits.count(limit);
    }

    pub(crate) fn refused_by_budget(&self, kind: &'static str) {
        self.budgets.count(kind);
    }

    pub(crate) fn refused_origin(&self, kind: &'static str) {
        self.origins.count(kind);
    }

    pub(crate) fn refused_place(&self, reason: &'static str) {
        self.places.count(reason);
    }

    pub(crate) fn refused_paused(&self) {
        self.paused.inc();
    }
}

/// A stream that is counted as open.
pub(crate) struct OpenStream(Figure);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}
