//! Deleting what is old enough, a little at a time: between two batches others write.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::day_counts::{mark, set_mark};
use super::erasure::{MESSAGES_MAX, Taken, delete_conversation, forget_if_nothing_is_left, shrink};
use super::{Commit, Store, StoreError, leads, message_search, signed, unsigned};
use crate::domain::id::{ConversationId, LeadId};
use crate::domain::time::Timestamp;

/// How long what is stored is kept. None: for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    /// After a conversation's last activity; its messages and events go with it.
    pub(crate) conversations: Option<Duration>,
    pub(crate) events: Option<Duration>,
    /// After a lead was last left or changed.
    pub(crate) leads: Option<Duration>,
}

/// What was deleted for its age.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) conversations: u64,
    pub(crate) events: u64,
    pub(crate) leads: u64,
}

impl std::ops::AddAssign for Expired {
    fn add_assign(&mut self, more: Self) {
        self.conversations += more.conversations;
        self.events += more.events;
        self.leads += more.leads;
    }
}

/// When the periods were last enforced, and what that took away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Enforced {
    pub(crate) at: Timestamp,
    pub(crate) expired: Expired,
}

/// Rows of one commit: some milliseconds, for which others wait.
const ROWS_MAX: u32 = 200;
const LEADS_MAX: u32 = 20;

impl Store {
    /// One batch, and what it took away; none: nothing is left to be deleted.
    pub(crate) fn delete_expired(&self, retention: Retention, now: Timestamp) -> Commit<Option<Expired>> {
        self.write(move |connection| {
            let before = |kept: Option<Duration>| kept.map(|kept| now.minus(kept).ms());
            let conversations = match before(retention.conversations) {
                Some(before) => expire_conversation(connection, before)?,
                None => None,
            };
            let expired = Expired {
                conversations: u64::from(conversations == Some(true)),
                events: before(retention.events).map_or(Ok(0), |before| expire_events(connection, before))?,
                leads: before(retention.leads).map_or(Ok(0), |before| expire_leads(connection, before))?,
            };
            Ok((conversations.is_some() || expired != Expired::default()).then_some(expired))
        })
    }

    /// One part of what a search index wants after much was deleted; true at the last.
    pub(crate) fn tidy_search(&self, is_first: bool) -> Commit<bool> {
        self.write(move |connection| message_search::tidy(connection, is_first))
    }

    /// Notes that the periods were enforced to the end, and empties the log of what was deleted.
    pub(crate) fn note_enforced(&self, enforced: Enforced) -> Commit<()> {
        self.write_and_empty_log(move |connection| {
            let Enforced { at, expired } = enforced;
            let notes = [
                ("retention.at_ms", at.ms()),
                ("retention.conversations", signed(expired.conversations)),
                ("retention.events", signed(expired.events)),
                ("retention.leads", signed(expired.leads)),
            ];
            for (name, value) in notes {
                set_mark(connection, name, value)?;
            }
            Ok(())
        })
    }

    /// None: never yet.
    pub(crate) fn enforced(&self) -> Result<Option<Enforced>, StoreError> {
        self.read(|connection| {
            let count = |name| Ok::<_, StoreError>(unsigned(mark(connection, name)?));
            let at_ms = mark(connection, "retention.at_ms")?;
            if at_ms == 0 {
                return Ok(None);
            }
            let expired = Expired {
                conversations: count("retention.conversations")?,
                events: count("retention.events")?,
                leads: count("retention.leads")?,
            };
            Ok(Some(Enforced { at: Timestamp::from_ms(at_ms), expired }))
        })
    }
}

/// A part of the oldest one that is too old, and whether it is gone now; none: there is none.
fn expire_conversation(connection: &Connection, before_ms: i64) -> Result<Option<bool>, StoreError> {
    let oldest = connection
        .prepare_cached("select id from conversations where active_at_ms < ?1 order by active_at_ms limit 1")?
        .query_row([before_ms], |row| Ok(ConversationId::from_bytes(row.get(0)?)))
        .optional()?;
    let Some(id) = oldest else {
        return Ok(None);
    };
    let Taken { messages, events } = shrink(connection, id, MESSAGES_MAX)?;
    let is_empty = messages < MESSAGES_MAX && events == 0;
    if is_empty {
        delete_conversation(connection, id)?;
    }
    Ok(Some(is_empty))
}

/// Events are stored in the order of time: the oldest are the first.
fn expire_events(connection: &Connection, before_ms: i64) -> Result<u64, StoreError> {
    let deleted = connection
        .prepare_cached(
            "delete from events where created_at_ms < ?1 and seq in (select seq from events order by seq limit ?2)",
        )?
        .execute(params![before_ms, ROWS_MAX])?;
    Ok(deleted as u64)
}

fn expire_leads(connection: &Connection, before_ms: i64) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("select id from leads where updated_at_ms < ?1 limit ?2")?;
    let ids = statement.query_map(params![before_ms, LEADS_MAX], |row| Ok(LeadId::from_bytes(row.get(0)?)))?;
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    for id in &ids {
        let makers = leads::steps(connection, *id)?.into_iter().filter_map(|step| step.visitor);
        connection.prepare_cached("delete from webhook_deliveries where lead_id = ?1")?.execute([id.as_bytes()])?;
        connection.prepare_cached("delete from leads where id = ?1")?.execute([id.as_bytes()])?;
        for visitor in makers {
            forget_if_nothing_is_left(connection, *visitor.as_bytes())?;
        }
    }
    Ok(ids.len() as u64)
}
