//! `widget.toml` and what overrides it, checked: a [`Config`] is valid and never changes, a reload makes another.
//!
//! Every mistake of the file is reported at once, with key, line, what was found and what to write instead. A default
//! stands in one place: where its key is read. `server`, `models`, `agents`, `budget`, `ceilings`, `theme`, `lead_form`,
//! `rules`, `cards`, `strings` and `webhooks` read one part of the file each; `exposure` judges what `server` has read;
//! `section` and `value` are the cursor that they read with. `faq_edit` and `written` go the other way: into the file. Knows
//! the settings of other rooms and none of their work; made by `cli` and `server`, read by `api`.

mod agents;
mod budget;
mod cards;
mod ceilings;
mod complaint;
mod credential;
mod exposure;
mod faq_edit;
mod lead_form;
mod leak;
mod models;
mod notes;
mod retention;
mod rules;
mod secret;
mod section;
mod server;
mod strings;
mod syntax;
#[cfg(test)]
mod tests;
mod theme;
mod units;
mod urls;
mod value;
mod webhooks;
mod written;

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::de::DeTable;

use crate::config::notes::Notes;
use crate::config::section::Section;
use crate::domain::agent::{Agent, Faq};
use crate::domain::money::{Ceilings, Currency, Price};
use crate::domain::origin::Origin;
use crate::domain::secret::Secret;
use crate::limiter::Rate;
use crate::{http, log, model, store, webhook};

pub(crate) use crate::config::complaint::{Complaint, Complaints, nearest};
pub(crate) use crate::config::credential::is_variable_name;
pub(crate) use crate::config::faq_edit::{Edited, Fate, edit_faq, same_question};
pub(crate) use crate::config::leak::kind_of_key;
pub(crate) use crate::config::secret::{SecretError, token_keys};
pub(crate) use crate::config::written::{toml_lines, toml_string};

/// A file beyond this is not a configuration: a thousand FAQ entries at their longest have 4 MB.
const FILE_BYTES_MAX: u64 = 16 << 20;
const HOUR: Duration = Duration::from_hours(1);

/// All that the owner has set, with defaults where they have not.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    /// The file, as it was named.
    pub(crate) source: PathBuf,
    pub(crate) http: http::Settings,
    /// Where the admin page and the metrics are served, and nothing else; none: the page is where everything is, and the
    /// metrics are nowhere.
    pub(crate) admin_listen: Option<SocketAddr>,
    /// What those must send who read the metrics from elsewhere.
    pub(crate) metrics_token: Option<Secret>,
    /// The server's own origin as visitors reach it.
    pub(crate) public_url: Option<Origin>,
    /// How long running answers may go on after SIGTERM, 0–10 min.
    pub(crate) shutdown_grace: Duration,
    pub(crate) log: log::Settings,
    pub(crate) storage: store::Settings,
    pub(crate) limits: Limits,
    /// How long after its last activity a conversation goes on, 1 s–90 days.
    pub(crate) resume_window: Duration,
    pub(crate) retention: store::Retention,
    /// In the file's order, without the builtin one.
    pub(crate) models: Vec<model::Settings>,
    /// Of the models that have one, by name.
    pub(crate) prices: Vec<(String, Price)>,
    /// Of all prices and costs.
    pub(crate) currency: Currency,
    /// What all agents together may use.
    pub(crate) all_agents: Ceilings,
    /// In the file's order; at least one; no two with one id.
    pub(crate) agents: Vec<Arc<Agent>>,
    /// In the file's order; no two with one name.
    pub(crate) webhooks: Vec<webhook::Settings>,
    /// What is allowed and probably not wanted: one line each, to be shown at start.
    pub(crate) warnings: Vec<String>,
}

impl Config {
    pub(crate) fn agent(&self, id: &str) -> Option<&Arc<Agent>> {
        self.agents.iter().find(|agent| agent.id().as_str() == id)
    }
}

/// The limits of section 11 of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) init_per_address: Rate,
    pub(crate) config_per_address: Rate,
    pub(crate) messages_per_address: Rate,
    pub(crate) leads_per_token: Rate,
    pub(crate) leads_per_address: Rate,
    pub(crate) leads_per_agent: Rate,
    pub(crate) events_per_token: Rate,
}

/// Flags and variables, as `cli` has read them. They win over the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    pub(crate) listen: Option<SocketAddr>,
    /// The folder of the database and the secret; relative to the working folder, not to the file's.
    pub(crate) data: Option<PathBuf>,
    /// A level, a format, or both with a comma between; not checked yet.
    pub(crate) log: Option<String>,
    /// For a command that asks no model and posts nothing: no variable and no file of a secret is read, and something else
    /// stands in its place. So the shell of an operator need not have the server's keys.
    pub(crate) without_secrets: bool,
}

/// Reads and checks the file at `path`. `env` gives variables of the process: models' keys come from there.
pub(crate) fn load(
    path: &Path,
    overrides: &Overrides,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Complaints> {
    parse(path, &read_text(path)?, overrides, env)
}

/// The file's text, not judged yet.
pub(crate) fn read_text(path: &Path) -> Result<String, Complaints> {
    read(path).map_err(|text| Complaints::unreadable(path.to_owned(), text))
}

/// Judges a text that is to become the file at `path`. No variable and no file of a secret is read.
pub(crate) fn judge(path: &Path, text: &str) -> Result<Config, Complaints> {
    let overrides = Overrides { without_secrets: true, ..Overrides::default() };
    parse(path, text, &overrides, &|_| None)
}

/// An entry of an FAQ as the configuration takes it, or what is wrong with it, which begins with the key.
pub(crate) fn judge_faq(question: &str, answer: &str, url: Option<&str>) -> Result<Faq, Vec<String>> {
    agents::judge_faq(question, answer, url)
}

/// The complaint of somebody who has named no file, where there is none of those that are looked for.
pub(crate) fn nowhere(looked_for: &[&Path]) -> Complaints {
    let [first, others @ ..] = looked_for else {
        return Complaints::unreadable(PathBuf::new(), "no file was looked for".to_owned());
    };
    let others: String = others.iter().map(|path| format!(", and no {}", path.display())).collect();
    let advice = "write one with `widgetd init`, or name yours with --config or WIDGETD_CONFIG";
    Complaints::unreadable((*first).to_owned(), format!("there is no such file here{others}; {advice}"))
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = read_bounded(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            "there is no such file; name yours with --config or WIDGETD_CONFIG, or write one with `widgetd init`"
                .to_owned()
        }
        ErrorKind::IsADirectory => "is a folder; name the file in it, such as --config widget.toml".to_owned(),
        ErrorKind::FileTooLarge => {
            let most = units::show_bytes(FILE_BYTES_MAX);
            format!("is larger than {most}: that is no configuration")
        }
        _ => format!("cannot be read: {error}"),
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
        format!("line {line} is not UTF-8; save the file in that encoding")
    })
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    // One more than is allowed, to know that there is more.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

fn parse(
    path: &Path,
    text: &str,
    overrides: &Overrides,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Complaints> {
    let (tree, syntax) = DeTable::parse_recoverable(text);
    let notes = Notes::new(text, &syntax);
    let surroundings = Surroundings { folder: path.parent().unwrap_or(Path::new("")), overrides, env, notes: &notes };
    let mut config = read_all(&Section::root(tree.get_ref(), &notes), path, &surroundings);
    config.warnings = notes.conclude(path.to_owned())?;
    Ok(config)
}

/// What a part of the reader may need beside its section.
struct Surroundings<'a> {
    /// Of the file: paths in it are relative to this.
    folder: &'a Path,
    overrides: &'a Overrides,
    env: &'a dyn Fn(&str) -> Option<String>,
    notes: &'a Notes,
}

/// Reads every section. What is wrong is noted, and its default stands in for it, so that reading goes on.
fn read_all(file: &Section, path: &Path, surroundings: &Surroundings) -> Config {
    let server = server::read(&file.table("server"), surroundings);
    let admin = server::read_admin(&file.table("admin"), server.http.listen, surroundings);
    let log = server::read_log(&file.table("log"), surroundings);
    let storage = server::read_storage(&file.table("storage"), surroundings);
    let limits = server::read_limits(&file.table("limits"));
    let resume_window = file
        .table("conversation")
        .get("resume_window")
        .duration(Duration::from_secs(1)..=90 * 24 * HOUR)
        .unwrap_or(24 * HOUR);
    let models = models::read(file, surroundings);
    let agents = agents::read(file, &models, surroundings);
    let windows = agents.iter().map(|agent| agent.budget.window).chain([resume_window]);
    let retention = retention::read(&file.table("retention"), windows.max().unwrap_or_default());
    let ceiling = file.table("ceiling");
    let currency = ceilings::read_currency(&ceiling);
    let all_agents = ceilings::read(&ceiling, &ceilings::OF_ALL, &Ceilings::default());
    ceilings::check(&ceiling, &all_agents, &agents, &models, surroundings.notes);
    let webhooks = webhooks::read(file, surroundings);
    Config {
        source: path.to_owned(),
        http: server.http,
        admin_listen: admin.listen,
        metrics_token: admin.metrics_token,
        public_url: server.public_url,
        shutdown_grace: server.shutdown_grace,
        log,
        storage,
        limits,
        resume_window,
        retention,
        models: models.settings,
        prices: models.prices,
        currency,
        all_agents,
        agents,
        webhooks,
        warnings: Vec::new(),
    }
}
