//! The outbox: what is left in it, with what, and until when.

use serde_json::Value;

use super::*;
use crate::domain::id::DeliveryId;
use crate::domain::webhook::Occasion;

const DAY: Duration = Duration::from_hours(24);

fn everything_to(names: &[&str]) -> Subscribers {
    Subscribers::new(names.iter().map(|name| ((*name).to_owned(), Occasion::ALL.to_vec())))
}

fn due(store: &Store, webhook: &str, at: Timestamp) -> Vec<Due> {
    store.due_deliveries(webhook, at, 100).unwrap()
}

/// Status, attempts and error of each, newest first.
fn listed(store: &Store) -> Vec<(String, u32, Option<String>)> {
    let listed = store.webhook_deliveries(false, 100).unwrap();
    listed.into_iter().map(|delivery| (delivery.status, delivery.attempts, delivery.last_error)).collect()
}

/// One new lead of which `crm` is to be told.
fn told(store: &Store) -> DeliveryId {
    let email = format!("{}@example.com", id::random_hex());
    store.upsert_lead(speaker(), LeadId::new(NOW), lead(&email), everything_to(&["crm"]), NOW).wait().unwrap();
    due(store, "crm", NOW).pop().unwrap().id
}

fn failed(error: &str, next_at: Timestamp) -> Ended {
    Ended::Failed { error: error.into(), next_at }
}

#[test]
fn all_who_are_told_of_a_lead_are_told_the_same_under_ids_of_their_own() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let subscribers = everything_to(&["chat", "crm"]);
    let speaker = speaker();
    store.upsert_lead(speaker.clone(), LeadId::new(NOW), lead("ann@example.com"), subscribers, NOW).wait().unwrap();
    let pending = store.pending_webhooks().unwrap();
    assert_eq!(pending.iter().map(|pending| pending.webhook.as_str()).collect::<Vec<_>>(), ["chat", "crm"]);
    assert!(pending.iter().all(|pending| pending.due_at == Timestamp::from_ms(0)), "at once, whatever the clock does");
    let [chat, crm] = ["chat", "crm"].map(|name| due(&store, name, Timestamp::from_ms(0)).remove(0));
    assert_eq!((&chat.payload, chat.occurrence), (&crm.payload, crm.occurrence));
    assert_ne!(chat.id, crm.id);
    let event: Value = serde_json::from_str(&crm.payload).unwrap();
    assert_eq!(
        (&event["id"], &event["lead"]["email"]),
        (&crm.occurrence.to_string().into(), &"ann@example.com".into())
    );
    let visitors = "select count(*) from webhook_deliveries where visitor_id = ?1";
    let count: i64 =
        store.read(|db| Ok(db.query_row(visitors, [speaker.visitor.as_bytes()], |row| row.get(0))?)).unwrap();
    assert_eq!(count, 2, "they are erased with their visitor");
}

#[test]
fn what_is_not_stored_is_told_to_nobody() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let mut unknown = answer(&speaker(), MessageId::new(NOW), "I don't know.", 10);
    unknown.is_unanswered = true;
    // There is no such question: it was erased.
    store.finish_answer(unknown, everything_to(&["crm"])).wait().unwrap();
    store.upsert_lead(speaker(), LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap();
    assert_eq!(count(&store, "webhook_deliveries"), 0);
}

#[test]
fn the_bell_rings_only_after_a_commit_that_has_left_something() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let bell = store.deliveries();
    let rings = |bell: &Bell| {
        let before = clock::monotonic();
        bell.wait(Duration::from_millis(200));
        clock::monotonic() - before < Duration::from_millis(200)
    };
    store.upsert_lead(speaker(), LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap();
    assert!(!rings(&bell));
    told(&store);
    assert!(rings(&bell));
    assert!(!rings(&bell), "once");
}

#[test]
fn a_delivery_that_failed_is_due_when_it_was_said_and_one_never_tried_goes_first() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let first = told(&store);
    let later = NOW.plus(Duration::from_mins(5));
    store.end_attempt(first, failed("down", later), NOW).wait().unwrap();
    assert_eq!(store.pending_webhooks().unwrap()[0].due_at, later);
    assert!(due(&store, "crm", later.minus(Duration::from_millis(1))).is_empty());
    let second = told(&store);
    let found = due(&store, "crm", later);
    assert_eq!(found.iter().map(|due| (due.id, due.attempts)).collect::<Vec<_>>(), [(second, 0), (first, 1)]);
    store.end_attempt(first, Ended::Delivered, later).wait().unwrap();
    store.end_attempt(second, Ended::GivenUp { error: "gone".into() }, later).wait().unwrap();
    let error = |text: &str| Some(text.to_owned());
    assert_eq!(listed(&store), [("dead".into(), 1, error("gone")), ("delivered".into(), 2, error("down"))]);
    assert!(store.pending_webhooks().unwrap().is_empty());
    // Late news of an attempt changes nothing any more.
    store.end_attempt(first, failed("late", later), later).wait().unwrap();
    assert_eq!(listed(&store)[1].0, "delivered");
}

#[test]
fn what_is_dead_can_be_replayed_and_nothing_else() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let [first, second] = [told(&store), told(&store)];
    assert_eq!(store.replay_delivery(first).wait().unwrap(), Replayed::NotDead);
    assert_eq!(store.replay_delivery(DeliveryId::new(NOW)).wait().unwrap(), Replayed::Unknown);
    assert_eq!(store.give_up_webhook("chat", "why", NOW).wait().unwrap(), 0);
    assert_eq!(store.give_up_webhook("crm", "why", NOW).wait().unwrap(), 2);
    assert_eq!((store.dead_deliveries().unwrap(), due(&store, "crm", NOW).len()), (2, 0));
    assert_eq!(store.webhook_deliveries(true, 1).unwrap().len(), 1);
    assert_eq!(store.replay_delivery(first).wait().unwrap(), Replayed::Yes);
    assert_eq!(store.replay_dead_deliveries().wait().unwrap(), 1);
    let found: Vec<_> = due(&store, "crm", Timestamp::from_ms(0)).iter().map(|due| due.id).collect();
    assert_eq!(found, [first, second], "in the order of what happened");
}

#[test]
fn what_was_delivered_is_kept_a_week_and_what_was_given_up_a_month() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let [delivered, dead, _pending] = [told(&store), told(&store), told(&store)];
    store.end_attempt(delivered, Ended::Delivered, NOW).wait().unwrap();
    store.end_attempt(dead, Ended::GivenUp { error: "gone".into() }, NOW).wait().unwrap();
    let purged = |after: Duration| store.purge_webhook_deliveries(NOW.plus(after)).wait().unwrap();
    assert_eq!(purged(7 * DAY), 0);
    assert_eq!((purged(8 * DAY), purged(8 * DAY)), (1, 0));
    assert_eq!(purged(30 * DAY), 0);
    assert_eq!(purged(31 * DAY), 1);
    assert_eq!(purged(1000 * DAY), 0, "what is pending stays");
    assert_eq!(listed(&store).len(), 1);
}

#[test]
fn the_sender_reads_by_index_however_much_lies_there() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let plan = |sql: &str| -> String {
        let read = |db: &Connection| {
            let mut statement = db.prepare(&format!("explain query plan {sql}"))?;
            let lines =
                statement.query_map([], |row| row.get::<_, String>("detail"))?.collect::<Result<Vec<_>, _>>()?;
            Ok(lines.join("; "))
        };
        store.read(read).unwrap()
    };
    let pending = plan(
        "select webhook, min(next_attempt_at_ms) from webhook_deliveries where status = 'pending' group by webhook",
    );
    assert!(pending.contains("COVERING INDEX webhook_deliveries_due"), "{pending}");
    let due = plan(
        "select payload from webhook_deliveries where status = 'pending' and webhook = 'a' and next_attempt_at_ms <= 1 order by next_attempt_at_ms, seq limit 20",
    );
    assert!(
        due.contains("INDEX webhook_deliveries_due (webhook=? AND next_attempt_at_ms<?)") && !due.contains("TEMP"),
        "{due}"
    );
    let old = plan("select seq from webhook_deliveries where status = 'dead' and ended_at_ms < 1 limit 5");
    assert!(old.contains("INDEX webhook_deliveries_ended (status=? AND ended_at_ms<?)"), "{old}");
}
