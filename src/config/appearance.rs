//! What a visitor sees of an agent: texts, theme, lead form, rules.

use super::section::{Section, Text};
use crate::domain::agent::{
    Action, Appearance, FieldKind, LeadField, LeadForm, Mode, RULES_MAX, Rule, STARTER_PROMPTS_MAX,
    Side, Theme, Trigger,
};
use crate::domain::id::AgentId;
use crate::domain::lead;

const LABEL_CHARS_MAX: usize = 200;
const SENTENCE_CHARS_MAX: usize = 1000;

/// None if the id or the name is missing. Everything is read all the same.
pub(super) fn appearance(
    section: &Section<'_>,
    id: Option<AgentId>,
    name: Option<String>,
) -> Option<Appearance> {
    let language = section
        .text("language", 35)
        .and_then(|text| text.parsed(language))
        .unwrap_or_else(|| "en".to_owned());
    let greeting = section.string_or("greeting", "Hello! How can I help you?", SENTENCE_CHARS_MAX);
    let starter_prompts = section.texts("starter_prompts", STARTER_PROMPTS_MAX, LABEL_CHARS_MAX);
    let theme = theme(&section.section("theme"));
    let lead_form = lead_form(&section.section("lead_form"));
    let rules = rules(section);
    Some(Appearance {
        id: id?,
        name: name?,
        language,
        greeting,
        starter_prompts: starter_prompts
            .iter()
            .map(|text| text.value.to_owned())
            .collect(),
        theme,
        lead_form,
        rules,
    })
}

/// The shape of a BCP 47 tag (RFC 5646, section 2.1): subtags of letters and digits, the first of 2 or 3 letters.
fn language(text: &str) -> Result<String, &'static str> {
    let mut subtags = text.split('-');
    let is_language = subtags.next().is_some_and(|tag| {
        (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphabetic())
    });
    let are_subtags = subtags
        .all(|tag| (1..=8).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric()));
    if is_language && are_subtags {
        Ok(text.to_owned())
    } else {
        Err("is no language tag: write one like \"en\" or \"de-CH\"")
    }
}

/// An `http` or `https` URL.
pub(super) fn web_address(text: &str) -> Result<String, &'static str> {
    let is_web = url::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_web {
        Ok(text.to_owned())
    } else {
        Err("is no web address: write one like \"https://www.example.com/page\"")
    }
}

fn theme(section: &Section<'_>) -> Theme {
    let theme = Theme {
        accent: section
            .text("accent", 20)
            .and_then(|text| text.parsed(colour))
            .unwrap_or_else(|| "#2563eb".to_owned()),
        mode: section
            .choice(
                "mode",
                &[
                    ("auto", Mode::Auto),
                    ("light", Mode::Light),
                    ("dark", Mode::Dark),
                ],
            )
            .unwrap_or(Mode::Auto),
        side: section
            .choice("side", &[("left", Side::Left), ("right", Side::Right)])
            .unwrap_or(Side::Right),
        radius_px: u8::try_from(section.number_or("radius_px", 16, 0..=32)).unwrap_or(16),
    };
    section.finish();
    theme
}

fn colour(text: &str) -> Result<String, &'static str> {
    let digits = text.strip_prefix('#').unwrap_or_default();
    let is_colour = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_colour {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("is no colour: write six hex digits like \"#2563eb\"")
    }
}

fn lead_form(section: &Section<'_>) -> LeadForm {
    let form = LeadForm {
        enabled: section.bool_or("enabled", true),
        title: section.string_or(
            "title",
            "Leave your email address and we will get back to you.",
            SENTENCE_CHARS_MAX,
        ),
        submit_label: section.string_or("submit_label", "Send", LABEL_CHARS_MAX),
        thanks: section.string_or(
            "thanks",
            "Thank you! We will get back to you.",
            SENTENCE_CHARS_MAX,
        ),
        consent: section
            .text("consent", SENTENCE_CHARS_MAX)
            .map(|text| text.value.to_owned()),
        fields: lead_fields(section),
    };
    section.finish();
    form
}

fn lead_fields(section: &Section<'_>) -> Vec<LeadField> {
    let kinds = [
        ("text", FieldKind::Text),
        ("tel", FieldKind::Tel),
        ("textarea", FieldKind::Textarea),
        ("select", FieldKind::Select),
    ];
    let mut fields: Vec<LeadField> = Vec::new();
    for field in section.sections("field", lead::FIELDS_MAX) {
        let key = field
            .required("key", lead::FIELD_KEY_CHARS_MAX)
            .and_then(|text| text.parsed(field_key));
        let label = field.required("label", LABEL_CHARS_MAX);
        let kind = field.choice("type", &kinds).unwrap_or(FieldKind::Text);
        let required = field.bool_or("required", false);
        let options: Vec<_> = field
            .texts("options", 50, LABEL_CHARS_MAX)
            .iter()
            .map(|text| text.value.to_owned())
            .collect();
        if (kind == FieldKind::Select) == options.is_empty() {
            field.complain(
                "options",
                "belong to type = \"select\", which needs at least one: write both or neither",
            );
        }
        if let (Some(key), Some(label)) = (key, label) {
            if fields.iter().any(|other| other.key == key) {
                field.complain(
                    "key",
                    format!("{key:?} is the key of another field too: give each its own"),
                );
            }
            fields.push(LeadField {
                key,
                label: label.value.to_owned(),
                kind,
                required,
                options,
            });
        }
        field.finish();
    }
    fields
}

fn field_key(text: &str) -> Result<String, &'static str> {
    let is_key = text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match text {
        "email" => Err("is asked anyway, and first: take it out"),
        "consent" | "fields" | "source" | "page" => {
            Err("has a meaning of its own in the API: choose another one")
        }
        _ if is_key => Ok(text.to_owned()),
        _ => Err("is no key: write a-z, 0-9 and \"_\", beginning with a letter"),
    }
}

fn rules(section: &Section<'_>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for rule in section.sections("rule", RULES_MAX) {
        let id = rule.required("id", 64);
        let trigger = trigger(&rule);
        let action = action(&rule);
        let priority = rule.number_or("priority", 0, 0..=1000);
        let max_per_visitor = rule.number_or("max_per_visitor", 1, 1..=100);
        if let (Some(id), Some(trigger), Some(action)) = (id, trigger, action) {
            if rules.iter().any(|other| other.id == id.value) {
                id.complain("is the id of another rule too: give each its own");
            }
            rules.push(Rule {
                id: id.value.to_owned(),
                trigger,
                action,
                priority: i32::try_from(priority).unwrap_or(0),
                max_per_visitor: u32::try_from(max_per_visitor).unwrap_or(1),
            });
        }
        rule.finish();
    }
    rules
}

fn trigger(rule: &Section<'_>) -> Option<Trigger> {
    let trigger = word(
        rule,
        "trigger",
        &["scroll", "idle", "exit_intent", "url", "messages"],
    )?;
    let number = |name, range| {
        if !rule.has(name) {
            rule.complain(name, format!("is missing: trigger = {trigger:?} needs it"));
        }
        rule.number_or(name, 1, range)
    };
    Some(match trigger {
        "scroll" => Trigger::Scroll {
            percent: u8::try_from(number("percent", 1..=100)).unwrap_or(100),
        },
        "idle" => Trigger::Idle {
            seconds: u32::try_from(number("seconds", 1..=3600)).unwrap_or(3600),
        },
        "messages" => Trigger::Messages {
            count: u32::try_from(number("count", 1..=100)).unwrap_or(100),
        },
        "url" => Trigger::Url {
            pattern: rule.required("pattern", 500)?.value.to_owned(),
        },
        _ => Trigger::ExitIntent,
    })
}

fn action(rule: &Section<'_>) -> Option<Action> {
    Some(match word(rule, "action", &["nudge", "lead_form"])? {
        "nudge" => Action::Nudge {
            text: rule.required("text", SENTENCE_CHARS_MAX)?.value.to_owned(),
        },
        _ => Action::LeadForm,
    })
}

/// A word that must be there, of those given.
fn word<'a>(
    rule: &Section<'a>,
    name: &'static str,
    words: &[&'static str],
) -> Option<&'static str> {
    let text: Text<'a> = rule.required(name, 100)?;
    let known = words.iter().find(|word| **word == text.value).copied();
    if known.is_none() {
        let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
        text.complain(format!("is not known: write one of {}", words.join(", ")));
    }
    known
}
