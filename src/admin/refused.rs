//! What was refused, why, and what would let it in.

use super::{Ctx, show};
use crate::domain::origin::Origin;
use crate::domain::origin::Received;
use crate::store::{Overview, RefusedOrigin};

pub(super) struct Refused {
    pub(super) reasons: Vec<Reason>,
    pub(super) origins: Vec<OriginRow>,
    /// The file to change.
    pub(super) file: String,
}

pub(super) struct Reason {
    pub(super) code: String,
    pub(super) words: &'static str,
    pub(super) count: String,
}

pub(super) struct OriginRow {
    pub(super) origin: String,
    pub(super) agent: String,
    pub(super) count: String,
    pub(super) advice: Advice,
}

pub(super) enum Advice {
    /// The setting as it should be.
    Write(String),
    /// It is by now.
    Allowed,
    /// Nothing can be written for it.
    None(&'static str),
}

pub(super) fn of(ctx: &Ctx<'_>, overview: &Overview) -> Refused {
    let reasons = overview.refused.iter().map(|refusal| Reason {
        words: words(&refusal.code),
        code: refusal.code.clone(),
        count: show::number(refusal.count),
    });
    let origins = overview.refused_origins.iter().map(|refused| OriginRow {
        origin: refused.origin.clone(),
        agent: refused.agent_id.clone(),
        count: show::number(refused.count),
        advice: advice(ctx, refused),
    });
    Refused { reasons: reasons.collect(), origins: origins.collect(), file: ctx.config.source.display().to_string() }
}

fn advice(ctx: &Ctx<'_>, refused: &RefusedOrigin) -> Advice {
    if refused.origin == crate::store::OTHER_ORIGINS {
        return Advice::None("others, of days with very many");
    }
    if refused.origin.is_empty() {
        return Advice::None("no browser, or one that hides its page");
    }
    if refused.agent_id.is_empty() {
        return Advice::None("asked for no agent that there is");
    }
    let Some(agent) = ctx.config.agent(&refused.agent_id) else {
        return Advice::None("the agent is no longer configured");
    };
    let Ok(origin) = Origin::parse(&refused.origin) else {
        return Advice::None("no page of a website: it cannot be allowed by name");
    };
    let allowed = &agent.allowed_origins;
    if allowed.allow(&Received::Origin(origin.clone()), &[]) {
        return Advice::Allowed;
    }
    Advice::Write(allowed.line_with(&origin))
}

/// What an error's code means to the owner.
fn words(code: &str) -> &'static str {
    match code {
        "origin_not_allowed" => "A page that is not in allowed_origins",
        "origin_missing" => "No browser, or one that hides its page",
        "rate_limited" => "Too many requests of one address or visitor",
        "conversation_budget_exhausted" => "A conversation had used up its budget",
        "agent_budget_exhausted" => "An agent had reached a ceiling",
        "agent_paused" => "An agent was paused",
        "overloaded" => "As many answers as may were being generated",
        "model_unavailable" => "No model could answer",
        "model_timeout" => "A model took too long",
        "missing_token" | "invalid_token" | "expired_token" => "No good token",
        "agent_not_found" => "An agent that is not configured",
        "validation_failed" => "Fields that were not valid",
        "generation_in_progress" => "A second message while the first was being answered",
        "idempotency_mismatch" => "A message's id was used for another message",
        "body_too_large" => "A request that was too large",
        "shutting_down" => "The server was stopping",
        "internal" => "A fault of the server: see the log",
        _ => "",
    }
}
