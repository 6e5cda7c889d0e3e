//! `agent_days`: what each agent used in a UTC day.

use rusqlite::{Connection, params};

use super::{Store, StoreError, signed, unsigned};
use crate::domain::id::AgentId;
use crate::domain::money::Charge;
use crate::domain::time::Period;

impl Store {
    /// What each agent has used or reserved in `period`.
    pub(crate) fn charged_in(&self, period: Period) -> Result<Vec<(AgentId, Charge)>, StoreError> {
        self.read(|connection| {
            // The key begins with the agent, so this reads all days of all agents: a few hundred rows each year, at start.
            let mut statement = connection.prepare_cached(
                "select agent_id, sum(tokens), sum(cost_nanos) from agent_days where day >= ?1 and day < ?2
                 group by agent_id",
            )?;
            let rows = statement.query_map([period.first_day, period.next_day], |row| {
                let charge = Charge { tokens: unsigned(row.get(1)?), nanos: unsigned(row.get(2)?) };
                Ok((row.get::<_, String>(0)?, charge))
            })?;
            let mut charged = Vec::new();
            for row in rows {
                let (agent, charge) = row?;
                // An agent that was renamed to something that is no id has nothing to go on from.
                if let Ok(agent) = AgentId::parse(&agent) {
                    charged.push((agent, charge));
                }
            }
            Ok(charged)
        })
    }
}

/// What is charged gives way to something else, on the agent's day; its sums do not go below zero.
pub(super) fn recharge(
    connection: &Connection,
    agent: &AgentId,
    day: i64,
    before: Charge,
    after: Charge,
) -> Result<(), StoreError> {
    let tokens = signed(after.tokens) - signed(before.tokens);
    let nanos = signed(after.nanos) - signed(before.nanos);
    connection
        .prepare_cached(
            "insert into agent_days (agent_id, day, tokens, cost_nanos) values (?1, ?2, max(0, ?3), max(0, ?4))
             on conflict (agent_id, day)
             do update set tokens = max(0, tokens + ?3), cost_nanos = max(0, cost_nanos + ?4)",
        )?
        .execute(params![agent.as_str(), day, tokens, nanos])?;
    Ok(())
}
