//! `[[agent]]`: who answers, for which sites, from what, and for how much.

use std::sync::Arc;
use std::time::Duration;

use super::appearance;
use super::leak::looks_like_a_key;
use super::section::Section;
use crate::domain::agent::{Agent, Budget, FAQ_MAX, Faq};
use crate::domain::id::AgentId;
use crate::domain::origin::{AllowedOrigins, Origin};
use crate::model::{self, BUILTIN};

const AGENTS_MAX: usize = 1000;
const ORIGINS_MAX: usize = 1000;
/// Of a system prompt: some ten thousand tokens.
const PROMPT_CHARS_MAX: usize = 40_000;
const ANSWER_CHARS_MAX: usize = 8000;
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn agents(root: &Section<'_>, models: &[model::Settings]) -> Vec<Arc<Agent>> {
    let defaults = budget(&root.section("budget"), &DEFAULT_BUDGET);
    let sections = root.sections("agent", AGENTS_MAX);
    if sections.is_empty() {
        root.complain(
            "agent",
            "there is none: write [[agent]] with an id, a name and allowed_origins",
        );
    }
    let mut agents: Vec<Arc<Agent>> = Vec::new();
    for section in sections {
        if let Some(agent) = agent(&section, models, &defaults) {
            if agents.iter().any(|other| other.id() == agent.id()) {
                section.complain(
                    "id",
                    format!(
                        "{:?} is the id of another agent too: give each its own",
                        agent.id().as_str()
                    ),
                );
            }
            agents.push(Arc::new(agent));
        }
        section.finish();
    }
    agents
}

/// None if the id or the name is missing; that is noted. All other keys are read all the same.
fn agent(section: &Section<'_>, models: &[model::Settings], defaults: &Budget) -> Option<Agent> {
    let id = section.required("id", 64).and_then(|id| {
        id.parsed(|id| AgentId::parse(id).map_err(|error| format!("is no id: {error}")))
    });
    let name = section.required("name", 100);
    let allowed_origins = allowed_origins(section);
    let system_prompt = section.text("system_prompt", PROMPT_CHARS_MAX);
    if system_prompt
        .as_ref()
        .is_some_and(|prompt| looks_like_a_key(prompt.value))
    {
        section.complain(
            "system_prompt",
            "seems to hold an API key, and models repeat what they are told: take it out",
        );
    }
    let unknown_answer = section
        .text("unknown_answer", ANSWER_CHARS_MAX)
        .map(|text| text.value.to_owned());
    let faq = faq(section);
    let models = chain(section, models);
    let budget = budget(&section.section("budget"), defaults);
    let appearance = appearance::appearance(section, id, name.map(|name| name.value.to_owned()))?;
    let system_prompt = system_prompt.map_or_else(
        || default_prompt(&appearance.name),
        |text| text.value.to_owned(),
    );
    Some(Agent {
        appearance,
        allowed_origins,
        system_prompt,
        faq,
        unknown_answer,
        models,
        budget,
    })
}

fn default_prompt(name: &str) -> String {
    format!(
        "You are {name}, the assistant on this website. Answer briefly and in the visitor's language. Answer from the \
         reference data where it helps. If you do not know, say so and offer that the visitor leaves an email address."
    )
}

fn allowed_origins(section: &Section<'_>) -> AllowedOrigins {
    let texts = section.texts("allowed_origins", ORIGINS_MAX, 300);
    let mut allowed = AllowedOrigins::default();
    let is_alone = texts.len() == 1;
    for text in &texts {
        match text.value {
            "*" if is_alone => allowed.any = true,
            "*" => text.complain("allows every site, so the other entries say nothing: write [\"*\"] alone, or take it out"),
            "self" => allowed.own = true,
            origin => match Origin::parse(origin) {
                Ok(normal) if normal.as_str() == origin => allowed.exact.push(normal),
                Ok(normal) => text.complain(format!("is not in its normal form: write {:?}", normal.as_str())),
                Err(error) => match Origin::of_url(origin).or_else(|_| Origin::of_url(&format!("https://{origin}"))) {
                    Ok(meant) => text.complain(format!("{error}: write {:?}", meant.as_str())),
                    Err(_) => text.complain(error),
                },
            },
        }
    }
    allowed
}

fn faq(section: &Section<'_>) -> Vec<Faq> {
    let mut faq = Vec::new();
    for entry in section.sections("faq", FAQ_MAX) {
        let question = entry.required("question", 500);
        let answer = entry.required("answer", ANSWER_CHARS_MAX);
        if answer
            .as_ref()
            .is_some_and(|answer| looks_like_a_key(answer.value))
        {
            entry.complain(
                "answer",
                "seems to hold an API key, and visitors read it: take it out",
            );
        }
        let url = entry
            .text("url", 2000)
            .and_then(|url| url.parsed(appearance::web_address));
        if let (Some(question), Some(answer)) = (question, answer) {
            faq.push(Faq {
                question: question.value.to_owned(),
                answer: answer.value.to_owned(),
                url,
            });
        }
        entry.finish();
    }
    faq
}

/// The models that the agent asks: those that it names, else all, and the embedded one when they fail.
fn chain(section: &Section<'_>, models: &[model::Settings]) -> Vec<String> {
    let known = || {
        models
            .iter()
            .map(|model| model.name.as_str())
            .chain([BUILTIN])
    };
    if !section.has("models") {
        return known().map(str::to_owned).collect();
    }
    let texts = section.texts("models", 20, 64);
    if texts.is_empty() {
        section.complain(
            "models",
            format!(
                "is empty: name at least one of {}",
                known().collect::<Vec<_>>().join(", ")
            ),
        );
    }
    let mut chain: Vec<String> = Vec::new();
    for text in texts {
        if !known().any(|name| name == text.value) {
            text.complain(format!(
                "is no model: write one of {}",
                known().collect::<Vec<_>>().join(", ")
            ));
        } else if chain.iter().any(|name| name == text.value) {
            text.complain("stands here twice: write it once");
        } else {
            chain.push(text.value.to_owned());
        }
    }
    chain
}

const DEFAULT_BUDGET: Budget = Budget {
    window: Duration::from_secs(24 * 3600),
    messages: 60,
    tokens: 40_000,
    answer_tokens: 800,
    agent_tokens_per_day: 2_000_000,
    event_bytes_per_day: 256 << 20,
};

fn budget(section: &Section<'_>, defaults: &Budget) -> Budget {
    let count = |name, default: u32, range| {
        u32::try_from(section.number_or(name, default.into(), range)).unwrap_or(default)
    };
    let budget = Budget {
        window: section.duration_or(
            "window",
            defaults.window,
            Duration::from_secs(1)..=HOUR * 24 * 31,
        ),
        messages: count("messages", defaults.messages, 1..=10_000),
        tokens: section.number_or("tokens", defaults.tokens, 1..=1_000_000_000),
        answer_tokens: count("answer_tokens", defaults.answer_tokens, 1..=100_000),
        agent_tokens_per_day: section.number_or(
            "agent_tokens_per_day",
            defaults.agent_tokens_per_day,
            1..=1_000_000_000_000,
        ),
        event_bytes_per_day: section.size_or("event_bytes_per_day", defaults.event_bytes_per_day),
    };
    for (name, tokens) in [
        ("tokens", budget.tokens),
        ("agent_tokens_per_day", budget.agent_tokens_per_day),
    ] {
        if tokens < u64::from(budget.answer_tokens) {
            section.complain(
                name,
                format!(
                    "{tokens} is less than one answer may take: write at least answer_tokens, {}",
                    budget.answer_tokens
                ),
            );
        }
    }
    section.finish();
    budget
}
