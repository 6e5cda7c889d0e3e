//! A file from the disk or from the web, within limits.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

use ureq::Agent;

use crate::faq_import::Form;

const TIME: Duration = Duration::from_secs(10);
/// A thousand entries at the length that people write; those at their longest come as a file.
const BYTES_MAX: u64 = 2 << 20;
const FILE_BYTES_MAX: u64 = 16 << 20;
const REDIRECTS_MAX: u32 = 5;

#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("it answers with {status}; name the address of the file itself")]
    Status { status: u16 },
    #[error(
        "it is {found}, and no Markdown and no CSV; name the address of the file itself (its \"raw\" or \"download\" link)"
    )]
    Form { found: String },
    #[error("it is larger than 2 MiB; download it, and import it in parts")]
    TooLarge,
    #[error("line {line} is not UTF-8; save the file in that encoding (in a spreadsheet: as \"CSV UTF-8\")")]
    NotUtf8 { line: usize },
    #[error("there is no such file")]
    NotThere,
    #[error("it is a folder; name the file in it")]
    Folder,
    #[error("it is larger than 16 MiB; import it in parts")]
    FileTooLarge,
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("it redirects more than {REDIRECTS_MAX} times")]
    Redirects,
    #[error("it took longer than {} seconds", TIME.as_secs())]
    Slow,
    #[error("it cannot be reached: {0}")]
    Failed(ureq::Error),
}

/// Whether it is the address of something on the web, and no file's name.
pub(crate) fn is_url(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// The text of the file at `path`.
pub(crate) fn load(path: &Path) -> Result<String, FetchError> {
    let unreadable = |error: io::Error| match error.kind() {
        ErrorKind::NotFound => FetchError::NotThere,
        ErrorKind::IsADirectory => FetchError::Folder,
        _ => FetchError::Unreadable(error),
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FetchError::FileTooLarge);
    }
    text_of(bytes)
}

fn text_of(bytes: Vec<u8>) -> Result<String, FetchError> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        FetchError::NotUtf8 { line: 1 + valid.iter().filter(|&&byte| byte == b'\n').count() }
    })
}

/// The text at `url`, and how it is written: as `form` if that is given, else as its media type says, or its name.
pub(crate) fn fetch(url: &str, form: Option<Form>) -> Result<(String, Form), FetchError> {
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(TIME))
        .max_redirects(REDIRECTS_MAX)
        .http_status_as_error(false)
        .user_agent(concat!("widgetd/", env!("CARGO_PKG_VERSION")))
        .accept("text/markdown, text/csv, text/plain, */*;q=0.5")
        .build()
        .into();
    let mut response = agent.get(url).call().map_err(failed)?;
    let status = response.status().as_u16();
    if !response.status().is_success() {
        return Err(FetchError::Status { status });
    }
    let media_type = response.body().mime_type().unwrap_or_default().to_ascii_lowercase();
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let form = form.or_else(|| form_of(&media_type, path)).ok_or_else(|| FetchError::Form {
        found: if media_type.is_empty() { "of no media type".to_owned() } else { media_type.clone() },
    })?;
    let bytes = response.body_mut().with_config().limit(BYTES_MAX).read_to_vec().map_err(failed)?;
    Ok((text_of(bytes)?, form))
}

/// The media type decides; those that say nothing leave it to the name.
fn form_of(media_type: &str, path: &str) -> Option<Form> {
    match media_type {
        "text/markdown" | "text/x-markdown" => Some(Form::Markdown),
        "text/csv" | "application/csv" | "text/tab-separated-values" | "application/vnd.ms-excel" => Some(Form::Csv),
        "text/plain" => Some(Form::of_name(path).unwrap_or(Form::Markdown)),
        "" | "application/octet-stream" | "binary/octet-stream" => Form::of_name(path),
        _ => None,
    }
}

fn failed(error: ureq::Error) -> FetchError {
    match error {
        ureq::Error::BodyExceedsLimit(_) => FetchError::TooLarge,
        ureq::Error::TooManyRedirects => FetchError::Redirects,
        ureq::Error::Timeout(_) => FetchError::Slow,
        error => FetchError::Failed(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_media_type_decides_and_where_it_says_nothing_the_name() {
        let check = |media_type, path, expected| assert_eq!(form_of(media_type, path), expected, "{media_type} {path}");
        check("text/markdown", "/faq.csv", Some(Form::Markdown));
        check("text/csv", "/faq", Some(Form::Csv));
        check("text/plain", "/faq.CSV", Some(Form::Csv));
        check("text/plain", "/faq", Some(Form::Markdown));
        check("application/octet-stream", "/faq.md", Some(Form::Markdown));
        check("application/octet-stream", "/faq", None);
        check("text/html", "/faq.md", None);
    }

    #[test]
    fn an_address_is_told_from_a_file() {
        assert!(is_url("https://a.example/faq.md") && is_url("HTTP://a"));
        assert!(!is_url("faq.md") && !is_url("http/faq.md") && !is_url("é"));
    }
}
