//! `widget.toml`, checked: from here on every value is right, and nothing changes it.
//!
//! All mistakes are found in one reading, each with its line, what was found and what to write instead. A [`Config`] is
//! made whole or not at all. The settings of a room are that room's own type: a room knows nothing of this one.

mod agents;
mod appearance;
mod complaint;
mod leak;
mod models;
mod secret;
mod section;
mod server;
mod units;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use complaint::{Complaint, Complaints};
pub(crate) use secret::{SecretError, token_keys};

use complaint::Notes;
use section::Section;
use toml::de::DeTable;

use crate::domain::agent::Agent;
use crate::domain::origin::Origin;
use crate::limiter::Rate;
use crate::{http, log, model, store};

/// What `widget.toml` says.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file that was read.
    pub(crate) source: PathBuf,
    pub(crate) http: http::Settings,
    /// Under which the server is reached from outside.
    pub(crate) public_url: Option<Origin>,
    /// How long running answers may go on once the server is to stop.
    pub(crate) shutdown_grace: Duration,
    pub(crate) log: log::Settings,
    pub(crate) storage: store::Settings,
    pub(crate) limits: Limits,
    /// How long after its last activity a conversation is resumed.
    pub(crate) resume_window: Duration,
    pub(crate) models: Vec<model::Settings>,
    pub(crate) agents: Vec<Arc<Agent>>,
    /// What is allowed and probably not meant.
    pub(crate) warnings: Vec<String>,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) init_per_address: Rate,
    pub(crate) messages_per_address: Rate,
    pub(crate) leads_per_token: Rate,
    pub(crate) leads_per_address: Rate,
    pub(crate) events_per_token: Rate,
}

/// Flags and variables that win over the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) data: Option<PathBuf>,
    /// Level and format, separated by a comma.
    pub(crate) log: Option<String>,
}

/// Looks an environment variable up.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Config {
    pub(crate) fn agent(&self, id: &str) -> Option<&Arc<Agent>> {
        self.agents.iter().find(|agent| agent.id().as_str() == id)
    }
}

/// Reads and checks the file.
pub(crate) fn load(path: &Path, overrides: &Overrides, env: Env<'_>) -> Result<Config, Complaints> {
    let text = std::fs::read_to_string(path).map_err(|error| Complaints {
        source: path.to_owned(),
        list: vec![Complaint {
            line: 0,
            key: String::new(),
            message: format!("cannot be read: {error}. Name another file with --config, or start in the folder of widget.toml"),
        }],
    })?;
    parse(&text, path, overrides, env)
}

fn parse(
    text: &str,
    path: &Path,
    overrides: &Overrides,
    env: Env<'_>,
) -> Result<Config, Complaints> {
    let notes = Notes::new(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        notes.add(
            &error.span().unwrap_or(0..0),
            "",
            format!("is not TOML: {}", error.message()),
        );
    }
    // What follows from a slip of the pen would only be noise.
    if !notes.is_empty() {
        return Err(notes.into_complaints(path.to_owned()));
    }
    let root = Section::root(&table, &notes);
    let home = path.parent().unwrap_or(Path::new(""));
    let server = server::server(&root, overrides);
    let models = models::models(&root, env, home);
    let mut config = Config {
        source: path.to_owned(),
        http: server.http,
        public_url: server.public_url,
        shutdown_grace: server.shutdown_grace,
        log: server::log(&root, overrides),
        storage: server::storage(&root, overrides, home),
        limits: server::limits(&root),
        resume_window: server::resume_window(&root),
        agents: agents::agents(&root, &models),
        models,
        warnings: Vec::new(),
    };
    root.finish();
    if !notes.is_empty() {
        return Err(notes.into_complaints(path.to_owned()));
    }
    config.warnings = warnings(&config);
    Ok(config)
}

fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    for agent in &config.agents {
        let (id, allowed) = (agent.id(), &agent.allowed_origins);
        if allowed.any {
            warnings.push(format!(
                "agent \"{id}\" has allowed_origins = [\"*\"]: every site may use it at your cost"
            ));
        } else if !allowed.own && allowed.exact.is_empty() {
            warnings.push(format!(
                "agent \"{id}\" has no allowed_origins: every request to it is refused"
            ));
        }
    }
    let listen = config.http.listen;
    if !listen.ip().is_loopback() && config.http.trusted_proxies.is_empty() {
        warnings.push(format!(
            "listening on {listen}, beyond this machine, without server.trusted_proxies: behind a proxy all visitors \
             would count as one address, and without one nothing is encrypted"
        ));
    }
    for model in &config.models {
        let is_plain = model.url.starts_with("http://");
        let is_near = ["http://127.", "http://localhost", "http://[::1]"]
            .iter()
            .any(|near| model.url.starts_with(near));
        if is_plain && !is_near && model.key.is_some() {
            warnings.push(format!(
                "model \"{}\": its key goes to {} unencrypted",
                model.name, model.url
            ));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
