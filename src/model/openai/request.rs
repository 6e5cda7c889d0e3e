//! What is sent, and where to.

use serde::Serialize;
use url::Url;

use crate::domain::conversation::Role;
use crate::model::{MaxTokensField, Prompt, Settings};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EndpointError {
    #[error("is not a URL like https://api.openai.com/v1")]
    NotAUrl,
    #[error("must begin with https:// or http://")]
    Scheme,
    #[error("must not hold a user name or a password: put keys into key_env, key_file or headers")]
    UserInfo,
}

/// The whole URL of chat completions. A URL that names an endpoint or has a query (Azure's) is taken as it is; a base
/// URL is completed.
pub(crate) fn endpoint(text: &str) -> Result<String, EndpointError> {
    let mut url = Url::parse(text).map_err(|_| EndpointError::NotAUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(EndpointError::Scheme);
    }
    if url.host().is_none() {
        return Err(EndpointError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(EndpointError::UserInfo);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    if url.query().is_none() && !path.ends_with("/completions") {
        let base = if path.is_empty() { "/v1" } else { path.as_str() };
        url.set_path(&format!("{base}/chat/completions"));
    }
    Ok(url.into())
}

/// The JSON that is posted.
#[derive(Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(settings: &'a Settings, prompt: &'a Prompt) -> Self {
        let system = (!prompt.system.is_empty()).then_some(Message { role: "system", content: &prompt.system });
        let history = prompt.history.iter().map(|turn| Message {
            role: match turn.role {
                Role::User => "user",
                Role::Assistant => "assistant",
            },
            content: &turn.content,
        });
        let question = Message { role: "user", content: &prompt.question };
        let max = Some(prompt.answer_tokens_max);
        let (max_tokens, max_completion_tokens) = match settings.max_tokens_field {
            MaxTokensField::MaxTokens => (max, None),
            MaxTokensField::MaxCompletionTokens => (None, max),
        };
        Self {
            model: &settings.model,
            messages: system.into_iter().chain(history).chain([question]).collect(),
            stream: true,
            stream_options: settings.stream_options.then_some(StreamOptions { include_usage: true }),
            max_tokens,
            max_completion_tokens,
            temperature: settings.temperature,
        }
    }

    pub(super) fn asks_for_usage(&self) -> bool {
        self.stream_options.is_some()
    }

    pub(super) fn leave_usage_out(&mut self) {
        self.stream_options = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_completed_and_whole_ones_are_kept() {
        for (given, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/chat/completions"),
            ("http://127.0.0.1:8081", "http://127.0.0.1:8081/v1/chat/completions"),
            ("http://127.0.0.1:8081/", "http://127.0.0.1:8081/v1/chat/completions"),
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
            ("https://a.example/v1/chat/completions", "https://a.example/v1/chat/completions"),
            (
                "https://a.openai.azure.com/openai/deployments/x/chat/completions?api-version=2",
                "https://a.openai.azure.com/openai/deployments/x/chat/completions?api-version=2",
            ),
        ] {
            assert_eq!(endpoint(given).as_deref(), Ok(expected), "{given}");
        }
        assert_eq!(endpoint("api.openai.com/v1"), Err(EndpointError::NotAUrl));
        assert_eq!(endpoint("ftp://a/v1"), Err(EndpointError::Scheme));
        assert_eq!(endpoint("https://key@a/v1"), Err(EndpointError::UserInfo));
    }
}
