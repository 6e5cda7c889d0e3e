//! What a lead was before it was left again, and the text that was agreed to, for the owner to read.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};

use super::{Store, StoreError};
use crate::domain::id::{ConversationId, LeadId};
use crate::domain::time::Timestamp;

/// The newest changes of a lead are shown, more are not.
const CHANGES_MAX: u32 = 100;

/// One time that a lead was overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeadChange {
    pub(crate) changed_at: Timestamp,
    /// In which it was left again; none: it was deleted.
    pub(crate) conversation_id: Option<ConversationId>,
    /// The names and values from before, without those that it did not have.
    pub(crate) old: Vec<(String, String)>,
}

impl Store {
    /// Newest first.
    pub(crate) fn lead_history(&self, id: LeadId) -> Result<Vec<LeadChange>, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "select h.changed_at_ms, c.id, h.old from lead_history h
                 left join conversations c on c.id = h.conversation_id
                 where h.lead_id = ?1 order by h.seq desc limit ?2",
            )?;
            let rows = statement.query_map(params![id.as_bytes(), CHANGES_MAX], |row| {
                let conversation: Option<[u8; 16]> = row.get(1)?;
                let old: Map<String, Value> = serde_json::from_str(row.get_ref(2)?.as_str()?).unwrap_or_default();
                Ok(LeadChange {
                    changed_at: Timestamp::from_ms(row.get(0)?),
                    conversation_id: conversation.map(ConversationId::from_bytes),
                    old: flat(old),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The text of this version that stood beside the box.
    pub(crate) fn consent_text(&self, agent: &str, version: i64) -> Result<Option<String>, StoreError> {
        self.read(|connection| {
            let mut statement =
                connection.prepare_cached("select text from consents where agent_id = ?1 and version = ?2")?;
            Ok(statement.query_row(params![agent, version], |row| row.get(0)).optional()?)
        })
    }
}

/// The owner's own fields stand among the others.
fn flat(old: Map<String, Value>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, value) in old {
        match value {
            Value::Null => {}
            Value::Object(fields) => pairs.extend(flat(fields)),
            Value::String(text) => pairs.push((name, text)),
            Value::Number(number) if name == "consent" => {
                let is_given = number.as_i64() == Some(1);
                pairs.push((name, if is_given { "given" } else { "refused" }.to_owned()));
            }
            other => pairs.push((name, other.to_string())),
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_values_are_one_list_of_what_there_was() {
        let old = serde_json::from_str(
            r#"{"name":"Ann","phone":null,"consent":1,"fields":{"size":"big"},"page_url":"https://example.com/"}"#,
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut flat = flat(old.unwrap());
        flat.sort();
        assert_eq!(
            flat,
            [
                pair("consent", "given"),
                pair("name", "Ann"),
                pair("page_url", "https://example.com/"),
                pair("size", "big")
            ]
        );
    }
}
