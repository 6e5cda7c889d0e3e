//! The card of a rule: a title, a text and one or two buttons.

use crate::config::section::Section;
use crate::config::urls;
use crate::config::value::Value;
use crate::domain::agent::{Action, CARD_BUTTONS_MAX, CardButton, Press};

const TITLE_CHARS_MAX: usize = 80;
const TEXT_CHARS_MAX: usize = 300;
const LABEL_CHARS_MAX: usize = 40;

/// Of a rule whose action is "card".
pub(super) fn read(rule: &Section, has_lead_form: bool) -> Option<Action> {
    let title = rule.get("title").line(TITLE_CHARS_MAX);
    let text = rule.get("text").line(TEXT_CHARS_MAX).unwrap_or_default();
    let tables = rule.tables("button", CARD_BUTTONS_MAX);
    if tables.is_empty() {
        let example = "[[agent.rule.button]], label = \"Talk to us\", does = \"lead_form\"";
        rule.get("button").required(example);
    }
    let buttons = tables.iter().filter_map(|table| read_button(table, has_lead_form)).collect();
    Some(Action::Card { title: title?, text, buttons })
}

fn read_button(table: &Section, has_lead_form: bool) -> Option<CardButton> {
    let label = table.get("label").required("label = \"Talk to us\"").line(LABEL_CHARS_MAX);
    let (url, text) = (table.get("url"), table.get("text"));
    let kinds = ["url", "message", "lead_form", "dismiss"];
    let value = table.get("does").required("does = \"lead_form\"");
    let does = match value.choice(&kinds.map(|kind| (kind, kind)))? {
        "url" => {
            refuse(&text, "message", "url");
            let url = url.required("url = \"/pricing\"").parse(urls::link)?;
            Press::Url { url }
        }
        "message" => {
            refuse(&url, "url", "message");
            let text = text.required("text = \"What does it cost?\"").line(TEXT_CHARS_MAX)?;
            Press::Message { text }
        }
        other => {
            refuse(&url, "url", other);
            refuse(&text, "message", other);
            if other == "dismiss" {
                Press::Dismiss
            } else {
                if !has_lead_form {
                    value.complain("opens a form that is switched off; write enabled = true under [agent.lead_form]");
                }
                Press::LeadForm
            }
        }
    };
    Some(CardButton { label: label?, does })
}

/// A key of another kind of button.
fn refuse(value: &Value, owner: &str, chosen: &str) {
    value.refuse(&format!("belongs to \"{owner}\", and this button has \"{chosen}\"; take it out"));
}
