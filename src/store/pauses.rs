//! `paused_agents`: the kill switch. Read with each message, so that it works at once, whichever process has written it.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

use super::{Commit, FILE_NAME, Store, StoreError, connect};
use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;

/// An agent that answers nobody for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PausedAgent {
    pub(crate) id: AgentId,
    pub(crate) since: Timestamp,
}

impl Store {
    /// Lets the agent ask no model from the next message on. False: it was paused before.
    pub(crate) fn pause_agent(&self, agent: &AgentId, now: Timestamp) -> Commit<bool> {
        let agent = agent.clone();
        self.write(move |connection| {
            let changed = connection
                .prepare_cached(
                    "insert into paused_agents (agent_id, paused_at_ms) values (?1, ?2) on conflict do nothing",
                )?
                .execute(params![agent.as_str(), now.ms()])?;
            Ok(changed > 0)
        })
    }

    /// Lets the agent answer again. False: it was not paused.
    pub(crate) fn resume_agent(&self, agent: &AgentId) -> Commit<bool> {
        let agent = agent.clone();
        self.write(move |connection| {
            let changed = connection
                .prepare_cached("delete from paused_agents where agent_id = ?1")?
                .execute([agent.as_str()])?;
            Ok(changed > 0)
        })
    }

    /// By id.
    pub(crate) fn paused_agents(&self) -> Result<Vec<PausedAgent>, StoreError> {
        self.read(paused)
    }

    /// As [`Self::paused_agents`], from a data folder that is only looked at: none if it has no database of today's schema.
    pub(crate) fn paused_agents_in(folder: &Path) -> Result<Vec<PausedAgent>, StoreError> {
        let path = folder.join(FILE_NAME);
        if !path.exists() {
            return Ok(Vec::new());
        }
        // Who may only read leaves the log's files behind.
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.pragma_update(None, "query_only", true)?;
        if connection.table_exists(None, "paused_agents")? { paused(&connection) } else { Ok(Vec::new()) }
    }
}

fn paused(connection: &Connection) -> Result<Vec<PausedAgent>, StoreError> {
    let mut statement =
        connection.prepare_cached("select agent_id, paused_at_ms from paused_agents order by agent_id")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let mut paused = Vec::new();
    for row in rows {
        let (id, since) = row?;
        if let Ok(id) = AgentId::parse(&id) {
            paused.push(PausedAgent { id, since: Timestamp::from_ms(since) });
        }
    }
    Ok(paused)
}

pub(super) fn is_paused(connection: &Connection, agent: &AgentId) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("select 1 from paused_agents where agent_id = ?1")?;
    Ok(statement.exists([agent.as_str()])?)
}
