//! `widgetd token AGENT`: a token for curl, of a new visitor in a new conversation.

use std::process::ExitCode;

use super::{Options, agent, complain, fail, jwt_secret, load_without_secrets, say};
use crate::clock;
use crate::config;
use crate::domain::id::{ConversationId, VisitorId};
use crate::token::Tokens;

pub(super) fn run(options: &Options, agent_id: &str) -> ExitCode {
    match print(options, agent_id) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn print(options: &Options, agent_id: &str) -> Result<(), ExitCode> {
    let config = load_without_secrets(options)?;
    let agent = agent(&config, agent_id)?;
    let folder = &config.storage.folder;
    // A key that is made here would sign tokens that no server takes.
    if jwt_secret().is_none() && !folder.join("secret").exists() {
        let place = folder.display();
        return Err(fail(&format!(
            "there is no key in {place}: name the server's folder with --data, or start it once"
        )));
    }
    let keys = config::token_keys(jwt_secret().as_deref(), &config.storage.folder).map_err(|error| fail(&error))?;
    let tokens = Tokens::new(&keys).map_err(|error| fail(&error))?;
    let now = clock::now();
    let signed = tokens.sign(agent.id(), VisitorId::new(), ConversationId::new(now), now);
    say(format_args!("{}", signed.token));
    complain(format_args!(
        "Good until {}. Use it as: curl --header \"Authorization: Bearer TOKEN\"",
        signed.expires_at
    ));
    Ok(())
}
