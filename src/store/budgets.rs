//! `agent_days`: what each agent used in a UTC day.

use rusqlite::{Connection, params};

use super::{Store, StoreError};
use crate::domain::id::AgentId;

impl Store {
    /// The tokens that each agent has used or reserved in `day` (see `Timestamp::day`).
    pub(crate) fn agent_tokens(&self, day: i64) -> Result<Vec<(AgentId, u64)>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached("select agent_id, tokens from agent_days where day = ?1")?;
            let rows = statement.query_map([day], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
            let mut used = Vec::new();
            for row in rows {
                let (agent, tokens) = row?;
                // An agent that was renamed to something that is no id has nothing to go on from.
                if let Ok(agent) = AgentId::parse(&agent) {
                    used.push((agent, u64::try_from(tokens).unwrap_or(0)));
                }
            }
            Ok(used)
        })
    }
}

/// Adds `tokens`, which may be negative, to the agent's day; its sum does not go below zero.
pub(super) fn charge(connection: &Connection, agent: &AgentId, day: i64, tokens: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into agent_days (agent_id, day, tokens) values (?1, ?2, max(0, ?3))
             on conflict (agent_id, day) do update set tokens = max(0, tokens + ?3)",
        )?
        .execute(params![agent.as_str(), day, tokens])?;
    Ok(())
}
