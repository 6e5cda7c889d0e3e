//! `leads` and `lead_history`: one lead for each agent and email address.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, params};

use super::conversations::{Speaker, touch};
use super::{Commit, Store, StoreError, webhooks};
use crate::domain::id::LeadId;
use crate::domain::lead::{FIELDS_MAX, LeadSource, NewLead, StoredLead};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{self, Occasion, Subscribers};

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
            let old = stored(connection, &speaker, &lead)?;
            let result = match &old {
                Some(old) => update(connection, &speaker, old, &lead, now),
                None => insert(connection, &speaker, id, &lead, now),
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
        .prepare_cached(
            "select id, created_at_ms, fields,
                    json_object('name', name, 'phone', phone, 'company', company, 'message', message,
                                'fields', json(fields), 'consent', consent, 'source', source, 'page_url', page_url)
             from leads where agent_id = ?1 and email = ?2",
        )?
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
    now: Timestamp,
) -> Result<StoredLead, StoreError> {
    connection
        .prepare_cached(
            "insert into leads (id, agent_id, email, name, phone, company, message, fields, consent, source,
                                page_url, page_title, page_referrer, conversation_id, created_at_ms, updated_at_ms)
             values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?15)",
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
            lead.source.map(LeadSource::as_str),
            lead.page.url,
            lead.page.title,
            lead.page.referrer,
            speaker.conversation.as_bytes(),
            now.ms(),
        ])?;
    Ok(StoredLead { id, created: true, created_at: now, updated_at: now })
}

fn update(
    connection: &Connection,
    speaker: &Speaker,
    old: &Old,
    lead: &NewLead,
    now: Timestamp,
) -> Result<StoredLead, StoreError> {
    connection
        .prepare_cached(
            "insert into lead_history (lead_id, conversation_id, changed_at_ms, old) values (?1, ?2, ?3, ?4)",
        )?
        .execute(params![old.id.as_bytes(), speaker.conversation.as_bytes(), now.ms(), old.values])?;
    connection
        .prepare_cached(
            "update leads set name = coalesce(?2, name), phone = coalesce(?3, phone), company = coalesce(?4, company),
                    message = coalesce(?5, message), fields = ?6, consent = coalesce(?7, consent),
                    source = coalesce(?8, source), page_url = coalesce(?9, page_url),
                    page_title = coalesce(?10, page_title), page_referrer = coalesce(?11, page_referrer),
                    conversation_id = ?12, updated_at_ms = ?13
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
            lead.source.map(LeadSource::as_str),
            lead.page.url,
            lead.page.title,
            lead.page.referrer,
            speaker.conversation.as_bytes(),
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
