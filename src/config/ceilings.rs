//! The ceilings of the bill: those of all agents together in `[ceiling]`, and an agent's own in its budget.

use std::sync::Arc;

use crate::config::models::Models;
use crate::config::notes::Notes;
use crate::config::section::Section;
use crate::domain::agent::Agent;
use crate::domain::money::{self, Ceiling, Ceilings, Charge, Currency};

/// Of a day or a month: more than any bill.
const TOKENS_MAX: u64 = 1_000_000_000_000;
const COST_MAX: u64 = 1_000_000_000;

/// What the ceilings are called in a table.
pub(super) struct Keys {
    day: [&'static str; 2],
    month: [&'static str; 2],
}

/// In `[ceiling]`.
pub(super) const OF_ALL: Keys =
    Keys { day: ["tokens_per_day", "cost_per_day"], month: ["tokens_per_month", "cost_per_month"] };
/// In a budget.
pub(super) const OF_AGENT: Keys = Keys {
    day: ["agent_tokens_per_day", "agent_cost_per_day"],
    month: ["agent_tokens_per_month", "agent_cost_per_month"],
};

/// What `section` sets, and `base` for the rest.
pub(super) fn read(section: &Section, keys: &Keys, base: &Ceilings) -> Ceilings {
    let ceiling = |[tokens, cost]: [&'static str; 2], base: Ceiling| Ceiling {
        tokens: section.get(tokens).integer(1..=TOKENS_MAX).or(base.tokens),
        nanos: section.get(cost).money(COST_MAX).or(base.nanos),
    };
    Ceilings { day: ceiling(keys.day, base.day), month: ceiling(keys.month, base.month) }
}

pub(super) fn read_currency(section: &Section) -> Currency {
    let parse = |text: &str| {
        Currency::parse(text).ok_or_else(|| match Currency::parse(&text.trim().to_ascii_uppercase()) {
            Some(meant) => format!("is not a currency; write \"{meant}\""),
            None => "is not a currency; write its three letters, such as \"USD\" or \"EUR\"".to_owned(),
        })
    };
    section.get("currency").parse(parse).unwrap_or_default()
}

/// An answer is reserved in full before it is asked for: ceilings below `answer` would refuse every message.
pub(super) fn check_room(section: &Section, keys: &Keys, ceilings: &Ceilings, answer: Charge, notes: &Notes) {
    for ([tokens, cost], most) in [(keys.day, ceilings.day), (keys.month, ceilings.month)] {
        if let Some(most) = most.tokens.filter(|most| *most < answer.tokens) {
            let needed = answer.tokens;
            let text =
                format!("{most} leaves no room for one answer of {needed} tokens; raise it or lower answer_tokens");
            notes.complain(section.get(tokens).place(), text);
        }
        if let Some(most) = most.nanos.filter(|most| *most < answer.nanos) {
            let [most, needed] = [most, answer.nanos].map(money::decimal);
            let text = format!(
                "{most} leaves no room for one answer, which may cost {needed}; raise it or lower answer_tokens"
            );
            notes.complain(section.get(cost).place(), text);
        }
    }
}

/// What can only be said of the ceilings of all once agents and models are known.
pub(super) fn check(section: &Section, all: &Ceilings, agents: &[Arc<Agent>], models: &Models, notes: &Notes) {
    let answers = agents.iter().map(|agent| models.dearest_answer(&agent.models, agent.budget.answer_tokens));
    let largest = answers.fold(Charge::default(), |largest, answer| Charge {
        tokens: largest.tokens.max(answer.tokens),
        nanos: largest.nanos.max(answer.nanos),
    });
    check_room(section, &OF_ALL, all, largest, notes);
    for (name, place) in &models.unpriced {
        let asks = |agent: &&Arc<Agent>| agent.models.contains(name);
        let limited = agents.iter().filter(asks).find(|agent| agent.budget.agent.are_in_money() || all.are_in_money());
        if let Some(agent) = limited {
            let text = format!(
                "is missing, and there is a ceiling of cost for agent \"{}\", which asks this model; write what a \
                 million tokens cost: input_price = 0.15 and output_price = 0.60, or 0 if they are free",
                agent.id()
            );
            notes.complain_of_absence(place, text);
        }
    }
}
