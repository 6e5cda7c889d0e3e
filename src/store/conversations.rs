//! `visitors` and `conversations`: who speaks where. Both rows come with the first thing that is stored, not before.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError};
use crate::domain::id::{AgentId, ConversationId, VisitorId};
use crate::domain::time::Timestamp;

/// On whose behalf something is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Speaker {
    pub(crate) agent: AgentId,
    pub(crate) visitor: VisitorId,
    pub(crate) conversation: ConversationId,
}

/// What is known of a visitor who comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Not one of this agent's.
    UnknownVisitor,
    /// Its last conversation was too long ago.
    NoConversation,
    Conversation(ConversationId),
}

impl Store {
    /// The visitor's latest conversation with this agent, if it was active after `active_since`.
    pub(crate) fn resume(
        &self,
        agent: &AgentId,
        visitor: VisitorId,
        active_since: Timestamp,
    ) -> Result<Resume, StoreError> {
        self.read(|connection| {
            let latest = connection
                .prepare_cached(
                    "select c.id, c.active_at_ms from visitors v
                     left join conversations c on c.visitor_id = v.id
                     where v.id = ?1 and v.agent_id = ?2
                     order by c.active_at_ms desc limit 1",
                )?
                .query_row(params![visitor.as_bytes(), agent.as_str()], |row| {
                    Ok((row.get::<_, Option<[u8; 16]>>(0)?, row.get::<_, Option<i64>>(1)?))
                })
                .optional()?;
            Ok(match latest {
                None => Resume::UnknownVisitor,
                Some((Some(id), Some(active_at_ms))) if active_at_ms > active_since.ms() => {
                    Resume::Conversation(ConversationId::from_bytes(id))
                }
                Some(_) => Resume::NoConversation,
            })
        })
    }
}

/// Makes the visitor and the conversation if this is the first that is heard of them, and notes the activity.
pub(super) fn touch(connection: &Connection, speaker: &Speaker, now: Timestamp) -> Result<(), StoreError> {
    let Speaker { agent, visitor, conversation } = speaker;
    connection
        .prepare_cached(
            "insert into visitors (id, agent_id, created_at_ms) values (?1, ?2, ?3) on conflict do nothing",
        )?
        .execute(params![visitor.as_bytes(), agent.as_str(), now.ms()])?;
    connection
        .prepare_cached(
            "insert into conversations (id, visitor_id, agent_id, created_at_ms, active_at_ms)
             values (?1, ?2, ?3, ?4, ?4)
             on conflict (id) do update set active_at_ms = excluded.active_at_ms",
        )?
        .execute(params![conversation.as_bytes(), visitor.as_bytes(), agent.as_str(), now.ms()])?;
    Ok(())
}
