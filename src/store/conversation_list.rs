//! The owner's list of conversations: those in which the visitor wrote, newest first. A page is found by the key of the row
//! before it, and what is added up of a row's messages has a bound: a page costs the same however many there are.

use std::fmt;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde::Serialize;

use super::filter::{Period, Query};
use super::message_search::{MATCHES_MAX, phrase_query};
use super::{Store, StoreError, unsigned};
use crate::domain::id::{AgentId, ConversationId, LeadId};
use crate::domain::time::Timestamp;

/// Messages of a conversation that are added up, the first ones.
const SUMMED_MESSAGES_MAX: u32 = 1000;
pub(super) const NEWEST_FIRST: &str = "c.began_at_ms desc, c.id desc";
/// Of the first question, in characters.
const QUESTION_CHARS_MAX: u32 = 300;

/// Which conversations; the default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConversationFilter {
    pub(crate) agent: Option<AgentId>,
    /// When the visitor first wrote.
    pub(crate) period: Period,
    /// Only those with an answer that did not know.
    pub(crate) unanswered: bool,
    /// Only those in which an address was left.
    pub(crate) with_lead: bool,
    /// Words that stand in one message; the beginning of a longer word is enough. Of the messages with these words the
    /// newest [`MATCHES_MAX`] are looked at, and one shows up some seconds after it was written.
    pub(crate) search: Option<String>,
}

/// Where a page ends; the next one begins after it. As text it is `MILLISECONDS.ID`, for a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConversationKey {
    began_at: Timestamp,
    id: ConversationId,
}

impl ConversationKey {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (ms, id) = text.split_once('.')?;
        Some(Self { began_at: Timestamp::from_ms(ms.parse().ok()?), id: ConversationId::parse(id)? })
    }
}

impl fmt::Display for ConversationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.began_at.ms(), self.id)
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct ConversationPage {
    pub(crate) rows: Vec<ConversationRow>,
    /// None: there are no more.
    pub(crate) next: Option<ConversationKey>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ConversationRow {
    pub(crate) id: ConversationId,
    pub(crate) agent_id: String,
    /// When the visitor first wrote.
    pub(crate) began_at: Timestamp,
    pub(crate) active_at: Timestamp,
    /// Of both sides.
    pub(crate) messages: u64,
    /// Its beginning.
    pub(crate) first_question: String,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) cost_nanos: i64,
    /// Answers that did not know.
    pub(crate) unanswered: u64,
    pub(crate) lead_id: Option<LeadId>,
    pub(crate) lead_email: Option<String>,
}

impl Store {
    /// At most `limit` conversations, newest first, of those after `after`.
    pub(crate) fn conversations(
        &self,
        filter: &ConversationFilter,
        after: Option<ConversationKey>,
        limit: u32,
    ) -> Result<ConversationPage, StoreError> {
        let Some(query) = list_query(filter, after) else {
            return Ok(ConversationPage::default());
        };
        // One more than the page tells whether there is a next one.
        let query = query.ordered(NEWEST_FIRST, limit.saturating_add(1));
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&query.sql)?;
            let found = statement.query_map(params_from_iter(&query.values), head)?;
            let mut rows = found.collect::<Result<Vec<_>, _>>()?;
            let has_next = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            rows.iter_mut().try_for_each(|row| complete(connection, row))?;
            let last = rows.last().filter(|_| has_next);
            Ok(ConversationPage { next: last.map(ConversationRow::key), rows })
        })
    }
}

impl ConversationRow {
    fn key(&self) -> ConversationKey {
        ConversationKey { began_at: self.began_at, id: self.id }
    }
}

/// None: no word to search for is left, so that nothing can be found.
pub(super) fn list_query(filter: &ConversationFilter, after: Option<ConversationKey>) -> Option<Query> {
    let mut sources = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    if let Some(search) = &filter.search {
        sources.push(
            "select m.conversation_id as id from (
                 select rowid from message_search where message_search match ? order by rowid desc limit ?
             ) f cross join messages m on m.seq = f.rowid",
        );
        values.extend([phrase_query(search)?.into(), MATCHES_MAX.into()]);
    }
    if filter.with_lead {
        sources.push("select conversation_id as id from leads where conversation_id is not null");
    }
    const COLUMNS: &str = "select c.id, c.agent_id, c.began_at_ms, c.active_at_ms from";
    let sql = match sources.as_slice() {
        [] => format!("{COLUMNS} conversations c where c.began_at_ms is not null"),
        [first, rest @ ..] => {
            let both = rest.iter().map(|source| format!(" intersect {source}")).collect::<String>();
            // A union of one with nothing leaves each id once, as an intersection does.
            let set =
                if rest.is_empty() { format!("select distinct id from ({first})") } else { format!("{first}{both}") };
            format!("{COLUMNS} ({set}) s cross join conversations c on c.id = s.id where c.began_at_ms is not null")
        }
    };
    let mut query = Query::new(sql, values);
    query.and_agent("c.agent_id", filter.agent.as_ref());
    if filter.unanswered {
        query.and("c.is_unanswered = 1", []);
    }
    if let Some(since) = filter.period.since {
        query.and("c.began_at_ms >= ?", [since.ms().into()]);
    }
    if let Some(until) = filter.period.until {
        query.and("c.began_at_ms < ?", [until.ms().into()]);
    }
    if let Some(key) = after {
        query.and("(c.began_at_ms, c.id) < (?, ?)", [key.began_at.ms().into(), key.id.as_bytes().to_vec().into()]);
    }
    Some(query)
}

/// What stands in the conversation's own row.
fn head(row: &Row<'_>) -> rusqlite::Result<ConversationRow> {
    Ok(ConversationRow {
        id: ConversationId::from_bytes(row.get(0)?),
        agent_id: row.get(1)?,
        began_at: Timestamp::from_ms(row.get(2)?),
        active_at: Timestamp::from_ms(row.get(3)?),
        messages: 0,
        first_question: String::new(),
        input_tokens: 0,
        output_tokens: 0,
        cost_nanos: 0,
        unanswered: 0,
        lead_id: None,
        lead_email: None,
    })
}

/// Adds what its messages and leads say.
pub(super) fn complete(connection: &Connection, row: &mut ConversationRow) -> Result<(), StoreError> {
    let id = row.id.as_bytes();
    connection
        .prepare_cached(
            "select count(*), coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0),
                    coalesce(sum(charged_nanos), 0), coalesce(sum(is_unanswered), 0)
             from (select input_tokens, output_tokens, charged_nanos, is_unanswered
                   from messages where conversation_id = ?1 order by seq limit ?2)",
        )?
        .query_row(params![id, SUMMED_MESSAGES_MAX], |sums| {
            row.messages = unsigned(sums.get(0)?);
            row.input_tokens = unsigned(sums.get(1)?);
            row.output_tokens = unsigned(sums.get(2)?);
            row.cost_nanos = sums.get(3)?;
            row.unanswered = unsigned(sums.get(4)?);
            Ok(())
        })?;
    let question = connection
        .prepare_cached(
            "select substr(content, 1, ?2) from messages where conversation_id = ?1 and role = 'user' order by seq limit 1",
        )?
        .query_row(params![id, QUESTION_CHARS_MAX], |row| row.get(0))
        .optional()?;
    row.first_question = question.unwrap_or_default();
    let lead = connection
        .prepare_cached("select id, email from leads where conversation_id = ?1 limit 1")?
        .query_row([id], |row| Ok((LeadId::from_bytes(row.get(0)?), row.get(1)?)))
        .optional()?;
    (row.lead_id, row.lead_email) = lead.unzip();
    Ok(())
}
