//! `[agent.lead_form]`: the form that asks for an address. Its defaults are in English.

use crate::config::section::Section;
use crate::domain::agent::{FieldKind, LeadField, LeadForm};
use crate::domain::lead;

/// A form with more is not filled in; the contract takes 20 beside the lead's own members.
const FIELDS_MAX: usize = 10;
const OPTIONS_MAX: usize = 50;
const LABEL_CHARS_MAX: usize = 100;
const TITLE_CHARS_MAX: usize = 200;
/// A sentence that a lawyer wrote.
const CONSENT_CHARS_MAX: usize = 1000;

/// A form that stands in the file is switched on, unless it says otherwise.
pub(super) fn read(form: &Section) -> LeadForm {
    let line = |key, max, default: &str| {
        let text = form.get(key).line(max);
        text.unwrap_or_else(|| default.to_owned())
    };
    LeadForm {
        enabled: form.get("enabled").boolean().unwrap_or(form.is_present()),
        title: line("title", TITLE_CHARS_MAX, "Leave your address and we will get back to you"),
        submit_label: line("submit_label", LABEL_CHARS_MAX, "Send"),
        thanks: line("thanks", TITLE_CHARS_MAX, "Thank you. We will be in touch."),
        consent: form.get("consent").line(CONSENT_CHARS_MAX),
        fields: read_fields(form),
    }
}

fn read_fields(form: &Section) -> Vec<LeadField> {
    let mut fields: Vec<LeadField> = Vec::new();
    for table in form.tables("field", FIELDS_MAX) {
        let key = read_key(&table, &fields);
        let label = table.get("label").required("label = \"Your name\"").line(LABEL_CHARS_MAX);
        let kind = table.get("type").choice(&[
            ("text", FieldKind::Text),
            ("tel", FieldKind::Tel),
            ("textarea", FieldKind::Textarea),
            ("select", FieldKind::Select),
        ]);
        let kind = kind.unwrap_or(FieldKind::Text);
        let required = table.get("required").boolean().unwrap_or(false);
        let options = read_options(&table, kind);
        if let (Some(key), Some(label)) = (key, label) {
            fields.push(LeadField { key, label, kind, required, options });
        }
    }
    fields
}

fn read_key(table: &Section, before: &[LeadField]) -> Option<String> {
    let value = table.get("key").required("key = \"name\"");
    let key = value.parse(|text| {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let starts_with_letter = text.starts_with(|c: char| c.is_ascii_lowercase());
        let has_fit_length = text.len() <= lead::FIELD_KEY_CHARS_MAX;
        if text == "email" {
            Err("is always asked for and comes first; take this field out")
        } else if text == "consent" {
            Err("is the box for consent; take this field out and write consent = \"…\" in [agent.lead_form]")
        } else if starts_with_letter && has_fit_length && text.bytes().all(allowed) {
            Ok(text.to_owned())
        } else {
            Err("is not a key; write up to 64 of a-z, 0-9 and \"_\", beginning with a letter")
        }
    })?;
    if before.iter().any(|field| field.key == key) {
        value.complain("is the key of another field of this form; write one of its own");
    }
    Some(key)
}

fn read_options(table: &Section, kind: FieldKind) -> Vec<String> {
    let value = table.get("options");
    if kind != FieldKind::Select {
        value.refuse("belongs to a field of type \"select\"; take it out or write that type");
        return Vec::new();
    }
    let value = value.required("options = [\"Sales\", \"Support\"]");
    let items = value.list(OPTIONS_MAX).unwrap_or_default();
    if value.is_present() && value.items().is_empty() {
        value.refuse("has nothing to choose; write options = [\"Sales\", \"Support\"]");
    }
    let mut options = Vec::new();
    for item in items {
        if let Some(option) = item.line(LABEL_CHARS_MAX) {
            if options.contains(&option) {
                item.complain("stands here twice; take one out");
            }
            options.push(option);
        }
    }
    options
}
