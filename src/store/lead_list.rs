//! The owner's list of leads, newest first, and what the owner writes on them.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde::Serialize;

use super::filter::{Period, Query};
use super::{Commit, Store, StoreError};
use crate::domain::id::{AgentId, ConversationId, LeadId, VisitorId};
use crate::domain::lead::LeadStatus;
use crate::domain::time::Timestamp;

/// Which leads; the default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeadFilter {
    pub(crate) agent: Option<AgentId>,
    pub(crate) status: Option<LeadStatus>,
    /// When the address was first left.
    pub(crate) period: Period,
    /// A text that stands, in upper or lower case, in the email address, the name, the company or the message.
    pub(crate) search: Option<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LeadPage {
    pub(crate) rows: Vec<LeadRow>,
    /// Where the next page begins after; none: there are no more.
    pub(crate) next: Option<LeadId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct LeadRow {
    pub(crate) id: LeadId,
    pub(crate) agent_id: String,
    pub(crate) email: String,
    pub(crate) name: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) company: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) fields: BTreeMap<String, String>,
    pub(crate) status: LeadStatus,
    /// The owner's own.
    pub(crate) note: String,
    /// None: not asked.
    pub(crate) consent: Option<bool>,
    pub(crate) consent_version: Option<i64>,
    pub(crate) source: Option<String>,
    pub(crate) page_url: Option<String>,
    pub(crate) page_title: Option<String>,
    pub(crate) page_referrer: Option<String>,
    /// None: it was deleted.
    pub(crate) conversation_id: Option<ConversationId>,
    /// Who left it last.
    pub(crate) visitor_id: Option<VisitorId>,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

macro_rules! lead_columns {
    () => {
        "select id, agent_id, email, name, phone, company, message, fields, status, note, consent, consent_version,
                source, page_url, page_title, page_referrer, conversation_id, created_at_ms, updated_at_ms,
                visitor_id
         from leads where "
    };
}

impl Store {
    /// At most `limit` leads, newest first, of those after `after`.
    pub(crate) fn leads(&self, filter: &LeadFilter, after: Option<LeadId>, limit: u32) -> Result<LeadPage, StoreError> {
        // What is searched for is compared here, as SQLite knows upper and lower case of ASCII alone. All are looked at,
        // one by one, until the page is full.
        let wanted = filter.search.as_deref().map(str::to_lowercase);
        let query = list_query(filter, after);
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&query.sql)?;
            let mut found = statement.query(params_from_iter(&query.values))?;
            let mut rows = Vec::new();
            while let Some(row) = found.next()? {
                if !wanted.as_deref().map_or(Ok(true), |wanted| contains(row, wanted))? {
                    continue;
                }
                if rows.len() == limit as usize {
                    let next = rows.last().map(|lead: &LeadRow| lead.id);
                    return Ok(LeadPage { rows, next });
                }
                rows.push(lead(row)?);
            }
            Ok(LeadPage { rows, next: None })
        })
    }

    pub(crate) fn lead(&self, id: LeadId) -> Result<Option<LeadRow>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(concat!(lead_columns!(), "id = ?1"))?;
            Ok(statement.query_row([id.as_bytes()], lead).optional()?)
        })
    }

    /// What the owner says of a lead. False: there is none of this id.
    pub(crate) fn set_lead_status_and_note(&self, id: LeadId, status: LeadStatus, note: String) -> Commit<bool> {
        self.write(move |connection| {
            let updated = connection
                .prepare_cached("update leads set status = ?2, note = ?3 where id = ?1")?
                .execute(params![id.as_bytes(), status.as_str(), note])?;
            Ok(updated > 0)
        })
    }
}

fn list_query(filter: &LeadFilter, after: Option<LeadId>) -> Query {
    let mut query = Query::new(concat!(lead_columns!(), "true"), Vec::new());
    query.and_agent("agent_id", filter.agent.as_ref());
    if let Some(status) = filter.status {
        query.and("status = ?", [status.as_str().to_owned().into()]);
    }
    // Their ids sort by time.
    let time = |time| LeadId::before_all_of(time).as_bytes().to_vec().into();
    if let Some(since) = filter.period.since {
        query.and("id >= ?", [time(since)]);
    }
    if let Some(until) = filter.period.until {
        query.and("id < ?", [time(until)]);
    }
    if let Some(after) = after {
        query.and("id < ?", [after.as_bytes().to_vec().into()]);
    }
    query.sql.push_str(" order by id desc");
    query
}

/// Those that were left last in this conversation.
pub(super) fn leads_of_conversation(connection: &Connection, id: ConversationId) -> Result<Vec<LeadRow>, StoreError> {
    let mut statement =
        connection.prepare_cached(concat!(lead_columns!(), "conversation_id = ?1 order by id limit 100"))?;
    let rows = statement.query_map([id.as_bytes()], lead)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether the text, in lower case, stands in what is searched.
fn contains(row: &Row<'_>, wanted: &str) -> rusqlite::Result<bool> {
    for column in ["email", "name", "company", "message"] {
        let text = row.get_ref(column)?.as_str_or_null()?.unwrap_or_default();
        if text.to_lowercase().contains(wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lead(row: &Row<'_>) -> rusqlite::Result<LeadRow> {
    let conversation: Option<[u8; 16]> = row.get(16)?;
    Ok(LeadRow {
        id: LeadId::from_bytes(row.get(0)?),
        agent_id: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        phone: row.get(4)?,
        company: row.get(5)?,
        message: row.get(6)?,
        fields: serde_json::from_str(row.get_ref(7)?.as_str()?).unwrap_or_default(),
        status: LeadStatus::parse(row.get_ref(8)?.as_str()?).unwrap_or(LeadStatus::New),
        note: row.get(9)?,
        consent: row.get(10)?,
        consent_version: row.get(11)?,
        source: row.get(12)?,
        page_url: row.get(13)?,
        page_title: row.get(14)?,
        page_referrer: row.get(15)?,
        conversation_id: conversation.map(ConversationId::from_bytes),
        visitor_id: row.get::<_, Option<[u8; 16]>>(19)?.map(VisitorId::from_bytes),
        created_at: Timestamp::from_ms(row.get(17)?),
        updated_at: Timestamp::from_ms(row.get(18)?),
    })
}
