//! `widgetd check`: is `widget.toml` right, and what comes of it.

use std::process::ExitCode;

use super::{Options, load, say};
use crate::config::Config;
use crate::doctor::{self, Finding, Severity};
use crate::domain::agent::Agent;
use crate::domain::money::{self, Ceilings, Currency};
use crate::store::Store;
use crate::widget;

pub(super) fn run(options: &Options) -> ExitCode {
    let config = match load(options) {
        Ok(config) => config,
        Err(code) => return code,
    };
    say(format_args!("{} is valid.", config.source.display()));
    if config.all_agents != Ceilings::default() {
        say(format_args!("all agents together use at most {}.", ceilings(&config.all_agents, config.currency)));
    }
    let paused = Store::paused_agents_in(&config.storage.folder);
    for agent in &config.agents {
        say(format_args!(""));
        describe(agent, &config);
        for paused in paused.iter().flatten().filter(|paused| paused.id == *agent.id()) {
            say(format_args!(
                "  paused           since {}; `widgetd resume {}` lets it answer again",
                paused.since, paused.id
            ));
        }
    }
    if let Err(error) = paused {
        say(format_args!(""));
        say(format_args!("warning: the database cannot tell which agents are paused: {error}"));
    }
    if !config.warnings.is_empty() {
        say(format_args!(""));
    }
    config.warnings.iter().for_each(|warning| say(format_args!("warning: {warning}")));
    for finding in doctor::judge_settings(&config) {
        say(format_args!(""));
        // The file is valid all the same.
        let severity = finding.severity.max(Severity::Warning);
        super::doctor::finding(&Finding { severity, ..finding });
    }
    ExitCode::SUCCESS
}

fn describe(agent: &Agent, config: &Config) {
    let looks = &agent.appearance;
    say(format_args!("agent \"{}\": {} ({})", looks.id, looks.name, looks.language));
    say(format_args!("  allowed origins  {}", origins(agent)));
    say(format_args!("  models           {}", agent.models.join(", then ")));
    say(format_args!(
        "  serves           {} starter prompts, {} FAQ entries, {} rules, lead form {}",
        looks.starter_prompts.len(),
        agent.faq.len(),
        looks.rules.len(),
        if looks.lead_form.enabled { "on" } else { "off" },
    ));
    let budget = &agent.budget;
    say(format_args!(
        "  budget           {} messages and {} tokens a conversation, {} in all",
        budget.messages,
        budget.tokens,
        ceilings(&budget.agent, config.currency),
    ));
    for (name, price) in config.prices.iter().filter(|(name, _)| agent.models.contains(name)) {
        let [input, output] = [price.input_nanos, price.output_nanos]
            .map(|nanos| money::show(nanos.saturating_mul(money::PRICED_TOKENS), config.currency));
        say(format_args!("  price            {name}: {input} in and {output} out for a million tokens"));
    }
    let server =
        config.public_url.as_ref().map_or_else(|| format!("http://{}", config.http.listen), ToString::to_string);
    say(format_args!("  for your page    {}", widget::tag(&server, looks.id.as_str())));
    say(format_args!("  or, pinned       {}", widget::pinned_tag(&server, looks.id.as_str())));
    say(format_args!("  try it           {}", call(agent, &server)));
}

/// What may be used in a day and a month.
fn ceilings(ceilings: &Ceilings, currency: Currency) -> String {
    let Ceilings { day, month } = ceilings;
    let tokens = |most: Option<u64>| most.map(|tokens| format!("{tokens} tokens"));
    let cost = |most: Option<u64>| most.map(|nanos| money::show(nanos, currency));
    let day = [tokens(day.tokens), cost(day.nanos)].map(|most| most.map(|most| format!("{most} a day")));
    let month = [tokens(month.tokens), cost(month.nanos)].map(|most| most.map(|most| format!("{most} a month")));
    day.into_iter().chain(month).flatten().collect::<Vec<_>>().join(", ")
}

fn origins(agent: &Agent) -> String {
    let allowed = &agent.allowed_origins;
    let mut names: Vec<&str> = allowed.exact.iter().map(|origin| origin.as_str()).collect();
    if allowed.own {
        names.insert(0, "self (this server's own pages)");
    }
    match (allowed.any, names.is_empty()) {
        (true, _) => "* (every site)".into(),
        (false, true) => "none: every request is refused".into(),
        (false, false) => names.join(", "),
    }
}

/// A call that works once the server runs.
fn call(agent: &Agent, server: &str) -> String {
    let origin = agent.allowed_origins.exact.first().map_or(server, |origin| origin.as_str());
    format!("curl --header 'Origin: {origin}' --json '{{\"agent_id\":\"{}\"}}' {server}/v1/widget/init", agent.id())
}
