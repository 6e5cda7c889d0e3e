//! Forgetting a visitor: no row, no page of the file and no page of the log keeps a word of it.
//!
//! Deleted rows are overwritten (`secure_delete`), the search index is told to forget too, and the log is folded back and
//! emptied after the commit. What stays are sums of days, which name nobody.

use rusqlite::{Connection, params};

use super::{Commit, Store, StoreError, leads, message_search, visitors};
use crate::domain::id::{ConversationId, LeadId, VisitorId};
use crate::domain::lead_values::{LeadValues, of_some};
use crate::domain::visitor::Erased;

impl Store {
    /// Erases all that is stored of the visitor. What others have left in a lead stays there.
    pub(crate) fn erase_visitor(&self, visitor: VisitorId) -> Commit<Erased> {
        self.write_and_empty_log(move |connection| erase(connection, visitor))
    }

    /// Deletes a conversation with its messages and events; a lead that was left in it stays. False: there is none.
    pub(crate) fn delete_conversation(&self, conversation: ConversationId) -> Commit<bool> {
        self.write_and_empty_log(move |connection| delete_conversation(connection, conversation))
    }
}

fn erase(connection: &Connection, visitor: VisitorId) -> Result<Erased, StoreError> {
    let mut erased = Erased::default();
    for (lead, _) in visitors::leads_of(connection, visitor)? {
        let steps = leads::steps(connection, lead)?;
        match of_some(&steps, |maker| maker != Some(visitor)) {
            None => {
                connection.prepare_cached("delete from leads where id = ?1")?.execute([lead.as_bytes()])?;
                erased.leads += 1;
            }
            Some(rest) => {
                rewrite_lead(connection, lead, visitor, &rest)?;
                erased.leads_cleaned += 1;
            }
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

/// The lead as it is without the visitor, whose values its history holds too.
fn rewrite_lead(
    connection: &Connection,
    lead: LeadId,
    visitor: VisitorId,
    rest: &LeadValues,
) -> Result<(), StoreError> {
    connection.prepare_cached("delete from lead_history where lead_id = ?1")?.execute([lead.as_bytes()])?;
    connection
        .prepare_cached(
            "update leads set name = ?2, phone = ?3, company = ?4, message = ?5, fields = ?6, consent = ?7,
                    consent_version = ?8, source = ?9, page_url = ?10, page_title = null, page_referrer = null,
                    visitor_id = nullif(visitor_id, ?11), first_visitor_id = null
             where id = ?1",
        )?
        .execute(params![
            lead.as_bytes(),
            rest.name,
            rest.phone,
            rest.company,
            rest.message,
            leads::json(&rest.fields),
            rest.consent,
            rest.consent_version,
            rest.source,
            rest.page_url,
            visitor.as_bytes(),
        ])?;
    Ok(())
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

/// Messages and events go with their conversation, and a visitor with the last one.
pub(super) fn delete_conversation(connection: &Connection, conversation: ConversationId) -> Result<bool, StoreError> {
    message_search::leave(connection, conversation)?;
    let visitor: Option<[u8; 16]> = connection
        .prepare_cached("delete from conversations where id = ?1 returning visitor_id")?
        .query_row([conversation.as_bytes()], |row| row.get(0))
        .map(Some)
        .or_else(|error| if error == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(error) })?;
    let Some(visitor) = visitor else {
        return Ok(false);
    };
    connection
        .prepare_cached(
            "delete from visitors where id = ?1 and not exists (select 1 from conversations where visitor_id = ?1)",
        )?
        .execute([visitor])?;
    Ok(true)
}

#[cfg(test)]
mod tests;
