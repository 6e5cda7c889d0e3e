//! The `[[agent.rule]]` tables: when the widget does something of its own accord.

use crate::config::cards;
use crate::config::section::Section;
use crate::config::value::Value;
use crate::domain::agent::{Action, RULES_MAX, Rule, Trigger};

const ID_CHARS_MAX: usize = 64;
/// Beside a launcher more is not read.
const NUDGE_CHARS_MAX: usize = 200;
const PATTERN_CHARS_MAX: usize = 200;
/// Each multiplies the time in which a browser finds that a long path does not fit.
const PATTERN_STARS_MAX: usize = 4;
const PATTERNS_MAX: usize = 50;

/// Each parameter, the trigger or action that has it, and a line that would do.
const PARAMETERS: [(&str, &str, &str); 6] = [
    ("percent", "scroll", "percent = 60"),
    ("seconds", "idle", "seconds = 30"),
    ("pattern", "url", "pattern = \"/pricing*\""),
    ("count", "messages", "count = 3"),
    ("text", "nudge", "text = \"Any questions?\""),
    ("title", "card", "title = \"Shall we help?\""),
];

/// `has_lead_form`: the agent's form is switched on, so a rule can open it.
pub(super) fn read(agent: &Section, has_lead_form: bool) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for table in agent.tables("rule", RULES_MAX) {
        // Whatever the trigger is, even a wrong one: these are keys that a rule has.
        for (key, ..) in PARAMETERS {
            table.get(key);
        }
        let id = read_id(&table, &rules);
        let trigger = read_trigger(&table);
        let action = read_action(&table, has_lead_form);
        // Any order that an owner can want fits.
        let priority = table.get("priority").integer(-1000..=1000).unwrap_or(0);
        // More often than that is never.
        let max_per_visitor = table.get("max_per_visitor").integer(1..=100).unwrap_or(1);
        let paths = read_paths(&table.get("paths"));
        if let (Some(id), Some(trigger), Some(action)) = (id, trigger, action) {
            rules.push(Rule { id, trigger, action, priority, max_per_visitor, paths });
        }
    }
    rules
}

fn read_id(table: &Section, before: &[Rule]) -> Option<String> {
    let value = table.get("id").required("id = \"idle-nudge\"");
    let id = value.parse(|text| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        if (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(text.to_owned())
        } else {
            Err("is not an id; write 1 to 64 of a-z, 0-9, \"-\" and \"_\"")
        }
    })?;
    if before.iter().any(|rule| rule.id == id) {
        value.complain("is the id of another rule of this agent; write one of its own");
    }
    Some(id)
}

fn read_trigger(table: &Section) -> Option<Trigger> {
    let kinds = ["scroll", "idle", "exit_intent", "url", "messages"];
    let trigger = table.get("trigger").required("trigger = \"idle\"").choice(&kinds.map(|kind| (kind, kind)))?;
    check_parameters(table, &kinds, trigger);
    match trigger {
        "scroll" => {
            let percent = table.get("percent").integer(1..=100)?;
            Some(Trigger::Scroll { percent })
        }
        "idle" => {
            // An hour later nobody is there.
            let seconds = table.get("seconds").integer(1..=3600)?;
            Some(Trigger::Idle { seconds })
        }
        "url" => {
            let pattern = table.get("pattern").parse(parse_pattern)?;
            Some(Trigger::Url { pattern })
        }
        "messages" => {
            let count = table.get("count").integer(1..=100)?;
            Some(Trigger::Messages { count })
        }
        _ => Some(Trigger::ExitIntent),
    }
}

fn read_action(table: &Section, has_lead_form: bool) -> Option<Action> {
    let kinds = ["nudge", "lead_form", "card"];
    let value = table.get("action").required("action = \"nudge\"");
    let action = value.choice(&kinds.map(|kind| (kind, kind)))?;
    check_parameters(table, &kinds, action);
    if action != "card" {
        table.get("button").refuse("belongs to \"card\"; take it out");
    }
    match action {
        "nudge" => {
            let text = table.get("text").line(NUDGE_CHARS_MAX)?;
            Some(Action::Nudge { text })
        }
        "card" => cards::read(table, has_lead_form),
        _ => {
            if !has_lead_form {
                value.complain("opens a form that is switched off; write enabled = true under [agent.lead_form]");
            }
            Some(Action::LeadForm)
        }
    }
}

/// A list of patterns of paths.
pub(super) fn read_paths(value: &Value) -> Vec<String> {
    let items = value.list(PATTERNS_MAX).unwrap_or_default();
    items.iter().filter_map(|item| item.parse(parse_pattern)).collect()
}

/// That the parameter of `chosen` is there and those of the others of `kinds` are not.
fn check_parameters(table: &Section, kinds: &[&str], chosen: &str) {
    for (key, owner, example) in PARAMETERS {
        if owner == chosen {
            table.get(key).required(example);
        } else if kinds.contains(&owner) && !(key == "text" && chosen == "card") {
            table.get(key).refuse(&format!("belongs to \"{owner}\", and this rule has \"{chosen}\"; take it out"));
        }
    }
}

fn parse_pattern(text: &str) -> Result<String, String> {
    if text.chars().count() > PATTERN_CHARS_MAX {
        return Err(format!("must be at most {PATTERN_CHARS_MAX} characters"));
    }
    let is_path = text.starts_with('/') || text.starts_with('*');
    if !is_path || text.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err("is not a path; write one that begins with \"/\" or \"*\", such as \"/pricing*\"".to_owned());
    }
    if text.matches('*').count() > PATTERN_STARS_MAX {
        return Err(format!("must have at most {PATTERN_STARS_MAX} \"*\""));
    }
    Ok(text.to_owned())
}
