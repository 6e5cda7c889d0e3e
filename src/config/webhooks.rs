//! The `[[webhook]]` tables: the owner's own servers that are told of leads and of questions without an answer.

use toml::de::DeValue;

use crate::config::complaint::nearest;
use crate::config::section::Section;
use crate::config::value::Value;
use crate::config::{Surroundings, credential, urls};
use crate::domain::id::AgentId;
use crate::domain::secret::Secret;
use crate::domain::webhook::Occasion;
use crate::webhook::{Format, Settings, UrlError, parse_url};

/// One thread tells them all, each in its turn.
const WEBHOOKS_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 64;
const AGENTS_MAX: usize = 100;
/// The size of the signature, below which the secret is its weakest part.
const SECRET_CHARS_MIN: usize = 32;

pub(super) fn read(file: &Section, surroundings: &Surroundings) -> Vec<Settings> {
    let agents = agent_ids(file);
    let mut names = Vec::new();
    let mut webhooks = Vec::new();
    for table in file.tables("webhook", WEBHOOKS_MAX) {
        let value = table.get("name").required("name = \"crm\"");
        let name = value.line(NAME_CHARS_MAX);
        if let Some(name) = &name {
            if names.contains(name) {
                value.complain("is the name of another webhook; write one of its own");
            }
            names.push(name.clone());
        }
        webhooks.extend(read_one(&table, name, &agents, surroundings));
    }
    webhooks
}

/// Of all `[[agent]]` tables, also of those with mistakes: webhooks may name them all the same.
fn agent_ids(file: &Section) -> Vec<AgentId> {
    let id = |item: Value| {
        let DeValue::Table(table) = item.found()? else { return None };
        AgentId::parse(table.get("id")?.get_ref().as_str()?).ok()
    };
    file.get("agent").items().into_iter().filter_map(id).collect()
}

/// None when something required is wrong.
fn read_one(
    table: &Section,
    name: Option<String>,
    agents: &[AgentId],
    surroundings: &Surroundings,
) -> Option<Settings> {
    let allow_private = table.get("allow_private").boolean().unwrap_or(false);
    let url = read_url(&table.get("url").required("url = \"https://crm.example.com/widgetd\""), allow_private);
    let events = read_events(&table.get("events"));
    let agents = read_agents(&table.get("agents"), agents, surroundings);
    let format = table.get("format").choice(&[("json", Format::Json), ("slack", Format::Slack)]);
    let format = format.unwrap_or(Format::Json);
    let secret = read_secret(table, format, surroundings);
    Some(Settings { name: name?, url: url?, events, agents, secret, format, allow_private })
}

/// The whole URL may be a secret, as those of chat tools are: no complaint shows it.
fn read_url(value: &Value, allow_private: bool) -> Option<String> {
    value.clone().hidden().parse(|text| {
        if text.chars().count() > urls::URL_CHARS_MAX {
            return Err(format!("must be at most {} characters", urls::URL_CHARS_MAX));
        }
        parse_url(text, allow_private).map_err(|error| {
            let advice = match error {
                UrlError::NotAUrl => "write a whole one, such as \"https://crm.example.com/widgetd\"",
                UrlError::UserInfo => "take them out: what is posted is signed, by secret_env or secret_file",
                UrlError::Plain => "write https://, or allow_private = true for one in your own network",
                UrlError::Private => "if it is yours, write allow_private = true",
            };
            format!("{error}; {advice}")
        })
    })
}

fn read_events(value: &Value) -> Vec<Occasion> {
    let choices = Occasion::ALL.map(|occasion| (occasion.as_str(), occasion));
    let Some(items) = value.list(choices.len()) else {
        return Occasion::ALL.to_vec();
    };
    if items.is_empty() {
        value.refuse("names no event; leave the key out for all of them");
    }
    let mut events = Vec::new();
    for item in items {
        match item.choice(&choices) {
            Some(event) if events.contains(&event) => item.complain("stands here twice; take one out"),
            event => events.extend(event),
        }
    }
    events
}

fn read_agents(value: &Value, known: &[AgentId], surroundings: &Surroundings) -> Vec<AgentId> {
    let items = value.list(AGENTS_MAX).unwrap_or_default();
    if value.is_present() && items.is_empty() {
        value.refuse("names no agent; leave the key out for all of them");
    }
    let mut agents = Vec::new();
    for item in items {
        let Some(id) = item.string() else { continue };
        match known.iter().find(|known| known.as_str() == id) {
            Some(id) if agents.contains(id) => item.complain("stands here twice; take one out"),
            Some(id) => agents.push(id.clone()),
            None => {
                let ids = || known.iter().map(AgentId::as_str);
                let advice = match nearest(id, ids()) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => format!("there is: {}", ids().collect::<Vec<_>>().join(", ")),
                };
                let text = format!("{} is not the id of an [[agent]]; {advice}", item.shown());
                surroundings.notes.complain_of_absence(item.place(), text);
            }
        }
    }
    agents
}

/// A chat tool verifies nothing, its URL is the secret; anybody else must be able to.
fn read_secret(table: &Section, format: Format, surroundings: &Surroundings) -> Option<Secret> {
    for wrong in ["secret", "key", "token"] {
        let text = "a secret does not stand in this file; put it in a variable and write secret_env = \
                    \"WEBHOOK_SECRET\", or in a file and write secret_file = \"webhook.secret\"";
        table.refuse(wrong, text);
    }
    let found = credential::read(table, "secret_env", "secret_file", surroundings);
    if format == Format::Json && !table.get("secret_file").is_present() {
        let _ = table.get("secret_env").required(
            "secret_env = \"WEBHOOK_SECRET\", the name of a variable, or secret_file: receivers know by it that it \
             is you; make one with: openssl rand -hex 32",
        );
    }
    let (value, secret) = found?;
    if secret.chars().count() < SECRET_CHARS_MIN {
        value.complain(&format!(
            "gives a secret of less than {SECRET_CHARS_MIN} characters; make one with: openssl rand -hex 32"
        ));
        return None;
    }
    Some(Secret::new(secret))
}
