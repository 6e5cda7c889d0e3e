//! `[[model]]`.

use std::path::Path;
use std::time::Duration;

use super::section::{Section, Text};
use super::{Env, secret};
use crate::domain::secret::Secret;
use crate::model::{self, BUILTIN, MaxTokensField};

const MODELS_MAX: usize = 50;
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn models(root: &Section<'_>, env: Env<'_>, home: &Path) -> Vec<model::Settings> {
    let mut models: Vec<model::Settings> = Vec::new();
    for section in root.sections("model", MODELS_MAX) {
        let model = model(&section, env, home);
        if let Some(model) = model {
            if models.iter().any(|other| other.name == model.name) {
                section.complain(
                    "name",
                    format!(
                        "{:?} is the name of another model too: give each its own",
                        model.name
                    ),
                );
            }
            models.push(model);
        }
        section.finish();
    }
    models
}

/// None if a key is missing without which there is no model; that is noted. All other keys are read all the same.
fn model(section: &Section<'_>, env: Env<'_>, home: &Path) -> Option<model::Settings> {
    let name = section.required("name", 64);
    if let Some(name) = name.as_ref().filter(|name| name.value == BUILTIN) {
        name.complain("is the name of the embedded model: choose another one");
    }
    let url = section
        .required("url", 2000)
        .and_then(|url| url.parsed(model::endpoint));
    let model = section.required("model", 200);
    let limit = SECOND / 10..=SECOND * 3600;
    let context_tokens = section.number_or("context_tokens", 3000, 0..=1_000_000);
    let key = key(section, env, home);
    let headers = headers(section, env);
    let temperature = section.decimal("temperature", 0.0..=2.0);
    let fields = [
        ("max_tokens", MaxTokensField::MaxTokens),
        ("max_completion_tokens", MaxTokensField::MaxCompletionTokens),
    ];
    let max_tokens_field = section
        .choice("max_tokens_field", &fields)
        .unwrap_or(MaxTokensField::MaxTokens);
    let stream_options = section.bool_or("stream_options", true);
    let connect_timeout = section.duration_or("connect_timeout", SECOND * 5, limit.clone());
    let first_token_timeout =
        section.duration_or("first_token_timeout", SECOND * 20, limit.clone());
    let idle_timeout = section.duration_or("idle_timeout", SECOND * 20, limit.clone());
    let total_timeout = section.duration_or("total_timeout", SECOND * 120, limit);
    Some(model::Settings {
        name: name?.value.to_owned(),
        url: url?,
        model: model?.value.to_owned(),
        key,
        headers,
        temperature,
        max_tokens_field,
        stream_options,
        context_tokens: u32::try_from(context_tokens).unwrap_or(u32::MAX),
        connect_timeout,
        first_token_timeout,
        idle_timeout,
        total_timeout,
    })
}

fn key(section: &Section<'_>, env: Env<'_>, home: &Path) -> Option<Secret> {
    let (from_env, from_file) = (section.text("key_env", 200), section.text("key_file", 4000));
    if from_env.is_some() && from_file.is_some() {
        section.complain("key_file", "stands beside key_env: write one of the two");
    }
    match (from_env, from_file) {
        (Some(name), _) => variable(&name, name.value, env),
        (None, Some(path)) => path.parsed(|path| {
            let text = secret::read_private(&home.join(path))
                .map_err(|error| format!("cannot be used: {error}"))?;
            header_value(text.trim())
                .ok_or_else(|| "holds no key: write it into the file, on one line".to_owned())
        }),
        (None, None) => None,
    }
}

/// Header values are texts, or `env:NAME`.
fn headers(section: &Section<'_>, env: Env<'_>) -> Vec<(String, Secret)> {
    let mut headers = Vec::new();
    for (name, text) in section.section("headers").entries() {
        let is_token = !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if !is_token {
            text.complain(
                "stands under a name that is no header's: write letters, digits, \"-\" and \"_\"",
            );
            continue;
        }
        let value = match text.value.strip_prefix("env:") {
            Some(variable_name) => variable(&text, variable_name, env),
            None => {
                let value = header_value(text.value);
                if value.is_none() {
                    text.complain("cannot be sent in a header: write plain ASCII on one line");
                }
                value
            }
        };
        headers.extend(value.map(|value| (name, value)));
    }
    headers
}

fn variable(text: &Text<'_>, name: &str, env: Env<'_>) -> Option<Secret> {
    match env(name).as_deref().map(str::trim) {
        None | Some("") => {
            text.complain(format!(
                "names an environment variable that is not set: export {name}=… before the start"
            ));
            None
        }
        Some(value) => {
            let value = header_value(value);
            if value.is_none() {
                text.complain("names an environment variable that is no key: it must be plain ASCII on one line");
            }
            value
        }
    }
}

fn header_value(text: &str) -> Option<Secret> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    is_plain.then(|| Secret::new(text))
}
