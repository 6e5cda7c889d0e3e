//! What lists and pictures are narrowed by, as it stands in an address.

use super::{Ctx, Form};
use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;
use crate::store::Period;

/// Rows of a list's page.
pub(super) const ROWS: u32 = 50;

/// The agents to choose from.
pub(super) struct Agents {
    pub(super) all: Vec<AgentChoice>,
}

pub(super) struct AgentChoice {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_chosen: bool,
}

impl Agents {
    /// Those of the configuration, and the one that is asked for even if it is there no more.
    pub(super) fn of(ctx: &Ctx<'_>) -> Self {
        let chosen = agent(&ctx.query);
        let is_chosen = |id: &AgentId| chosen.as_ref() == Some(id);
        let mut all: Vec<_> = ctx
            .config
            .agents
            .iter()
            .map(|agent| AgentChoice {
                id: agent.id().to_string(),
                name: agent.appearance.name.clone(),
                is_chosen: is_chosen(agent.id()),
            })
            .collect();
        if let Some(gone) = chosen.as_ref().filter(|_| all.iter().all(|agent| !agent.is_chosen)) {
            all.push(AgentChoice { id: gone.to_string(), name: "no longer configured".into(), is_chosen: true });
        }
        Self { all }
    }
}

pub(super) fn agent(query: &Form) -> Option<AgentId> {
    AgentId::parse(query.some("agent")?).ok()
}

/// From the day `from` to the end of the day `to`.
pub(super) fn period(query: &Form) -> Period {
    Period {
        since: query.some("from").and_then(Timestamp::parse_date),
        until: query.some("to").and_then(Timestamp::parse_date).map(Timestamp::next_day),
    }
}
