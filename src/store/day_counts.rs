//! `day_counts`: the sums of each agent's UTC days. A visitor's write adds nothing here: [`Store::catch_up`] goes through the
//! rows behind the writes, from a mark and in small batches, each in a commit with its mark.
//!
//! Names: `conversations` (begun), `messages` (of visitors), `answers`, `unanswered`, `input_tokens`, `output_tokens`,
//! `leads` (new ones; counted as they are stored, since leads have no order to go through), `event.TYPE`, `funnel.TYPE`
//! (conversations in which the event came for the first time), `first_token.MS` (see `histogram`) and `refused.CODE`. What
//! a day has cost is in `agent_days`: the sum that the ceilings go by is the one that is shown.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::histogram;
use super::message_search;
use super::refusals::{self, Refusals};
use super::{Store, StoreError};
use crate::domain::time::Timestamp;

/// Rows of one batch: a visitor's write waits for some milliseconds of it at most.
const BATCH_ROWS: u32 = 100;
/// The owner's own event types of an agent that a day counts each by its name; the others as one.
const CUSTOM_TYPES_MAX: u32 = 100;
/// The marks of what is counted.
const MESSAGES: &str = "message_counts";
const EVENTS: &str = "event_counts";
/// Steps of the funnel, which count once in a conversation.
pub(super) const FUNNEL: [&str; 2] = ["launcher_open", "lead_form_open"];

/// What is added, by agent, day and name.
#[derive(Default)]
pub(super) struct Sums(BTreeMap<(String, i64, String), i64>);

impl Sums {
    pub(super) fn add(&mut self, agent: &str, day: i64, name: impl Into<String>, count: i64) {
        if count > 0 {
            *self.0.entry((agent.to_owned(), day, name.into())).or_default() += count;
        }
    }

    pub(super) fn store(self, connection: &Connection) -> Result<(), StoreError> {
        for ((agent, day, name), count) in self.0 {
            let name = if name.starts_with("event.custom.") { custom(connection, &agent, day, name)? } else { name };
            add(connection, &agent, day, &name, count)?;
        }
        Ok(())
    }
}

impl Store {
    /// Counts and indexes what was stored since the last time, a batch of it, and stores what was refused. True: there is
    /// more to do.
    pub(crate) fn catch_up(&self) -> Result<bool, StoreError> {
        self.check_disk_floor()?;
        let refused = self.0.refusals.take();
        if refused.is_empty() && !self.read(is_behind)? {
            return Ok(false);
        }
        let taken = refused.clone();
        let caught_up = self.write(move |connection| {
            let mut sums = Sums::default();
            let messages = count_messages(connection, &mut sums)?;
            let events = count_events(connection, &mut sums)?;
            refusals::store(connection, &taken, &mut sums)?;
            sums.store(connection)?;
            let indexed = message_search::index(connection, BATCH_ROWS)?;
            Ok([messages, events, indexed].contains(&BATCH_ROWS))
        });
        caught_up.wait().inspect_err(|_| self.0.refusals.give_back(refused))
    }

    pub(crate) fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }
}

pub(super) fn add(connection: &Connection, agent: &str, day: i64, name: &str, count: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into day_counts (agent_id, day, name, count) values (?1, ?2, ?3, ?4)
             on conflict (agent_id, day, name) do update set count = count + ?4",
        )?
        .execute(params![agent, day, name, count])?;
    Ok(())
}

/// The name itself, or once a day has many of them one for all that are new: visitors may make up any.
fn custom(connection: &Connection, agent: &str, day: i64, name: String) -> Result<String, StoreError> {
    let known = connection
        .prepare_cached("select 1 from day_counts where agent_id = ?1 and day = ?2 and name = ?3")?
        .query_row(params![agent, day, name], |_| Ok(()))
        .optional()?;
    let others: u32 = connection
        .prepare_cached(
            "select count(*) from day_counts
             where agent_id = ?1 and day = ?2 and name >= 'event.custom.' and name < 'event.custom/'",
        )?
        .query_row(params![agent, day], |row| row.get(0))?;
    Ok(if known.is_some() || others < CUSTOM_TYPES_MAX { name } else { "event.custom.*".into() })
}

fn is_behind(connection: &Connection) -> Result<bool, StoreError> {
    let (messages, events): (i64, i64) = connection
        .prepare_cached(
            "select (select coalesce(max(seq), 0) from messages), (select coalesce(max(seq), 0) from events)",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(mark(connection, MESSAGES)? < messages
        || mark(connection, message_search::MARK)? < messages
        || mark(connection, EVENTS)? < events)
}

pub(super) fn mark(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    let seq = connection
        .prepare_cached("select seq from marks where name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(seq.unwrap_or(0))
}

pub(super) fn set_mark(connection: &Connection, name: &str, seq: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into marks (name, seq) values (?1, ?2) on conflict (name) do update set seq = excluded.seq",
        )?
        .execute(params![name, seq])?;
    Ok(())
}

/// How many rows were counted.
fn count_messages(connection: &Connection, sums: &mut Sums) -> Result<u32, StoreError> {
    // An answer's question was settled in the same transaction: nothing of a row that is there changes any more.
    let mut statement = connection.prepare_cached(
        "select m.seq, c.agent_id, m.created_at_ms, m.role, m.is_unanswered, m.input_tokens, m.output_tokens,
                m.first_token_ms,
                not exists (select 1 from messages e where e.conversation_id = m.conversation_id and e.seq < m.seq)
         from messages m join conversations c on c.id = m.conversation_id
         where m.seq > ?1 order by m.seq limit ?2",
    )?;
    through(connection, MESSAGES, &mut statement, |row, agent, day| {
        if row.get_ref(3)?.as_str()? == "user" {
            sums.add(agent, day, "messages", 1);
            sums.add(agent, day, "conversations", row.get(8)?);
            return Ok(());
        }
        sums.add(agent, day, "answers", 1);
        for (name, column) in [("unanswered", 4), ("input_tokens", 5), ("output_tokens", 6)] {
            sums.add(agent, day, name, row.get::<_, Option<i64>>(column)?.unwrap_or(0));
        }
        if let Some(ms) = row.get(7)? {
            sums.add(agent, day, format!("first_token.{}", histogram::bound_ms(ms)), 1);
        }
        Ok(())
    })
}

fn count_events(connection: &Connection, sums: &mut Sums) -> Result<u32, StoreError> {
    let mut statement = connection.prepare_cached(
        "select v.seq, c.agent_id, v.created_at_ms, v.type,
                not exists (select 1 from events e
                            where e.conversation_id = v.conversation_id and e.seq < v.seq and e.type = v.type)
         from events v join conversations c on c.id = v.conversation_id
         where v.seq > ?1 order by v.seq limit ?2",
    )?;
    through(connection, EVENTS, &mut statement, |row, agent, day| {
        let event_type: String = row.get(3)?;
        if FUNNEL.contains(&event_type.as_str()) {
            sums.add(agent, day, format!("funnel.{event_type}"), row.get(4)?);
        }
        sums.add(agent, day, format!("event.{event_type}"), 1);
        Ok(())
    })
}

/// Hands the next rows to `count`, with their agent and day, and moves the mark behind them. Their first columns are `seq`,
/// `agent_id` and `created_at_ms`.
fn through(
    connection: &Connection,
    job: &str,
    statement: &mut rusqlite::Statement<'_>,
    mut count: impl FnMut(&Row<'_>, &str, i64) -> rusqlite::Result<()>,
) -> Result<u32, StoreError> {
    let (mut rows, mut last) = (0, None);
    let mut found = statement.query(params![mark(connection, job)?, BATCH_ROWS])?;
    while let Some(row) = found.next()? {
        let agent: String = row.get(1)?;
        count(row, &agent, Timestamp::from_ms(row.get(2)?).day())?;
        last = Some(row.get(0)?);
        rows += 1;
    }
    if let Some(seq) = last {
        set_mark(connection, job, seq)?;
    }
    Ok(rows)
}
