//! Which agents answer, what they spend, and the switch.

use super::{Ctx, Outcome, Refusal, chart, page, show};
use crate::domain::agent::Agent;
use crate::domain::id::AgentId;
use crate::domain::money::{self, Ceiling, Ceilings, Charge, Currency};
use crate::domain::time::Period;

/// From here on, of a hundred, a ceiling is near.
const NEAR: u64 = 80;

pub(super) struct Spending {
    pub(super) agents: Vec<AgentState>,
    /// Of all agents together, if there is a ceiling for them.
    pub(super) all: Vec<Meter>,
}

pub(super) struct AgentState {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) paused_since: Option<String>,
    pub(super) meters: Vec<Meter>,
}

/// What was used of what may be.
pub(super) struct Meter {
    pub(super) name: &'static str,
    pub(super) used: String,
    /// None: there is no ceiling.
    pub(super) most: Option<String>,
    /// Of a hundred.
    pub(super) percent: u64,
    pub(super) is_near: bool,
}

pub(super) fn of(ctx: &Ctx<'_>, only: Option<&AgentId>) -> Result<Spending, Refusal> {
    let store = &ctx.admin.store;
    let paused = store.paused_agents()?;
    let today = store.charged_in(Period::of_day(ctx.now.day()))?;
    let month = store.charged_in(Period::of_month(ctx.now.day()))?;
    let used = |charged: &[(AgentId, Charge)], id: &AgentId| {
        charged.iter().find(|(known, _)| known == id).map_or_else(Charge::default, |(_, charge)| *charge)
    };
    let sum = |charged: &[(AgentId, Charge)]| charged.iter().fold(Charge::default(), |sum, (_, more)| sum.plus(*more));
    let currency = ctx.config.currency;
    let state = |agent: &Agent| AgentState {
        id: agent.id().to_string(),
        name: agent.appearance.name.clone(),
        paused_since: paused.iter().find(|paused| paused.id == *agent.id()).map(|paused| show::time(paused.since)),
        meters: meters(used(&today, agent.id()), used(&month, agent.id()), &agent.budget.agent, currency),
    };
    let shown = ctx.config.agents.iter().filter(|agent| only.is_none_or(|only| only == agent.id()));
    let mut all = meters(sum(&today), sum(&month), &ctx.config.all_agents, currency);
    all.retain(|meter| meter.most.is_some());
    Ok(Spending { agents: shown.map(|agent| state(agent)).collect(), all })
}

fn meters(today: Charge, month: Charge, ceilings: &Ceilings, currency: Currency) -> Vec<Meter> {
    let Ceilings { day, month: of_month } = *ceilings;
    let tokens = |name, used: Charge, most: Ceiling| meter(name, used.tokens, most.tokens, show::number);
    let amount =
        |name, used: Charge, most: Ceiling| meter(name, used.nanos, most.nanos, |nanos| money::show(nanos, currency));
    vec![
        tokens("Tokens today", today, day),
        amount("Cost today", today, day),
        tokens("Tokens this month", month, of_month),
        amount("Cost this month", month, of_month),
    ]
}

fn meter(name: &'static str, used: u64, most: Option<u64>, show: impl Fn(u64) -> String) -> Meter {
    let percent = most.map_or(0, |most| chart::scaled(used, most));
    Meter { name, used: show(used), most: most.map(show), percent, is_near: percent >= NEAR }
}

pub(super) fn pause(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    ctx.admin.store.pause_agent(&agent(ctx)?, ctx.now).wait()?;
    tracing::warn!(agent = ctx.parts[1], "paused on the admin page");
    Ok(page::see_other("/admin?done=paused").into())
}

pub(super) fn resume(ctx: &Ctx<'_>) -> Result<Outcome, Refusal> {
    ctx.admin.store.resume_agent(&agent(ctx)?).wait()?;
    tracing::warn!(agent = ctx.parts[1], "resumed on the admin page");
    Ok(page::see_other("/admin?done=resumed").into())
}

/// The one that the address names.
fn agent(ctx: &Ctx<'_>) -> Result<AgentId, Refusal> {
    let agent = ctx.parts.get(1).and_then(|id| ctx.config.agent(id));
    agent.map(|agent| agent.id().clone()).ok_or(Refusal::NotFound)
}
