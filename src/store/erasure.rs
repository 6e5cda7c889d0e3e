//! Forgetting: no row, no page of the file and no page of the log keeps a word of it.
//!
//! Deleted rows are overwritten (`secure_delete`), the search index is told to forget too, what webhooks were or are to be
//! told goes along, and the log is emptied after the last commit. It is done a little at a time, since others wait to
//! write. What stays are sums of days, which name nobody.

use rusqlite::{Connection, OptionalExtension, params};

use super::{Store, StoreError, leads, message_search, visitors};
use crate::domain::id::{ConversationId, VisitorId};
use crate::domain::lead_values::without;
use crate::domain::visitor::Erased;

/// Messages and events of one commit: some twenty milliseconds, for which others wait.
pub(super) const MESSAGES_MAX: u32 = 10;
const EVENTS_MAX: u32 = 200;

/// What one commit took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) messages: u32,
    pub(super) events: u32,
}

impl Store {
    /// Erases all that is stored of the visitor. What others have left in a lead stays there. Stopped halfway, it can be
    /// done again.
    pub(crate) fn erase_visitor(&self, visitor: VisitorId) -> Result<Erased, StoreError> {
        let mut erased = Erased::default();
        for conversation in self.conversations_of(visitor)? {
            let taken = self.empty_conversation(conversation)?;
            erased.messages += taken.0;
            erased.events += taken.1;
        }
        let rest = self.write_and_empty_log(move |connection| erase(connection, visitor)).wait()?;
        Ok(Erased { messages: erased.messages + rest.messages, events: erased.events + rest.events, ..rest })
    }

    /// Deletes a conversation with its messages and events; a lead that was left in it stays. False: there is none.
    pub(crate) fn delete_conversation(&self, conversation: ConversationId) -> Result<bool, StoreError> {
        self.empty_conversation(conversation)?;
        self.write_and_empty_log(move |connection| delete_conversation(connection, conversation)).wait()
    }

    pub(crate) fn conversations_of(&self, visitor: VisitorId) -> Result<Vec<ConversationId>, StoreError> {
        self.read(|connection| conversations_of(connection, visitor))
    }

    /// How many messages and events it had.
    fn empty_conversation(&self, conversation: ConversationId) -> Result<(u64, u64), StoreError> {
        let (mut messages, mut events) = (0, 0);
        loop {
            let taken = self.write(move |connection| shrink(connection, conversation, MESSAGES_MAX)).wait()?;
            if taken == Taken::default() {
                return Ok((messages, events));
            }
            messages += u64::from(taken.messages);
            events += u64::from(taken.events);
        }
    }
}

/// Takes the conversation's first messages away, at most so many, and once there are none some of its events.
pub(super) fn shrink(
    connection: &Connection,
    conversation: ConversationId,
    messages_max: u32,
) -> Result<Taken, StoreError> {
    message_search::leave(connection, conversation, messages_max)?;
    let messages = connection
        .prepare_cached(
            "delete from messages
             where seq in (select seq from messages where conversation_id = ?1 order by seq limit ?2)",
        )?
        .execute(params![conversation.as_bytes(), messages_max])?;
    let mut taken = Taken { messages: u32::try_from(messages).unwrap_or(u32::MAX), events: 0 };
    if taken.messages < messages_max {
        let events = connection
            .prepare_cached(
                "delete from events where seq in (select seq from events where conversation_id = ?1 limit ?2)",
            )?
            .execute(params![conversation.as_bytes(), EVENTS_MAX])?;
        taken.events = u32::try_from(events).unwrap_or(u32::MAX);
    }
    Ok(taken)
}

/// What is left once the conversations are empty, but for what came in meanwhile.
fn erase(connection: &Connection, visitor: VisitorId) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    for (lead, _) in visitors::leads_of(connection, visitor)? {
        // It may tell of what this visitor has left, whoever spoke last.
        connection.prepare_cached("delete from webhook_deliveries where lead_id = ?1")?.execute([lead.as_bytes()])?;
        let rest = without(&leads::steps(connection, lead)?, visitor);
        if rest.is_empty() {
            connection.prepare_cached("delete from leads where id = ?1")?.execute([lead.as_bytes()])?;
            erased.leads += 1;
        } else {
            leads::rewrite(connection, lead, &rest)?;
            erased.leads_cleaned += 1;
        }
    }
    connection.prepare_cached("delete from webhook_deliveries where visitor_id = ?1")?.execute([visitor.as_bytes()])?;
    for conversation in conversations_of(connection, visitor)? {
        let (messages, events) = counts(connection, conversation)?;
        delete_conversation(connection, conversation)?;
        erased.conversations += 1;
        erased.messages += u64::from(messages);
        erased.events += u64::from(events);
    }
    connection.prepare_cached("delete from visitors where id = ?1")?.execute([visitor.as_bytes()])?;
    Ok(erased)
}

fn conversations_of(connection: &Connection, visitor: VisitorId) -> Result<Vec<ConversationId>, StoreError> {
    let mut statement = connection.prepare_cached("select id from conversations where visitor_id = ?1")?;
    let ids = statement.query_map([visitor.as_bytes()], |row| Ok(ConversationId::from_bytes(row.get(0)?)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

fn counts(connection: &Connection, conversation: ConversationId) -> Result<(u32, u32), StoreError> {
    Ok(connection
        .prepare_cached(
            "select (select count(*) from messages where conversation_id = ?1),
                    (select count(*) from events where conversation_id = ?1)",
        )?
        .query_row([conversation.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Whatever is still in it goes with it, and a visitor with the last one who has left no lead: with its id it can still see
/// and erase that.
pub(super) fn delete_conversation(connection: &Connection, conversation: ConversationId) -> Result<bool, StoreError> {
    message_search::leave(connection, conversation, u32::MAX)?;
    connection
        .prepare_cached("delete from webhook_deliveries where conversation_id = ?1")?
        .execute([conversation.as_bytes()])?;
    let visitor: Option<[u8; 16]> = connection
        .prepare_cached("delete from conversations where id = ?1 returning visitor_id")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(visitor) = visitor else {
        return Ok(false);
    };
    forget_if_nothing_is_left(connection, visitor)?;
    Ok(true)
}

pub(super) fn forget_if_nothing_is_left(connection: &Connection, visitor: [u8; 16]) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "delete from visitors where id = ?1
             and not exists (select 1 from conversations where visitor_id = ?1)
             and not exists (select 1 from leads where visitor_id = ?1 or first_visitor_id = ?1)
             and not exists (select 1 from lead_history where visitor_id = ?1)",
        )?
        .execute([visitor])?;
    Ok(())
}

#[cfg(test)]
mod tests;
