//! One conversation with all that belongs to it, as the owner reads it.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

use super::lead_list::{LeadRow, leads_of_conversation};
use super::{Store, StoreError, unsigned};
use crate::domain::conversation::{Role, Status};
use crate::domain::id::{ConversationId, MessageId, VisitorId};
use crate::domain::time::Timestamp;

/// The first ones of a conversation are shown, more are not.
pub(crate) const SHOWN_MESSAGES_MAX: u32 = 2000;
pub(crate) const SHOWN_EVENTS_MAX: u32 = 1000;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ConversationView {
    pub(crate) id: ConversationId,
    pub(crate) agent_id: String,
    pub(crate) visitor_id: VisitorId,
    pub(crate) created_at: Timestamp,
    pub(crate) active_at: Timestamp,
    /// Of all messages that are shown.
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cost_nanos: i64,
    pub(crate) messages: Vec<SaidMessage>,
    pub(crate) events: Vec<SeenEvent>,
    pub(crate) leads: Vec<LeadRow>,
}

/// A message with what it took.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SaidMessage {
    pub(crate) id: MessageId,
    pub(crate) role: Role,
    pub(crate) content: String,
    pub(crate) created_at: Timestamp,
    /// Of a visitor's message: where it was written, and what it cost in all.
    pub(crate) page_url: Option<String>,
    pub(crate) page_title: Option<String>,
    pub(crate) cost_nanos: Option<i64>,
    /// Of an answer.
    pub(crate) status: Option<Status>,
    pub(crate) finish_reason: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) input_tokens: Option<i64>,
    pub(crate) output_tokens: Option<i64>,
    pub(crate) first_token_ms: Option<i64>,
    pub(crate) is_unanswered: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SeenEvent {
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    /// A JSON object as text.
    pub(crate) props: Option<String>,
    pub(crate) page_url: Option<String>,
    pub(crate) created_at: Timestamp,
}

impl Store {
    /// None: there is no such conversation.
    pub(crate) fn conversation(&self, id: ConversationId) -> Result<Option<ConversationView>, StoreError> {
        self.read(|connection| {
            let Some(mut view) = head(connection, id)? else {
                return Ok(None);
            };
            view.messages = messages(connection, id)?;
            for message in &view.messages {
                view.input_tokens += unsigned(message.input_tokens.unwrap_or(0));
                view.output_tokens += unsigned(message.output_tokens.unwrap_or(0));
                view.cost_nanos += message.cost_nanos.unwrap_or(0);
            }
            view.events = events(connection, id)?;
            view.leads = leads_of_conversation(connection, id)?;
            Ok(Some(view))
        })
    }
}

fn head(connection: &Connection, id: ConversationId) -> Result<Option<ConversationView>, StoreError> {
    Ok(connection
        .prepare_cached("select agent_id, visitor_id, created_at_ms, active_at_ms from conversations where id = ?1")?
        .query_row([id.as_bytes()], |row| {
            Ok(ConversationView {
                id,
                agent_id: row.get(0)?,
                visitor_id: VisitorId::from_bytes(row.get(1)?),
                created_at: Timestamp::from_ms(row.get(2)?),
                active_at: Timestamp::from_ms(row.get(3)?),
                input_tokens: 0,
                output_tokens: 0,
                cost_nanos: 0,
                messages: Vec::new(),
                events: Vec::new(),
                leads: Vec::new(),
            })
        })
        .optional()?)
}

fn messages(connection: &Connection, id: ConversationId) -> Result<Vec<SaidMessage>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, role, content, created_at_ms, page_url, page_title, charged_nanos, status, finish_reason, model,
                input_tokens, output_tokens, first_token_ms, coalesce(is_unanswered, 0)
         from messages where conversation_id = ?1 order by seq limit ?2",
    )?;
    let rows = statement.query_map(params![id.as_bytes(), SHOWN_MESSAGES_MAX], said)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn said(row: &Row<'_>) -> rusqlite::Result<SaidMessage> {
    let status: Option<String> = row.get(7)?;
    Ok(SaidMessage {
        id: MessageId::from_bytes(row.get(0)?),
        role: if row.get_ref(1)?.as_str()? == "user" { Role::User } else { Role::Assistant },
        content: row.get(2)?,
        created_at: Timestamp::from_ms(row.get(3)?),
        page_url: row.get(4)?,
        page_title: row.get(5)?,
        cost_nanos: row.get(6)?,
        status: status.map(|status| if status == "complete" { Status::Complete } else { Status::Partial }),
        finish_reason: row.get(8)?,
        model: row.get(9)?,
        input_tokens: row.get(10)?,
        output_tokens: row.get(11)?,
        first_token_ms: row.get(12)?,
        is_unanswered: row.get(13)?,
    })
}

fn events(connection: &Connection, id: ConversationId) -> Result<Vec<SeenEvent>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select type, props, page_url, created_at_ms from events where conversation_id = ?1 order by seq limit ?2",
    )?;
    let rows = statement.query_map(params![id.as_bytes(), SHOWN_EVENTS_MAX], |row| {
        Ok(SeenEvent {
            event_type: row.get(0)?,
            props: row.get(1)?,
            page_url: row.get(2)?,
            created_at: Timestamp::from_ms(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
