//! Everything of one visitor, in one reading.

use rusqlite::{Connection, OptionalExtension};
use serde_json::value::RawValue;

use super::{Store, StoreError, leads};
use crate::domain::id::{AgentId, ConversationId, EventId, LeadId, MessageId, VisitorId};
use crate::domain::lead_values::left_by;
use crate::domain::time::Timestamp;
use crate::domain::visitor::{ConversationRecord, EventRecord, LeadRecord, MessageRecord, VisitorRecord};

impl Store {
    /// All that is stored of the visitor, oldest first, until it is about `bytes_max`. None: nothing is.
    pub(crate) fn visitor_record(
        &self,
        visitor: VisitorId,
        bytes_max: usize,
    ) -> Result<Option<VisitorRecord>, StoreError> {
        self.read(|connection| {
            let Some((agent, created_at_ms)) = of_whom(connection, visitor)? else {
                return Ok(None);
            };
            let agent_id = AgentId::parse(&agent).map_err(|error| StoreError::Corrupt(error.to_string()))?;
            let mut room = Some(bytes_max);
            Ok(Some(VisitorRecord {
                visitor_id: visitor,
                agent_id,
                created_at: Timestamp::from_ms(created_at_ms),
                leads: leads_left(connection, visitor)?,
                conversations: conversations(connection, visitor, &mut room)?,
                is_whole: room.is_some(),
            }))
        })
    }
}

/// What a row takes beside its texts.
const ROW_BYTES: usize = 200;

/// The rows until there is no room any more.
fn fitting<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
    room: &mut Option<usize>,
    bytes: impl Fn(&T) -> usize,
) -> Result<Vec<T>, StoreError> {
    let mut taken = Vec::new();
    for row in rows {
        let row = row?;
        *room = room.and_then(|room| room.checked_sub(bytes(&row) + ROW_BYTES));
        if room.is_none() {
            break;
        }
        taken.push(row);
    }
    Ok(taken)
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
    room: &mut Option<usize>,
) -> Result<Vec<ConversationRecord>, StoreError> {
    let mut statement =
        connection.prepare_cached("select id, created_at_ms from conversations where visitor_id = ?1 order by id")?;
    let rows =
        statement.query_map([visitor.as_bytes()], |row| Ok((ConversationId::from_bytes(row.get(0)?), row.get(1)?)))?;
    fitting(rows, room, |_| 0)?
        .into_iter()
        .map(|(id, created_at_ms)| {
            Ok(ConversationRecord {
                id,
                created_at: Timestamp::from_ms(created_at_ms),
                messages: messages(connection, id, room)?,
                events: events(connection, id, room)?,
            })
        })
        .collect()
}

fn messages(
    connection: &Connection,
    conversation: ConversationId,
    room: &mut Option<usize>,
) -> Result<Vec<MessageRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, role, content, status, page_url, created_at_ms from messages where conversation_id = ?1 order by seq",
    )?;
    let rows = statement.query_map([conversation.as_bytes()], |row| {
        Ok(MessageRecord {
            id: MessageId::from_bytes(row.get(0)?),
            role: row.get(1)?,
            content: row.get(2)?,
            status: row.get(3)?,
            page_url: row.get(4)?,
            created_at: Timestamp::from_ms(row.get(5)?),
        })
    })?;
    fitting(rows, room, |message| message.content.len())
}

fn events(
    connection: &Connection,
    conversation: ConversationId,
    room: &mut Option<usize>,
) -> Result<Vec<EventRecord>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, type, props, page_url, created_at_ms from events where conversation_id = ?1 order by seq",
    )?;
    let rows = statement.query_map([conversation.as_bytes()], |row| {
        let props: Option<String> = row.get(2)?;
        Ok(EventRecord {
            id: EventId::from_bytes(row.get(0)?),
            event_type: row.get(1)?,
            props: props.and_then(|props| RawValue::from_string(props).ok()),
            page_url: row.get(3)?,
            created_at: Timestamp::from_ms(row.get(4)?),
        })
    })?;
    fitting(rows, room, |event| event.props.as_ref().map_or(0, |props| props.get().len()))
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
        if let Some(values) = left_by(&steps, visitor) {
            records.push(LeadRecord { id, email, values });
        }
    }
    Ok(records)
}
