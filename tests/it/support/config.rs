//! `widget.toml` as the suites need it: limits out of the way unless they are the subject, two agents, one model.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::ORIGIN;

/// Values are TOML as written: `"\"60/1m\""`, `"60"`, `"[]"`. The verbs below quote where a text is meant.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    sections: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    models: Vec<BTreeMap<&'static str, String>>,
    agents: Vec<Agent>,
}

impl Config {
    /// The model `fake` at `model_url`; the agents `demo` and `other`, each on its own origin.
    pub(crate) fn new(model_url: &str) -> Self {
        let mut config = Self { sections: BTreeMap::new(), models: Vec::new(), agents: Vec::new() };
        config.model("fake", model_url);
        config.agents = vec![Agent::new("demo", ORIGIN), Agent::new("other", "https://other.example")];
        // All tests come from one address.
        for name in ["init_per_address", "config_per_address", "messages_per_address", "leads_per_address"] {
            config.text("limits", name, "100000/1m");
        }
        config.text("limits", "leads_per_agent", "100000/1d");
        config.set("server", "max_connections_per_address", 500);
        config.text("server", "shutdown_grace", "1s");
        config
    }

    /// Sets `[section] key`, as TOML.
    pub(crate) fn set(&mut self, section: &'static str, key: &'static str, value: impl ToString) -> &mut Self {
        self.sections.entry(section).or_default().insert(key, value.to_string());
        self
    }

    /// Sets `[section] key` to a text.
    pub(crate) fn text(&mut self, section: &'static str, key: &'static str, value: &str) -> &mut Self {
        self.set(section, key, quoted(value))
    }

    /// Goes back to the product's own figure.
    pub(crate) fn unset(&mut self, section: &'static str, key: &'static str) -> &mut Self {
        self.sections.entry(section).or_default().remove(key);
        self
    }

    /// Adds a model, or replaces the one of that name.
    pub(crate) fn model(&mut self, name: &str, url: &str) -> &mut Self {
        let name = quoted(name);
        self.models.retain(|model| model["name"] != name);
        self.models.push(BTreeMap::from([("name", name), ("url", quoted(url)), ("model", quoted("scripted"))]));
        self
    }

    /// Sets a key of the model that was added first.
    pub(crate) fn fake(&mut self, key: &'static str, value: &str) -> &mut Self {
        self.models[0].insert(key, value.to_owned());
        self
    }

    pub(crate) fn agent(&mut self, id: &str) -> &mut Agent {
        self.agents.iter_mut().find(|agent| agent.id == id).expect("an agent of that id")
    }

    pub(crate) fn add_agent(&mut self, agent: Agent) -> &mut Self {
        self.agents.push(agent);
        self
    }

    pub(crate) fn remove_agent(&mut self, id: &str) -> &mut Self {
        self.agents.retain(|agent| agent.id != id);
        self
    }

    pub(crate) fn to_toml(&self) -> String {
        let mut toml = String::new();
        for (name, keys) in &self.sections {
            write_table(&mut toml, &format!("[{name}]"), keys);
        }
        for model in &self.models {
            write_table(&mut toml, "[[model]]", model);
        }
        for agent in &self.agents {
            write_table(&mut toml, "[[agent]]", &agent.keys);
            toml.push_str(&agent.tables);
            toml.push('\n');
        }
        toml
    }
}

/// One `[[agent]]`.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    id: String,
    keys: BTreeMap<&'static str, String>,
    tables: String,
}

impl Agent {
    /// Asks the model `fake`, on one origin.
    pub(crate) fn new(id: &str, origin: &str) -> Self {
        let keys = BTreeMap::from([
            ("id", quoted(id)),
            ("name", quoted(&format!("Agent {id}"))),
            ("system_prompt", quoted("You answer in one sentence.")),
        ]);
        let mut agent = Self { id: id.to_owned(), keys, tables: String::new() };
        agent.origins(&[origin]).models(&["fake"]);
        agent
    }

    pub(crate) fn origins(&mut self, origins: &[&str]) -> &mut Self {
        self.set("allowed_origins", list(origins))
    }

    pub(crate) fn models(&mut self, models: &[&str]) -> &mut Self {
        self.set("models", list(models))
    }

    pub(crate) fn set(&mut self, key: &'static str, value: impl ToString) -> &mut Self {
        self.keys.insert(key, value.to_string());
        self
    }

    pub(crate) fn text(&mut self, key: &'static str, value: &str) -> &mut Self {
        self.set(key, quoted(value))
    }

    pub(crate) fn faq(&mut self, question: &str, answer: &str) -> &mut Self {
        let (question, answer) = (quoted(question), quoted(answer));
        self.table(&format!("[[agent.faq]]\nquestion = {question}\nanswer = {answer}\n"))
    }

    /// A figure of this agent's own budget.
    pub(crate) fn budget(&mut self, lines: &str) -> &mut Self {
        self.table(&format!("[agent.budget]\n{lines}\n"))
    }

    /// Tables below the agent, as TOML.
    pub(crate) fn table(&mut self, toml: &str) -> &mut Self {
        self.tables.push_str(toml);
        self
    }
}

fn write_table(toml: &mut String, header: &str, keys: &BTreeMap<&str, String>) {
    writeln!(toml, "{header}").expect("a string grows");
    for (key, value) in keys {
        writeln!(toml, "{key} = {value}").expect("a string grows");
    }
    toml.push('\n');
}

fn list(texts: &[&str]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| quoted(text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A TOML basic string; JSON's escapes are TOML's for all that the suites write.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
