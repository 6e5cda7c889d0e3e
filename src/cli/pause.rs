//! `widgetd pause AGENT` and `widgetd resume AGENT`: the kill switch. A running server sees it at the next message.

use std::process::ExitCode;

use super::{Options, agent, fail, load_without_secrets, say, store};
use crate::clock;

#[derive(Clone, Copy)]
pub(super) enum Switch {
    Pause,
    Resume,
}

pub(super) fn run(options: &Options, agent_id: &str, switch: Switch) -> ExitCode {
    match turn(options, agent_id, switch) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn turn(options: &Options, agent_id: &str, switch: Switch) -> Result<(), ExitCode> {
    let config = load_without_secrets(options)?;
    let id = agent(&config, agent_id)?.id();
    let store = store(&config)?;
    let changed = match switch {
        Switch::Pause => store.pause_agent(id, clock::now()),
        Switch::Resume => store.resume_agent(id),
    };
    let changed = changed.wait().map_err(|error| fail(&error))?;
    store.close();
    let told = match (switch, changed) {
        (Switch::Pause, true) => format!("is paused: nobody gets an answer. `widgetd resume {id}` ends that."),
        (Switch::Pause, false) => "was paused already.".to_owned(),
        (Switch::Resume, true) => "answers again.".to_owned(),
        (Switch::Resume, false) => "was not paused.".to_owned(),
    };
    say(format_args!("agent \"{id}\" {told}"));
    Ok(())
}
