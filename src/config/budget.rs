//! `[budget]`, the budget of every agent that sets none of its own, and `[agent.budget]`.

use std::time::Duration;

use crate::config::section::Section;
use crate::config::{HOUR, ceilings};
use crate::domain::agent::Budget;
use crate::domain::money::{Ceiling, Ceilings};

pub(super) fn defaults() -> Budget {
    Budget {
        window: 24 * HOUR,
        messages: 60,
        tokens: 40_000,
        answer_tokens: 800,
        agent: Ceilings { day: Ceiling { tokens: Some(2_000_000), nanos: None }, month: Ceiling::default() },
        event_bytes_per_day: 256 << 20,
    }
}

/// What `section` sets, and `base` for the rest.
pub(super) fn read(section: &Section, base: &Budget) -> Budget {
    let budget = Budget {
        // Its rows are counted from storage with each message.
        window: section.get("window").duration(Duration::from_secs(1)..=30 * 24 * HOUR).unwrap_or(base.window),
        messages: section.get("messages").integer(1..=10_000).unwrap_or(base.messages),
        tokens: section.get("tokens").integer(1..=100_000_000).unwrap_or(base.tokens),
        // Above what any model writes in one answer.
        answer_tokens: section.get("answer_tokens").integer(1..=200_000).unwrap_or(base.answer_tokens),
        agent: ceilings::read(section, &ceilings::OF_AGENT, &base.agent),
        // 0 B: no events are stored.
        event_bytes_per_day: section.get("event_bytes_per_day").bytes(0..=1 << 40).unwrap_or(base.event_bytes_per_day),
    };
    // An answer is reserved in full before it is asked for, so these would refuse every message.
    for (key, tokens) in [
        ("tokens", Some(budget.tokens)),
        ("agent_tokens_per_day", budget.agent.day.tokens),
        ("agent_tokens_per_month", budget.agent.month.tokens),
    ] {
        let own = [section.get(key), section.get("answer_tokens")];
        if let Some(value) = own.iter().find(|value| value.is_present())
            && let Some(tokens) = tokens.filter(|tokens| *tokens < u64::from(budget.answer_tokens))
        {
            value.complain(&format!(
                "leaves no room for one answer: {key} = {tokens} and answer_tokens = {}; raise the first or lower \
                 the second",
                budget.answer_tokens
            ));
        }
    }
    budget
}
