//! `widgetd origin AGENT URL`: a misconfigured `allowed_origins` is the commonest reason why a widget does not show.

use std::process::ExitCode;

use super::{Options, USAGE, agent, fail, load_without_secrets, say};
use crate::doctor;
use crate::domain::origin::Origin;
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
    let own = server::own_origins(&config, config.http.listen);
    let Some(finding) = doctor::judge_origin(agent, &origin, &own, &config) else {
        say(format_args!("allowed: pages on {origin} may use agent \"{agent_id}\"."));
        return Ok(ExitCode::SUCCESS);
    };
    say(format_args!("not allowed: {}", finding.found));
    say(format_args!("{}", finding.advice));
    finding.lines.iter().for_each(|line| say(format_args!("  {line}")));
    Ok(ExitCode::FAILURE)
}
