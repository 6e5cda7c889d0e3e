//! `widgetd origin AGENT URL`: a misconfigured `allowed_origins` is the commonest reason why a widget does not show.

use std::process::ExitCode;

use super::{Options, USAGE, agent, fail, load_without_secrets, say};
use crate::config::Config;
use crate::domain::agent::Agent;
use crate::domain::origin::{Origin, Received};
use crate::server;

pub(super) fn run(options: &Options, agent_id: &str, url: &str) -> ExitCode {
    match answer(options, agent_id, url) {
        Ok(code) | Err(code) => code,
    }
}

fn answer(options: &Options, agent_id: &str, url: &str) -> Result<ExitCode, ExitCode> {
    let config = load_without_secrets(options)?;
    let agent = agent(&config, agent_id)?;
    let origin = Origin::of_url(url).map_err(|error| {
        fail(&format!("\"{url}\" {error}"));
        ExitCode::from(USAGE)
    })?;
    if is_allowed(agent, &origin, &config) {
        say(format_args!("allowed: pages on {origin} may use agent \"{agent_id}\"."));
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!("not allowed: pages on {origin} may not use agent \"{agent_id}\"."));
    say(format_args!(
        "Add \"{origin}\" to allowed_origins of [[agent]] \"{agent_id}\" in {}, then reload:",
        config.source.display()
    ));
    say(format_args!("  {}", agent.allowed_origins.line_with(&origin)));
    Ok(ExitCode::FAILURE)
}

fn is_allowed(agent: &Agent, origin: &Origin, config: &Config) -> bool {
    let own = server::own_origins(config, config.http.listen);
    agent.allowed_origins.allow(&Received::Origin(origin.clone()), &own)
}
