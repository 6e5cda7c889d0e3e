//! `leads` and `lead_history`: one lead for each agent and email address.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::conversations::{Speaker, touch};
use super::{Commit, Store, StoreError, consents, day_counts, webhooks};
use crate::domain::id::{LeadId, VisitorId};
use crate::domain::lead::{FIELDS_MAX, LeadSource, NewLead, StoredLead};
use crate::domain::lead_values::Step;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{self, Occasion, Subscribers};

/// All of a lead that may be overwritten, as a JSON object.
macro_rules! values {
    () => {
        "json_object('name', name, 'phone', phone, 'company', company, 'message', message, 'fields', json(fields),
                     'consent', consent, 'consent_version', consent_version, 'source', source, 'page_url', page_url)"
    };
}

impl Store {
    /// Stores a lead, or brings the one with this address up to date: what came overwrites, what did not come stays.
    /// `id` is for a new one. The webhooks of `subscribers` are told of it, unless nothing is other than before.
    pub(crate) fn upsert_lead(
        &self,
        speaker: Speaker,
        id: LeadId,
        lead: NewLead,
        subscribers: Subscribers,
        now: Timestamp,
    ) -> Commit<StoredLead> {
        let bell = self.bell_for(&subscribers, &[Occasion::LeadCaptured, Occasion::LeadUpdated]);
        let work = move |connection: &Connection| {
            touch(connection, &speaker, now)?;
            let consent_version = match &lead.consent_text {
                Some(text) => Some(consents::version(connection, &speaker.agent, text, now)?),
                None => None,
            };
            let old = stored(connection, &speaker, &lead)?;
            let result = match &old {
                Some(old) => update(connection, &speaker, old, &lead, consent_version, now),
                None => insert(connection, &speaker, id, &lead, consent_version, now),
            }?;
            let occasion = match old {
                None => Some(Occasion::LeadCaptured),
                Some(old) => {
                    let new = stored(connection, &speaker, &lead)?;
                    new.is_some_and(|new| new.values != old.values).then_some(Occasion::LeadUpdated)
                }
            };
            if let Some(occasion) = occasion {
                webhooks::tell_of_lead(connection, &subscribers, occasion, &speaker, result.id, now)?;
            }
            Ok(result)
        };
        self.write(work).then_ring(bell)
    }
}

/// What the lead went through, oldest first: the last step is what it is.
pub(super) fn steps(connection: &Connection, lead: LeadId) -> Result<Vec<Step>, StoreError> {
    let now: String = connection
        .prepare_cached(concat!("select ", values!(), " from leads where id = ?1"))?
        .query_row([lead.as_bytes()], |row| row.get(0))?;
    let (first, visitor): (Option<[u8; 16]>, Option<[u8; 16]>) = connection
        .prepare_cached("select first_visitor_id, visitor_id from leads where id = ?1")?
        .query_row([lead.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement =
        connection.prepare_cached("select seq, visitor_id, old from lead_history where lead_id = ?1 order by seq")?;
    let history = statement
        .query_map([lead.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<Vec<(i64, Option<[u8; 16]>, String)>, _>>()?;
    // A row of the history names who made the step after the one that it holds.
    let first = (None, first.or(visitor.filter(|_| history.is_empty())));
    let makers = std::iter::once(first).chain(history.iter().map(|(row, maker, _)| (Some(*row), *maker)));
    let after = history.iter().map(|(_, _, old)| old.as_str()).chain([now.as_str()]);
    let step = |((row, maker), after): ((Option<i64>, Option<[u8; 16]>), &str)| {
        let after = serde_json::from_str(after).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(Step { row, visitor: maker.map(VisitorId::from_bytes), after })
    };
    makers.zip(after).map(step).collect()
}

/// Makes the lead and its history what `steps` are, which must be some of its own and at least one.
pub(super) fn rewrite(connection: &Connection, lead: LeadId, steps: &[Step]) -> Result<(), StoreError> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Ok(());
    };
    let kept: Vec<i64> = steps.iter().skip(1).filter_map(|step| step.row).collect();
    let kept = serde_json::to_string(&kept).unwrap_or_else(|_| "[]".into());
    connection
        .prepare_cached("delete from lead_history where lead_id = ?1 and seq not in (select value from json_each(?2))")?
        .execute(params![lead.as_bytes(), kept])?;
    for (before, step) in steps.iter().zip(&steps[1..]) {
        connection
            .prepare_cached("update lead_history set old = ?2 where seq = ?1")?
            .execute(params![step.row, serde_json::to_string(&before.after).unwrap_or_else(|_| "{}".into())])?;
    }
    let id = |step: &Step| step.visitor.map(|visitor| *visitor.as_bytes());
    let values = &last.after;
    connection
        .prepare_cached(
            "update leads set name = ?2, phone = ?3, company = ?4, message = ?5, fields = ?6, consent = ?7,
                    consent_version = ?8, source = ?9, page_url = ?10, page_title = null, page_referrer = null,
                    first_visitor_id = ?11, visitor_id = ?12
             where id = ?1",
        )?
        .execute(params![
            lead.as_bytes(),
            values.name,
            values.phone,
            values.company,
            values.message,
            json(&values.fields),
            values.consent,
            values.consent_version,
            values.source,
            values.page_url,
            id(first),
            id(last),
        ])?;
    Ok(())
}

/// What an update needs to know of the lead before.
struct Old {
    id: LeadId,
    created_at: Timestamp,
    fields: BTreeMap<String, String>,
    /// All that may be overwritten, as a JSON object.
    values: String,
}

fn stored(connection: &Connection, speaker: &Speaker, lead: &NewLead) -> Result<Option<Old>, StoreError> {
    Ok(connection
        .prepare_cached(concat!(
            "select id, created_at_ms, fields, ",
            values!(),
            " from leads where agent_id = ?1 and email = ?2"
        ))?
        .query_row(params![speaker.agent.as_str(), lead.email.as_str()], |row| {
            Ok(Old {
                id: LeadId::from_bytes(row.get(0)?),
                created_at: Timestamp::from_ms(row.get(1)?),
                fields: serde_json::from_str(row.get_ref(2)?.as_str()?).unwrap_or_default(),
                values: row.get(3)?,
            })
        })
        .optional()?)
}

fn insert(
    connection: &Connection,
    speaker: &Speaker,
    id: LeadId,
    lead: &NewLead,
    consent_version: Option<i64>,
    now: Timestamp,
) -> Result<StoredLead, StoreError> {
    connection
        .prepare_cached(
            "insert into leads (id, agent_id, email, name, phone, company, message, fields, consent, consent_version,
                                source, page_url, page_title, page_referrer, conversation_id, first_visitor_id,
                                visitor_id, created_at_ms, updated_at_ms)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?16, ?17, ?17)",
        )?
        .execute(params![
            id.as_bytes(),
            speaker.agent.as_str(),
            lead.email.as_str(),
            lead.name,
            lead.phone,
            lead.company,
            lead.message,
            json(&lead.fields),
            lead.consent,
            consent_version,
            lead.source.map(LeadSource::as_str),
            lead.page.url,
            lead.page.title,
            lead.page.referrer,
            speaker.conversation.as_bytes(),
            speaker.visitor.as_bytes(),
            now.ms(),
        ])?;
    day_counts::add(connection, speaker.agent.as_str(), now.day(), "leads", 1)?;
    Ok(StoredLead { id, created: true, created_at: now, updated_at: now })
}

fn update(
    connection: &Connection,
    speaker: &Speaker,
    old: &Old,
    lead: &NewLead,
    consent_version: Option<i64>,
    now: Timestamp,
) -> Result<StoredLead, StoreError> {
    connection
        .prepare_cached(
            "insert into lead_history (lead_id, conversation_id, visitor_id, changed_at_ms, old)
             values (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            old.id.as_bytes(),
            speaker.conversation.as_bytes(),
            speaker.visitor.as_bytes(),
            now.ms(),
            old.values
        ])?;
    connection
        .prepare_cached(
            "update leads set name = coalesce(?2, name), phone = coalesce(?3, phone), company = coalesce(?4, company),
                    message = coalesce(?5, message), fields = ?6, consent = coalesce(?7, consent),
                    consent_version = iif(?7 is null, consent_version, ?8), source = coalesce(?9, source),
                    page_url = coalesce(?10, page_url), page_title = coalesce(?11, page_title),
                    page_referrer = coalesce(?12, page_referrer), conversation_id = ?13, visitor_id = ?14,
                    updated_at_ms = ?15
             where id = ?1",
        )?
        .execute(params![
            old.id.as_bytes(),
            lead.name,
            lead.phone,
            lead.company,
            lead.message,
            json(&merged(&old.fields, &lead.fields)),
            lead.consent,
            consent_version,
            lead.source.map(LeadSource::as_str),
            lead.page.url,
            lead.page.title,
            lead.page.referrer,
            speaker.conversation.as_bytes(),
            speaker.visitor.as_bytes(),
            now.ms(),
        ])?;
    Ok(StoredLead { id: old.id, created: false, created_at: old.created_at, updated_at: now })
}

/// The lead as a receiver is told of it.
pub(super) fn told(connection: &Connection, id: LeadId) -> Result<webhook::Lead, StoreError> {
    let mut statement = connection.prepare_cached(
        "select email, name, phone, company, message, fields, consent, source, page_url, created_at_ms, updated_at_ms
         from leads where id = ?1",
    )?;
    Ok(statement.query_row([id.as_bytes()], |row| {
        Ok(webhook::Lead {
            id,
            email: row.get(0)?,
            name: row.get(1)?,
            phone: row.get(2)?,
            company: row.get(3)?,
            message: row.get(4)?,
            fields: serde_json::from_str(row.get_ref(5)?.as_str()?).unwrap_or_default(),
            consent: row.get(6)?,
            source: row.get(7)?,
            page_url: row.get(8)?,
            created_at: Timestamp::from_ms(row.get(9)?),
            updated_at: Timestamp::from_ms(row.get(10)?),
        })
    })?)
}

/// The new fields, and of the old ones as many as the limit leaves room for.
fn merged(old: &BTreeMap<String, String>, new: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let kept = old.iter().filter(|(key, _)| !new.contains_key(*key)).take(FIELDS_MAX.saturating_sub(new.len()));
    new.iter().chain(kept).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn json(fields: &BTreeMap<String, String>) -> String {
    // Texts under texts: it cannot fail.
    serde_json::to_string(fields).unwrap_or_else(|_| "{}".into())
}
