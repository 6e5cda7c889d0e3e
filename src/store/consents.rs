//! `consents`: the texts that visitors agreed to, each with its version.

use rusqlite::{Connection, OptionalExtension, params};

use super::StoreError;
use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;

/// The version of the agent's `text`: the one that it has, or the next one if nobody has agreed to it before.
pub(super) fn version(connection: &Connection, agent: &AgentId, text: &str, now: Timestamp) -> Result<i64, StoreError> {
    let known = connection
        .prepare_cached("select version from consents where agent_id = ?1 and text = ?2")?
        .query_row(params![agent.as_str(), text], |row| row.get(0))
        .optional()?;
    if let Some(version) = known {
        return Ok(version);
    }
    Ok(connection
        .prepare_cached(
            "insert into consents (agent_id, version, text, since_ms)
             select ?1, 1 + coalesce(max(version), 0), ?2, ?3 from consents where agent_id = ?1
             returning version",
        )?
        .query_row(params![agent.as_str(), text, now.ms()], |row| row.get(0))?)
}
