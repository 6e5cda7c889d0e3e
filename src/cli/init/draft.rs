//! What `widgetd init` knows so far, the file that it makes of it, and what the configuration has to say to that. The words of a
//! refusal are the configuration's own.

use std::net::SocketAddr;
use std::path::Path;

use crate::config::{self, Complaint, toml_lines, toml_string};
use crate::domain::id::AgentId;
use crate::domain::origin::Origin;

/// What an agent says first, by language; in others the owner writes it.
const GREETINGS: [(&str, &str); 8] = [
    ("en", "Hello! How can I help?"),
    ("ar", "مرحبًا! كيف يمكنني مساعدتك؟"),
    ("de", "Hallo! Wie kann ich helfen?"),
    ("es", "¡Hola! ¿En qué puedo ayudar?"),
    ("fr", "Bonjour ! Comment puis-je vous aider ?"),
    ("it", "Ciao! Come posso aiutare?"),
    ("nl", "Hallo! Waarmee kan ik helpen?"),
    ("pt", "Olá! Como posso ajudar?"),
];

#[derive(Clone, Debug)]
pub(super) struct Draft {
    /// At least one.
    pub(super) sites: Vec<Origin>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) language: String,
    pub(super) listen: String,
    pub(super) public_url: Option<String>,
    pub(super) proxy: Option<String>,
    pub(super) model: Option<Model>,
    pub(super) folder: String,
}

#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) url: String,
    pub(super) model: String,
    pub(super) key: Key,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    None,
    Variable(String),
    File(String),
}

impl Draft {
    /// With what can be known from the site alone.
    pub(super) fn new(sites: Vec<Origin>, listen: String, folder: String) -> Self {
        let label = sites.first().map(label).unwrap_or_default();
        Self {
            id: if AgentId::parse(&label).is_ok() { label.clone() } else { "site".to_owned() },
            name: capitalised(&label),
            sites,
            language: "en".to_owned(),
            listen,
            public_url: None,
            proxy: None,
            model: None,
            folder,
        }
    }

    /// What is wrong with the setting `key`, as `agent[0].name`, and with those below it.
    pub(super) fn complaint(&self, key: &str) -> Option<String> {
        let complaints = config::judge(Path::new("widget.toml"), &self.to_toml()).err()?;
        let is_of = |complaint: &Complaint| complaint.key == key || complaint.key.starts_with(&format!("{key}["));
        complaints.list.into_iter().find(is_of).map(|complaint| complaint.text)
    }

    pub(super) fn to_toml(&self) -> String {
        [INTRODUCTION.to_owned(), self.server(), self.model(), self.agent(), REST.to_owned()].concat()
    }

    fn server(&self) -> String {
        let listen = toml_string(&self.listen);
        let public_url = match &self.public_url {
            Some(url) => format!("public_url = {}\n", toml_string(url)),
            None => "# public_url = \"https://chat.example.com\"\n".to_owned(),
        };
        let proxies = match &self.proxy {
            Some(proxy) => format!("trusted_proxies = [{}]\n", toml_string(proxy)),
            None => "# trusted_proxies = [\"127.0.0.1\"]\n".to_owned(),
        };
        let folder = toml_string(&self.folder);
        format!(
            "[server]
# Where it listens: 127.0.0.1 is this machine alone, for a proxy that speaks TLS; 0.0.0.0 is every interface.
listen = {listen}
# The address at which visitors' browsers reach it.
{public_url}# The proxy before it: only from there is believed who the visitor is.
{proxies}
[storage]
# The database, and the key that signs tokens. A relative folder is beside this file.
folder = {folder}

"
        )
    }

    fn model(&self) -> String {
        let Some(Model { url, model, key }) = &self.model else {
            return "# Without a model the agent answers from its FAQ alone. Any server that speaks OpenAI's chat API will do.
# [[model]]
# name = \"main\"
# url = \"https://api.openai.com/v1\"
# model = \"gpt-4o-mini\"
# key_env = \"OPENAI_API_KEY\"

"
            .to_owned();
        };
        let key = match key {
            Key::None => "# key_env = \"MODEL_KEY\"\n".to_owned(),
            Key::Variable(name) => format!("key_env = {}\n", toml_string(name)),
            Key::File(path) => format!("key_file = {}\n", toml_string(path)),
        };
        let (url, model) = (toml_string(url), toml_string(model));
        format!(
            "# When the model cannot answer, the FAQ below does.
[[model]]
name = \"main\"
url = {url}
model = {model}
# The variable, or with key_file the file, that holds the key. The key itself never stands here.
{key}# What a million tokens cost you, for ceilings in money.
# input_price = 0.15
# output_price = 0.60

"
        )
    }

    /// Whether the server's own page shows the agent: only as long as nobody comes there from elsewhere.
    pub(super) fn has_demo(&self) -> bool {
        let is_loopback = self.listen.parse::<SocketAddr>().is_ok_and(|listen| listen.ip().is_loopback());
        self.public_url.is_none() && is_loopback
    }

    fn agent(&self) -> String {
        let [id, name, language] = [&self.id, &self.name, &self.language].map(|text| toml_string(text));
        let own = self.has_demo().then_some("self");
        let origins: Vec<_> = self.sites.iter().map(Origin::as_str).chain(own).map(toml_string).collect();
        let origins = origins.join(", ");
        let about_self = if own.is_some() {
            "# \"self\" is the demo page of widgetd itself, to try it here: take it out once you are on the web.\n"
        } else {
            ""
        };
        let primary = self.language.split('-').next().unwrap_or_default().to_ascii_lowercase();
        let greeting = match GREETINGS.iter().find(|(language, _)| *language == primary) {
            Some((_, greeting)) => format!("greeting = {}\n", toml_string(greeting)),
            None => "# greeting = \"Hello! How can I help?\"\n".to_owned(),
        };
        let site = self.sites.first().map(Origin::as_str).unwrap_or_default();
        let prompt = format!(
            "You are {}, the assistant on {site}. Answer in the visitor's language, in a few plain sentences,\nfrom the \
             reference data. If it does not hold the answer, say that you do not know, and offer to take\nan email address so \
             that a person can answer. Do not invent facts, prices or promises.\n",
            self.name
        );
        let prompt = toml_lines(&prompt, "\n");
        format!(
            "[[agent]]
# What the tag on your page names.
id = {id}
name = {name}
language = {language}
# The sites that may use it, each exactly as browsers send it: no path, no slash at the end.
{about_self}allowed_origins = [{origins}]
{greeting}# Up to six, shown as buttons before the first message.
# starter_prompts = [\"How long does shipping take?\", \"What does it cost?\"]
# What a model is told before each conversation. Visitors can make it repeat this.
system_prompt = {prompt}

"
        )
    }
}

const INTRODUCTION: &str = "\
# widgetd's configuration. After a change: `widgetd check`, then `systemctl reload widgetd` or `kill -HUP`.
# Lines that begin with \"# key =\" are the next ones to look at; `widgetd init --full --output -` prints all that there are,
# explained.

";

const REST: &str = "\
# Ceilings of your bill: what this agent may use in a day, in tokens; with prices above also agent_cost_per_day.
# [agent.budget]
# agent_tokens_per_day = 2000000

# The form that asks for an address. It is on as soon as its header stands here.
# [agent.lead_form]
# title = \"Leave your address and a person will answer\"

# [agent.theme]
# accent = \"#2563eb\"
# side = \"right\"

# What the agent knows. `widgetd import-faq FILE` writes the questions of a Markdown or CSV file here, each like this:
# [[agent.faq]]
# question = \"How long does shipping take?\"
# answer = \"Two to four days.\"
";

/// What a site is called: `acme` of `https://www.acme.example`.
fn label(site: &Origin) -> String {
    let host = host(site);
    let host = host.strip_prefix("www.").unwrap_or(host);
    let is_name = host.contains(|c: char| c.is_ascii_alphabetic()) && !host.starts_with('[');
    if is_name { host.split('.').next().unwrap_or_default().to_owned() } else { "site".to_owned() }
}

/// Without scheme and port.
fn host(site: &Origin) -> &str {
    let (_, rest) = site.as_str().split_once("://").unwrap_or_default();
    match rest.rsplit_once(':') {
        Some((host, port)) if !rest.ends_with(']') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => rest,
    }
}

fn capitalised(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The other one of `example.com` and `www.example.com`, where there may be one.
pub(super) fn twin(site: &Origin) -> Option<Origin> {
    let host = host(site);
    let (scheme, rest) = site.as_str().split_once("://")?;
    let is_name = host.contains('.') && host.split('.').next_back()?.starts_with(|c: char| c.is_ascii_alphabetic());
    if !is_name {
        return None;
    }
    let other = match rest.strip_prefix("www.") {
        Some(bare) if bare.split(['.', ':']).count() >= 2 => bare.to_owned(),
        // Below a name of its own nobody expects another "www".
        None if is_registered(host) => format!("www.{rest}"),
        _ => return None,
    };
    Origin::parse(&format!("{scheme}://{other}")).ok()
}

/// `example.com` and `example.co.uk`, but not `shop.example.com`: as far as can be told without the list of all suffixes.
fn is_registered(host: &str) -> bool {
    let labels: Vec<_> = host.split('.').collect();
    match labels[..] {
        [_, _] => true,
        [_, second, country] => {
            ["co", "com", "org", "net", "ac", "gov", "or", "ne"].contains(&second) && country.len() == 2
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    fn draft(site: &str) -> Draft {
        Draft::new(vec![origin(site)], "127.0.0.1:8080".to_owned(), "data".to_owned())
    }

    #[test]
    fn a_site_tells_what_it_is_called() {
        for (site, id, name) in [
            ("https://www.acme.example", "acme", "Acme"),
            ("https://acme.co.uk", "acme", "Acme"),
            ("http://localhost:3000", "localhost", "Localhost"),
            ("http://127.0.0.1:3000", "site", "Site"),
            ("http://[::1]:3000", "site", "Site"),
            ("https://under_score.example", "under_score", "Under_score"),
        ] {
            let draft = draft(site);
            assert_eq!((draft.id.as_str(), draft.name.as_str()), (id, name), "{site}");
        }
    }

    #[test]
    fn a_twin_is_there_where_one_is_expected() {
        for (site, expected) in [
            ("https://example.com", Some("https://www.example.com")),
            ("https://www.example.com", Some("https://example.com")),
            ("https://example.co.uk:8443", Some("https://www.example.co.uk:8443")),
            ("https://www.shop.example.com", Some("https://shop.example.com")),
            ("https://shop.example.com", None),
            ("https://www.com", None),
            ("http://localhost:3000", None),
            ("http://127.0.0.1", None),
            ("http://[::1]:80", None),
        ] {
            assert_eq!(twin(&origin(site)).as_ref().map(Origin::as_str), expected, "{site}");
        }
    }

    #[test]
    fn what_the_configuration_refuses_is_told_in_its_words() {
        let mut draft = draft("https://acme.example");
        draft.language = "de_CH".to_owned();
        assert_eq!(draft.complaint("agent[0].language").unwrap(), "\"de_CH\" is not a language tag; write \"de-CH\"");
        assert_eq!(draft.complaint("agent[0].name"), None);
        draft.proxy = Some("here".to_owned());
        assert!(draft.complaint("server.trusted_proxies").unwrap().contains("10.0.0.0/8"));
    }

    proptest! {
        #[test]
        fn every_name_that_is_taken_is_read_back(name in "\\PC{1,80}|([\"'\\\\#\u{1f642}ß]|\"\"\"){1,20}") {
            let mut draft = draft("https://acme.example");
            draft.name = name;
            if draft.complaint("agent[0].name").is_none() {
                let config = config::judge(Path::new("widget.toml"), &draft.to_toml()).unwrap();
                prop_assert_eq!(&config.agents[0].appearance.name, draft.name.trim());
                prop_assert!(config.agents[0].system_prompt.contains(draft.name.trim()));
            }
        }

        #[test]
        fn any_text_in_any_place_leaves_a_file_that_is_toml(texts in prop::array::uniform8(any::<String>())) {
            let [id, name, language, listen, url, model, key, folder] = texts;
            let (public_url, proxy) = (Some(url.clone()), Some(name.clone()));
            let model = Some(Model { url, model, key: Key::File(key) });
            let draft = Draft { id, name, language, listen, public_url, proxy, model, folder, ..draft("https://a.example") };
            if let Err(complaints) = config::judge(Path::new("widget.toml"), &draft.to_toml()) {
                prop_assert!(!complaints.torn, "{}", complaints);
            }
        }
    }
}
