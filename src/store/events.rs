//! `events`: telemetry, within the agent's daily allowance of bytes.

use rusqlite::{Connection, OptionalExtension, params};

use super::conversations::{Speaker, touch};
use super::{Commit, Store, StoreError};
use crate::domain::event::NewEvent;
use crate::domain::id::{AgentId, EventId};
use crate::domain::time::Timestamp;

/// What became of a batch: all of it, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// So many are stored, those included that were stored before under the same client id.
    Accepted(usize),
    DailyAllowanceSpent,
}

impl Store {
    /// Stores a batch, if the agent's bytes of today allow it and the disk has room.
    pub(crate) fn insert_events(
        &self,
        speaker: Speaker,
        events: Vec<NewEvent>,
        bytes_per_day_max: u64,
        now: Timestamp,
    ) -> Result<Commit<Stored>, StoreError> {
        self.check_disk_floor()?;
        Ok(self.write(move |connection| {
            let bytes = events.iter().map(NewEvent::stored_bytes).sum::<u64>();
            let used = bytes_today(connection, &speaker.agent, now)?;
            if used.saturating_add(bytes) > bytes_per_day_max {
                return Ok(Stored::DailyAllowanceSpent);
            }
            touch(connection, &speaker, now)?;
            for event in &events {
                insert(connection, &speaker, event, now)?;
            }
            add_bytes(connection, &speaker.agent, now, bytes)?;
            Ok(Stored::Accepted(events.len()))
        }))
    }
}

fn insert(connection: &Connection, speaker: &Speaker, event: &NewEvent, now: Timestamp) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into events (id, conversation_id, type, client_id, client_time_ms, props, page_url, page_title,
                                 page_referrer, created_at_ms)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             on conflict (conversation_id, client_id) where client_id is not null do nothing",
        )?
        .execute(params![
            EventId::new(now).as_bytes(),
            speaker.conversation.as_bytes(),
            event.event_type.as_str(),
            event.client_id,
            event.client_time.map(Timestamp::ms),
            event.props,
            event.page.url,
            event.page.title,
            event.page.referrer,
            now.ms(),
        ])?;
    Ok(())
}

fn bytes_today(connection: &Connection, agent: &AgentId, now: Timestamp) -> Result<u64, StoreError> {
    let bytes: Option<i64> = connection
        .prepare_cached("select event_bytes from agent_days where agent_id = ?1 and day = ?2")?
        .query_row(params![agent.as_str(), now.day()], |row| row.get(0))
        .optional()?;
    Ok(u64::try_from(bytes.unwrap_or(0)).unwrap_or(0))
}

fn add_bytes(connection: &Connection, agent: &AgentId, now: Timestamp, bytes: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into agent_days (agent_id, day, event_bytes) values (?1, ?2, ?3)
             on conflict (agent_id, day) do update set event_bytes = event_bytes + ?3",
        )?
        .execute(params![agent.as_str(), now.day(), i64::try_from(bytes).unwrap_or(i64::MAX)])?;
    Ok(())
}
