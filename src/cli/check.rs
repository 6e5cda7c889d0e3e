//! `widgetd check`: is `widget.toml` right, and what comes of it.

use std::process::ExitCode;

use super::{Options, load, say};
use crate::config::Config;
use crate::domain::agent::Agent;
use crate::widget;

pub(super) fn run(options: &Options) -> ExitCode {
    let config = match load(options) {
        Ok(config) => config,
        Err(code) => return code,
    };
    say(format_args!("{} is valid.", config.source.display()));
    for agent in &config.agents {
        say(format_args!(""));
        describe(agent, &config);
    }
    if !config.warnings.is_empty() {
        say(format_args!(""));
    }
    config.warnings.iter().for_each(|warning| say(format_args!("warning: {warning}")));
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
        "  budget           {} messages and {} tokens a conversation, {} tokens a day in all",
        budget.messages, budget.tokens, budget.agent_tokens_per_day,
    ));
    let server =
        config.public_url.as_ref().map_or_else(|| format!("http://{}", config.http.listen), ToString::to_string);
    say(format_args!("  for your page    {}", widget::tag(&server, looks.id.as_str())));
    say(format_args!("  or, pinned       {}", widget::pinned_tag(&server, looks.id.as_str())));
    say(format_args!("  try it           {}", call(agent, &server)));
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
