//! Remembers for the owner what was refused and why. In memory alone: see `store::Refusals`.

use super::Ctx;
use super::error::ApiError;
use crate::metrics;

/// Counts a refusal by its code; that of an origin by the origin too, which the owner may have forgotten to allow.
pub(super) fn count(ctx: &Ctx<'_>, error: &ApiError) {
    // What is not there was not refused: programs that look for holes would fill the list.
    if matches!(error, ApiError::NotFound | ApiError::MethodNotAllowed { .. }) {
        return;
    }
    count_kind(error);
    let refusals = ctx.app.store.refusals();
    let day = ctx.now.day();
    // An agent that a request names need not be one.
    let named = |agent: &str| ctx.snapshot.config.agent(agent).map(|agent| agent.id());
    let (agent, origin) = match error {
        ApiError::OriginNotAllowed { origin, agent } => (named(agent), Some(origin.as_str())),
        ApiError::OriginMissing { agent } => (named(agent), Some("")),
        ApiError::PreflightNotAllowed { origin } => (None, Some(origin.as_str())),
        _ => (ctx.agent.get(), None),
    };
    refusals.count(agent, day, error.problem().code);
    if let Some(origin) = origin {
        refusals.count_origin(agent, day, origin);
    }
}

/// For the metrics: those that nobody else counts where they are made.
fn count_kind(error: &ApiError) {
    let requests = metrics::requests();
    match error {
        ApiError::OriginNotAllowed { .. } => requests.refused_origin("not_allowed"),
        ApiError::OriginMissing { .. } => requests.refused_origin("missing"),
        ApiError::PreflightNotAllowed { .. } => requests.refused_origin("preflight"),
        ApiError::ConversationBudgetExhausted { .. } => requests.refused_by_budget("conversation"),
        ApiError::EventAllowanceExhausted { .. } => requests.refused_by_budget("event_allowance"),
        ApiError::AgentPaused { .. } => requests.refused_paused(),
        _ => {}
    }
}
