//! `webhook_deliveries`: what the owner's servers are to be told, written in the transaction of what they are told of, so
//! that neither is there without the other. The sender takes it from here; what it has done is noted here.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::messages::Answer;
use super::{Bell, Commit, Speaker, Store, StoreError, leads, unsigned};
use crate::domain::conversation::Page;
use crate::domain::id::{AgentId, ConversationId, DeliveryId, LeadId, OccurrenceId};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Details, Occasion, Payload, Subscribers};

const DELIVERED_KEPT: Duration = Duration::from_hours(7 * 24);
const DEAD_KEPT: Duration = Duration::from_hours(30 * 24);
/// Rows of each kind that one purge takes: a bound on how long others wait for it.
const PURGED_MAX: u32 = 500;

/// A webhook that has something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) webhook: String,
    /// When the first of it is due.
    pub(crate) due_at: Timestamp,
}

/// One thing to be told now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) id: DeliveryId,
    pub(crate) occurrence: OccurrenceId,
    /// Its type, such as `lead.captured`.
    pub(crate) occasion: String,
    pub(crate) payload: String,
    /// Those that failed before.
    pub(crate) attempts: u32,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Delivered,
    /// It failed and is to be tried again.
    Failed {
        error: String,
        next_at: Timestamp,
    },
    /// It failed for good.
    GivenUp {
        error: String,
    },
}

/// A delivery as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: DeliveryId,
    pub(crate) webhook: String,
    pub(crate) occasion: String,
    /// `pending`, `delivered` or `dead`.
    pub(crate) status: String,
    pub(crate) attempts: u32,
    /// Of a pending one; the epoch: at once.
    pub(crate) next_attempt_at: Option<Timestamp>,
    pub(crate) last_error: Option<String>,
    pub(crate) created_at: Timestamp,
    /// When it was delivered or given up.
    pub(crate) ended_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    Yes,
    /// It is there, and is pending or delivered.
    NotDead,
    Unknown,
}

impl Store {
    /// Rings after a commit that has left something to be sent.
    pub(crate) fn deliveries(&self) -> Bell {
        self.0.deliveries.clone()
    }

    /// The bell that a write of these occasions rings, if it may leave something to be sent.
    pub(super) fn bell_for(&self, subscribers: &Subscribers, occasions: &[Occasion]) -> Option<Bell> {
        (!subscribers.is_empty_for(occasions)).then(|| self.deliveries())
    }

    /// Every webhook that has something to be told, now or later.
    pub(crate) fn pending_webhooks(&self) -> Result<Vec<Pending>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "select webhook, min(next_attempt_at_ms) from webhook_deliveries
                 where status = 'pending' group by webhook",
            )?;
            let rows = statement
                .query_map([], |row| Ok(Pending { webhook: row.get(0)?, due_at: Timestamp::from_ms(row.get(1)?) }))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// What this webhook is to be told at `now`: first what it was never told, in its order.
    pub(crate) fn due_deliveries(&self, webhook: &str, now: Timestamp, limit: u32) -> Result<Vec<Due>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "select id, event_id, type, payload, attempts from webhook_deliveries
                 where status = 'pending' and webhook = ?1 and next_attempt_at_ms <= ?2
                 order by next_attempt_at_ms, seq limit ?3",
            )?;
            let rows = statement.query_map(params![webhook, now.ms(), limit], |row| {
                Ok(Due {
                    id: DeliveryId::from_bytes(row.get(0)?),
                    occurrence: OccurrenceId::from_bytes(row.get(1)?),
                    occasion: row.get(2)?,
                    payload: row.get(3)?,
                    attempts: row.get(4)?,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Notes how an attempt ended. One that was erased meanwhile stays so.
    pub(crate) fn end_attempt(&self, id: DeliveryId, ended: Ended, now: Timestamp) -> Commit<()> {
        self.write(move |connection| {
            let (status, next_at, error) = match ended {
                Ended::Delivered => ("delivered", None, None),
                Ended::Failed { error, next_at } => ("pending", Some(next_at.ms()), Some(error)),
                Ended::GivenUp { error } => ("dead", None, Some(error)),
            };
            connection
                .prepare_cached(
                    "update webhook_deliveries
                     set status = ?2, attempts = attempts + 1, next_attempt_at_ms = ?3,
                         last_error = coalesce(?4, last_error), ended_at_ms = iif(?3 is null, ?5, null)
                     where id = ?1 and status = 'pending'",
                )?
                .execute(params![id.as_bytes(), status, next_at, error, now.ms()])?;
            Ok(())
        })
    }

    /// Gives up what is pending for a webhook: how much it was.
    pub(crate) fn give_up_webhook(&self, webhook: &str, reason: &'static str, now: Timestamp) -> Commit<usize> {
        let webhook = webhook.to_owned();
        self.write(move |connection| {
            Ok(connection
                .prepare_cached(
                    "update webhook_deliveries
                     set status = 'dead', next_attempt_at_ms = null, last_error = ?2, ended_at_ms = ?3
                     where status = 'pending' and webhook = ?1",
                )?
                .execute(params![webhook, reason, now.ms()])?)
        })
    }

    /// The latest deliveries, newest first; `dead_only`: those that were given up, the latest first.
    pub(crate) fn webhook_deliveries(&self, dead_only: bool, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        let which = if dead_only { "where status = 'dead' order by ended_at_ms desc" } else { "order by seq desc" };
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!(
                "select id, webhook, type, status, attempts, next_attempt_at_ms, last_error, created_at_ms, ended_at_ms
                 from webhook_deliveries {which} limit ?1"
            ))?;
            let rows = statement.query_map([limit], delivery)?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// How many are pending, and how many were given up.
    pub(crate) fn count_deliveries(&self) -> Result<(u64, u64), StoreError> {
        self.read(|connection| {
            // Each from its own index.
            let mut statement = connection.prepare_cached(
                "select (select count(*) from webhook_deliveries where status = 'pending'),
                        (select count(*) from webhook_deliveries where status = 'dead' and ended_at_ms is not null)",
            )?;
            Ok(statement.query_row([], |row| Ok((unsigned(row.get(0)?), unsigned(row.get(1)?))))?)
        })
    }

    /// How many were given up and can be replayed.
    pub(crate) fn dead_deliveries(&self) -> Result<u32, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("select count(*) from webhook_deliveries where status = 'dead'")?;
            Ok(statement.query_row([], |row| row.get(0))?)
        })
    }

    /// Makes a dead delivery pending again, to be tried at once and as often as a new one.
    pub(crate) fn replay_delivery(&self, id: DeliveryId) -> Commit<Replayed> {
        let work = move |connection: &Connection| {
            if replay(connection, "id = ?1", params![id.as_bytes()])? == 1 {
                return Ok(Replayed::Yes);
            }
            let mut statement = connection.prepare_cached("select 1 from webhook_deliveries where id = ?1")?;
            Ok(if statement.exists([id.as_bytes()])? { Replayed::NotDead } else { Replayed::Unknown })
        };
        self.write(work).then_ring(Some(self.deliveries()))
    }

    /// Makes every dead delivery pending again: how many.
    pub(crate) fn replay_dead_deliveries(&self) -> Commit<usize> {
        self.write(|connection| replay(connection, "true", [])).then_ring(Some(self.deliveries()))
    }

    /// Deletes some of what was delivered a week ago or given up a month ago: how much. Until it is nothing, there is more.
    pub(crate) fn purge_webhook_deliveries(&self, now: Timestamp) -> Commit<usize> {
        self.write(move |connection| {
            let mut purged = 0;
            for (status, kept) in [("delivered", DELIVERED_KEPT), ("dead", DEAD_KEPT)] {
                purged += connection
                    .prepare_cached(
                        "delete from webhook_deliveries where seq in (
                             select seq from webhook_deliveries where status = ?1 and ended_at_ms < ?2 limit ?3)",
                    )?
                    .execute(params![status, now.minus(kept).ms(), PURGED_MAX])?;
            }
            Ok(purged)
        })
    }
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: DeliveryId::from_bytes(row.get(0)?),
        webhook: row.get(1)?,
        occasion: row.get(2)?,
        status: row.get(3)?,
        attempts: row.get(4)?,
        next_attempt_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_ms),
        last_error: row.get(6)?,
        created_at: Timestamp::from_ms(row.get(7)?),
        ended_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_ms),
    })
}

/// `which`: of the dead ones.
fn replay(connection: &Connection, which: &str, parameters: impl rusqlite::Params) -> Result<usize, StoreError> {
    let sql = format!(
        "update webhook_deliveries set status = 'pending', attempts = 0, next_attempt_at_ms = 0, ended_at_ms = null
         where status = 'dead' and {which}"
    );
    Ok(connection.prepare_cached(&sql)?.execute(parameters)?)
}

/// Leaves the lead as it is now for all who are told of this.
pub(super) fn tell_of_lead(
    connection: &Connection,
    subscribers: &Subscribers,
    occasion: Occasion,
    speaker: &Speaker,
    lead: LeadId,
    now: Timestamp,
) -> Result<(), StoreError> {
    if subscribers.is_empty_for(&[occasion]) {
        return Ok(());
    }
    let of = Of { visitor: *speaker.visitor.as_bytes(), conversation: speaker.conversation, lead: Some(lead) };
    let lead = Box::new(leads::told(connection, lead)?);
    let details = Details::Lead { lead, conversation_id: speaker.conversation };
    tell(connection, subscribers, occasion, &speaker.agent, of, details, now)
}

/// Leaves a question and the answer that does not know for all who are told of such.
pub(super) fn tell_of_unanswered(
    connection: &Connection,
    subscribers: &Subscribers,
    answer: &Answer,
) -> Result<(), StoreError> {
    const OCCASION: Occasion = Occasion::ConversationUnanswered;
    if !answer.is_unanswered || subscribers.is_empty_for(&[OCCASION]) {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "select m.content, m.page_url, m.page_title, m.page_referrer, c.visitor_id
         from messages m join conversations c on c.id = m.conversation_id where m.id = ?1",
    )?;
    let (question, page, visitor): (String, Page, [u8; 16]) =
        statement.query_row([answer.question.as_bytes()], |row| {
            let page = Page { url: row.get(1)?, title: row.get(2)?, referrer: row.get(3)? };
            Ok((row.get(0)?, page, row.get(4)?))
        })?;
    let details = Details::Unanswered {
        question,
        answer: answer.content.clone(),
        conversation_id: answer.conversation,
        page: page.into(),
    };
    let of = Of { visitor, conversation: answer.conversation, lead: None };
    tell(connection, subscribers, OCCASION, &answer.agent, of, details, answer.created_at)
}

/// With what it is erased.
struct Of {
    visitor: [u8; 16],
    conversation: ConversationId,
    lead: Option<LeadId>,
}

fn tell(
    connection: &Connection,
    subscribers: &Subscribers,
    occasion: Occasion,
    agent: &AgentId,
    of: Of,
    details: Details,
    now: Timestamp,
) -> Result<(), StoreError> {
    let occurrence = OccurrenceId::new(now);
    let payload = Payload { id: occurrence, occasion, created_at: now, agent_id: agent.clone(), details }.to_json();
    let mut statement = connection.prepare_cached(
        "insert into webhook_deliveries (id, event_id, webhook, type, payload, visitor_id, conversation_id, lead_id,
                                         next_attempt_at_ms, created_at_ms)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9)",
    )?;
    for webhook in subscribers.of(occasion) {
        statement.execute(params![
            DeliveryId::new(now).as_bytes(),
            occurrence.as_bytes(),
            webhook,
            occasion.as_str(),
            payload,
            of.visitor,
            of.conversation.as_bytes(),
            of.lead.as_ref().map(LeadId::as_bytes),
            now.ms(),
        ])?;
    }
    Ok(())
}
