//! The thread that empties the outbox. It wakes after a commit that left something there, when something is due again,
//! and each few seconds: another process may have replayed what was given up.
//!
//! Webhooks take turns. In its turn a webhook is told all that is due, up to a bound, until one fails: a receiver in
//! trouble rests then, so that it holds the others up for no more than one attempt at a time.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::target::{Answer, Notice, PostError, Target};
use super::{Settings, schedule};
use crate::clock;
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::store::{Bell, Due, Ended, Pending, Store, StoreError};

/// How long it sleeps at most, and how long it leaves a database alone that fails.
const IDLE: Duration = Duration::from_secs(5);
/// How long a receiver in trouble is left alone, if it asks for nothing longer. An attempt takes as long at most: so the
/// others have half of the time.
const REST: Duration = Duration::from_secs(10);
/// The most that a receiver can ask for by `Retry-After`.
const REST_MAX: Duration = Duration::from_hours(1);
/// What one webhook is told, and for how long, before it is another's turn: with its last attempt that is 15 seconds.
const TURN_MAX: u32 = 20;
const TURN_TIME: Duration = Duration::from_secs(5);
/// How long an attempt that is under way may go on when the server stops.
const STOP_GRACE: Duration = Duration::from_secs(5);
const GONE: u16 = 410;
const NOT_CONFIGURED: &str = "no webhook of this name is configured any more";

/// The sender's handle.
pub(crate) struct Sender {
    shared: Arc<Shared>,
    /// Closed when the thread has ended.
    ended: Mutex<Receiver<()>>,
}

struct Shared {
    targets: Mutex<Arc<[Target]>>,
    bell: Bell,
    is_stopping: AtomicBool,
}

impl Sender {
    /// Starts the thread.
    pub(crate) fn start(store: Store, webhooks: &[Settings]) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            targets: Mutex::new(targets(webhooks)),
            bell: store.deliveries(),
            is_stopping: AtomicBool::new(false),
        });
        let (alive, ended) = sync_channel(0);
        let mut thread =
            Thread { store, shared: shared.clone(), troubled: HashMap::new(), purged_on: None, has_failed: false };
        std::thread::Builder::new().name("webhooks".into()).spawn(move || {
            thread.run();
            drop(alive);
        })?;
        Ok(Self { shared, ended: Mutex::new(ended) })
    }

    /// Takes over what is configured from here on.
    pub(crate) fn configure(&self, webhooks: &[Settings]) {
        *self.shared.targets.lock() = targets(webhooks);
        self.shared.bell.ring();
    }

    /// Begins nothing any more, and waits a while for the attempt that is under way. What it leaves is done after the
    /// next start.
    pub(crate) fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        self.shared.bell.ring();
        let _ = self.ended.lock().recv_timeout(STOP_GRACE);
    }
}

fn targets(webhooks: &[Settings]) -> Arc<[Target]> {
    webhooks.iter().cloned().map(Target::new).collect()
}

struct Thread {
    store: Store,
    shared: Arc<Shared>,
    /// By name, on the monotonic clock: until when a receiver that failed is left alone. Gone once it succeeds.
    troubled: HashMap<String, Duration>,
    /// The day on which old rows were last deleted.
    purged_on: Option<i64>,
    /// The last round could not read or write.
    has_failed: bool,
}

impl Thread {
    fn run(&mut self) {
        while !self.is_stopping() {
            let round = self.round().and_then(|patience| {
                let (pending, dead) = self.store.count_deliveries()?;
                metrics::webhooks().stands_at(pending, dead);
                Ok(patience)
            });
            if let Err(error) = &round
                && !self.has_failed
            {
                tracing::warn!(%error, "webhooks: storage fails, what is to be told waits");
            }
            self.has_failed = round.is_err();
            self.shared.bell.wait(round.unwrap_or(IDLE));
        }
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping.load(Ordering::Relaxed)
    }

    /// A turn for each webhook that has something due. How long nothing will be.
    fn round(&mut self) -> Result<Duration, StoreError> {
        let targets = self.shared.targets.lock().clone();
        self.purge(clock::now())?;
        let mut patience = IDLE;
        for Pending { webhook, due_at } in self.store.pending_webhooks()? {
            if self.is_stopping() {
                break;
            }
            let Some(target) = targets.iter().find(|target| target.settings.name == webhook) else {
                let given_up = self.store.give_up_webhook(&webhook, NOT_CONFIGURED, clock::now()).wait()?;
                tracing::warn!(?webhook, given_up, "webhooks: {NOT_CONFIGURED}");
                continue;
            };
            let rests_until = self.troubled.get(&webhook).copied().unwrap_or_default();
            let wait = due_at.since(clock::now()).max(rests_until.saturating_sub(clock::monotonic()));
            if wait.is_zero() {
                self.turn(target)?;
                patience = Duration::ZERO;
            }
            patience = patience.min(wait);
        }
        Ok(patience)
    }

    /// Tells one webhook what is due, until it fails.
    fn turn(&mut self, target: &Target) -> Result<(), StoreError> {
        let end = clock::monotonic() + TURN_TIME;
        for _ in 0..TURN_MAX {
            if self.is_stopping() || clock::monotonic() > end {
                break;
            }
            // One at a time: what is erased while another is told must not be told any more.
            let Some(due) = self.store.due_deliveries(&target.settings.name, clock::now(), 1)?.pop() else { break };
            let Due { id, occurrence, occasion, payload, attempts } = &due;
            let notice = Notice { id: *id, occurrence: *occurrence, occasion, payload };
            let outcome = target.post(notice, clock::now());
            self.note_state(&target.settings.name, &outcome);
            let ended = judged(&outcome, attempts + 1, jitter(), clock::now());
            metrics::webhooks().attempted(match &ended {
                Ended::Delivered => "delivered",
                Ended::Failed { .. } => "failed",
                Ended::GivenUp { .. } => "given_up",
            });
            self.note(&due, ended);
            if self.troubled.contains_key(&target.settings.name) {
                break;
            }
        }
        Ok(())
    }

    /// Who is in trouble rests. Logs the way into it and the way out, once each.
    fn note_state(&mut self, webhook: &str, outcome: &Result<Answer, PostError>) {
        let Some(rest) = rest(outcome) else {
            if self.troubled.remove(webhook).is_some() {
                tracing::info!(?webhook, "webhooks: it answers again");
            }
            return;
        };
        let was_troubled = self.troubled.insert(webhook.to_owned(), clock::monotonic() + rest).is_some();
        if !was_troubled {
            tracing::warn!(?webhook, reason = reason(outcome), "webhooks: it cannot be told, and is tried again later");
        }
    }

    /// Waits until it is on the disk how an attempt ended: on one that is full, the same would be told again and again.
    fn note(&self, due: &Due, ended: Ended) {
        if let Ended::GivenUp { error } = &ended {
            tracing::warn!(delivery = %due.id, event = due.occasion, %error, "webhooks: given up; see `widgetd webhook list --dead`");
        }
        let mut has_failed = false;
        while let Err(error) = self.store.end_attempt(due.id, ended.clone(), clock::now()).wait() {
            if self.is_stopping() {
                return;
            }
            if !has_failed {
                tracing::warn!(%error, "webhooks: what was told cannot be noted; nobody is told anything until it can");
            }
            has_failed = true;
            self.shared.bell.wait(IDLE);
        }
    }

    /// Once a day, after midnight in UTC, and at start.
    fn purge(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if self.purged_on != Some(now.day()) {
            while self.store.purge_webhook_deliveries(now).wait()? > 0 {}
            self.purged_on = Some(now.day());
        }
        Ok(())
    }
}

/// What becomes of a delivery after so many attempts.
fn judged(outcome: &Result<Answer, PostError>, attempts: u32, jitter: f64, now: Timestamp) -> Ended {
    let asked = match outcome {
        Ok(answer) if answer.is_success() => return Ended::Delivered,
        Ok(answer) if answer.status == GONE => {
            return Ended::GivenUp { error: format!("{answer}; that means for good, so it is not asked again") };
        }
        Ok(answer) => answer.retry_after,
        Err(_) => None,
    };
    let error = reason(outcome);
    match schedule::wait(attempts, jitter, asked) {
        Some(wait) => Ended::Failed { error, next_at: now.plus(wait) },
        None => Ended::GivenUp { error },
    }
}

fn reason(outcome: &Result<Answer, PostError>) -> String {
    match outcome {
        Ok(answer) => answer.to_string(),
        Err(error) => error.to_string(),
    }
}

/// How long the receiver is left alone with everything: not at all if it has merely refused this one.
fn rest(outcome: &Result<Answer, PostError>) -> Option<Duration> {
    match outcome {
        Ok(answer) if answer.status == 429 || answer.status >= 500 => {
            Some(answer.retry_after.unwrap_or_default().clamp(REST, REST_MAX))
        }
        Ok(_) => None,
        Err(_) => Some(REST),
    }
}

/// 0 to 1. Without random numbers there is none, which harms nobody.
fn jitter() -> f64 {
    let mut bytes = [0; 4];
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::target::sample;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn answered(status: u16) -> Result<Answer, PostError> {
        Ok(sample(status, None))
    }

    #[test]
    fn what_is_not_2xx_is_tried_again_until_the_schedule_ends() {
        for status in [200, 201, 204, 299] {
            assert_eq!(judged(&answered(status), 1, 0.5, NOW), Ended::Delivered);
        }
        for status in [199, 300, 302, 400, 401, 404, 408, 409, 411, 429, 500, 503, 599] {
            let ended = judged(&answered(status), 1, 0.5, NOW);
            let expected =
                Ended::Failed { error: format!("it answered {status}"), next_at: NOW.plus(Duration::from_secs(10)) };
            assert_eq!(ended, expected);
            assert_eq!(
                judged(&answered(status), 10, 0.5, NOW),
                Ended::GivenUp { error: format!("it answered {status}") }
            );
        }
        let none = Err(PostError::new("no route"));
        assert!(matches!(judged(&none, 9, 0.5, NOW), Ended::Failed { .. }));
        assert_eq!(judged(&none, 10, 0.5, NOW), Ended::GivenUp { error: "no route".into() });
    }

    #[test]
    fn one_that_is_gone_for_good_is_not_asked_again() {
        assert!(matches!(judged(&answered(410), 1, 0.5, NOW), Ended::GivenUp { .. }));
    }

    #[test]
    fn who_is_in_trouble_rests_and_who_refuses_one_event_does_not() {
        assert_eq!(rest(&answered(200)), None);
        assert_eq!(rest(&answered(400)), None);
        assert_eq!(rest(&answered(503)), Some(REST));
        assert_eq!(rest(&Err(PostError::new("no route"))), Some(REST));
        let asks = |asked| rest(&Ok(sample(429, Some(asked))));
        assert_eq!(asks(Duration::from_mins(2)), Some(Duration::from_mins(2)));
        assert_eq!(asks(Duration::from_hours(100)), Some(REST_MAX));
    }

    #[test]
    fn jitter_is_a_fraction_that_differs() {
        let drawn: Vec<f64> = (0..20).map(|_| jitter()).collect();
        assert!(drawn.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(drawn.iter().any(|value| (value - drawn[0]).abs() > f64::EPSILON));
    }
}
