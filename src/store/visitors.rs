//! Everything of one visitor, in one reading.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::value::RawValue;

use super::{Store, StoreError, leads};
use crate::domain::id::{AgentId, ConversationId, EventId, LeadId, MessageId, VisitorId};
use crate::domain::lead_values::of_some;
use crate::domain::time::Timestamp;
use crate::domain::visitor::{ConversationRecord, EventRecord, LeadRecord, MessageRecord, VisitorRecord};

impl Store {
    /// All that is stored of the visitor; of events the newest `events_max` of each conversation. None: nothing is.
    pub(crate) fn visitor_record(
        &self,
        visitor: VisitorId,
        events_max: u32,
    ) -> Result<Option<VisitorRecord>, StoreError> {
        self.read(|connection| {
            let Some((agent, created_at_ms)) = of_whom(connection, visitor)? else {
                return Ok(None);
            };
            let agent_id = AgentId::parse(&agent).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            Ok(Some(VisitorRecord {
                visitor_id: visitor,
                agent_id,
                created_at: Timestamp::from_ms(created_at_ms),
                conversations: conversations(connection, visitor, events_max)?,
                leads: leads_left(connection, visitor)?,
            }))
        })
    }
}

/// The agent, and since when the visitor is known. A lead outlives the conversations, and with them the visitor's row.
fn of_whom(connection: &Connection, visitor: VisitorId) -> Result<Option<(String, i64)>, StoreError> {
    Ok(connection
        .prepare_cached(
            "select agent_id, created_at_ms from visitors where id = ?1
             union all
             select agent_id, created_at_ms from leads where visitor_id = ?1 or first_visitor_id = ?1
             limit 1",
        )?
        .query_row([visitor.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?)
}

fn conversations(
    connection: &Connection,
    visitor: VisitorId,
    events_max: u32,
) -> Result<Vec<ConversationRecord>, StoreError> {
    let mut statement =
        connection.prepare_cached("select id, created_at_ms from conversations where visitor_id = ?1 order by id")?;
    let rows = statement
        .query_map([visitor.as_bytes()], |row| Ok((ConversationId::from_bytes(row.get(0)?), row.get(1)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    rows.into_iter()
        .map(|(id, created_at_ms)| {
            Ok(ConversationRecord {
                id,
                created_at: Timestamp::from_ms(created_at_ms),
                messages: messages(connection, id)?,
                events: events(connection, id, events_max)?,
            })
        })
        .collect()
}

fn messages(connection: &Connection, conversation: ConversationId) -> Result<Vec<MessageRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, role, content, status, page_url, created_at_ms from messages where conversation_id = ?1 order by seq",
    )?;
    let message = |row: &Row<'_>| {
        Ok(MessageRecord {
            id: MessageId::from_bytes(row.get(0)?),
            role: row.get(1)?,
            content: row.get(2)?,
            status: row.get(3)?,
            page_url: row.get(4)?,
            created_at: Timestamp::from_ms(row.get(5)?),
        })
    };
    let messages = statement.query_map([conversation.as_bytes()], message)?;
    Ok(messages.collect::<Result<_, _>>()?)
}

fn events(
    connection: &Connection,
    conversation: ConversationId,
    events_max: u32,
) -> Result<Vec<EventRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, type, props, page_url, created_at_ms from events where conversation_id = ?1
         order by seq desc limit ?2",
    )?;
    let event = |row: &Row<'_>| {
        let props: Option<String> = row.get(2)?;
        Ok(EventRecord {
            id: EventId::from_bytes(row.get(0)?),
            event_type: row.get(1)?,
            props: props.and_then(|props| RawValue::from_string(props).ok()),
            page_url: row.get(3)?,
            created_at: Timestamp::from_ms(row.get(4)?),
        })
    };
    let events = statement.query_map(params![conversation.as_bytes(), events_max], event)?;
    let mut events = events.collect::<Result<Vec<_>, _>>()?;
    events.reverse();
    Ok(events)
}

/// The leads that the visitor had a part in, each with its email.
pub(super) fn leads_of(connection: &Connection, visitor: VisitorId) -> Result<Vec<(LeadId, String)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, email from leads
         where id in (select id from leads where visitor_id = ?1
                      union select id from leads where first_visitor_id = ?1
                      union select lead_id from lead_history where visitor_id = ?1)
         order by id",
    )?;
    let leads = statement.query_map([visitor.as_bytes()], |row| Ok((LeadId::from_bytes(row.get(0)?), row.get(1)?)))?;
    Ok(leads.collect::<Result<_, _>>()?)
}

fn leads_left(connection: &Connection, visitor: VisitorId) -> Result<Vec<LeadRecord>, StoreError> {
    let mut records = Vec::new();
    for (id, email) in leads_of(connection, visitor)? {
        let steps = leads::steps(connection, id)?;
        if let Some(values) = of_some(&steps, |maker| maker == Some(visitor)) {
            records.push(LeadRecord { id, email, values });
        }
    }
    Ok(records)
}
