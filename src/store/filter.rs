//! What the owner's lists are narrowed by, and the clauses that come of it. Values are bound, never written into the SQL.

use rusqlite::types::Value;

use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;

/// From `since` on, until before `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
}

/// A query that grows by the conditions that were asked for. Each `?` takes the value that came with it.
pub(super) struct Query {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
}

impl Query {
    /// `sql` ends in a `where` clause.
    pub(super) fn new(sql: impl Into<String>, values: Vec<Value>) -> Self {
        Self { sql: sql.into(), values }
    }

    /// Adds the condition, which has as many `?` as there are values.
    pub(super) fn and<const N: usize>(&mut self, condition: &str, values: [Value; N]) {
        self.sql.push_str(" and ");
        self.sql.push_str(condition);
        self.values.extend(values);
    }

    pub(super) fn and_agent(&mut self, column: &str, agent: Option<&AgentId>) {
        if let Some(agent) = agent {
            self.and(&format!("{column} = ?"), [agent.as_str().to_owned().into()]);
        }
    }

    /// Ends it: the order of the list, and how many rows.
    pub(super) fn ordered(mut self, order: &str, limit: u32) -> Self {
        self.sql.push_str(&format!(" order by {order} limit ?"));
        self.values.push(limit.into());
        self
    }
}
