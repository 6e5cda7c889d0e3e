//! What a browser sends with a form, in a query or in a body: `application/x-www-form-urlencoded`.

use super::Refusal;
use crate::http::Request;

const MEDIA_TYPE: &str = "application/x-www-form-urlencoded";
/// Fields beyond this are not looked at.
const FIELDS_MAX: usize = 100;

/// Names and values in their order.
#[derive(Debug, Default)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().take(FIELDS_MAX).collect())
    }

    pub(super) fn of_body(request: &Request) -> Result<Self, Refusal> {
        let content_type = request.http.header("Content-Type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case(MEDIA_TYPE) {
            Ok(Self::parse(request.body()))
        } else {
            Err(Refusal::MediaType)
        }
    }

    /// The first value of that name; empty if there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// As [`Form::text`], trimmed; none if nothing is left.
    pub(super) fn some(&self, name: &str) -> Option<&str> {
        Some(self.text(name).trim()).filter(|text| !text.is_empty())
    }

    pub(super) fn is_checked(&self, name: &str) -> bool {
        self.some(name).is_some()
    }

    /// As a query with other values for `changes`; an empty value takes its name away.
    pub(super) fn with(&self, changes: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let kept = self
            .0
            .iter()
            .filter(|(name, value)| !value.is_empty() && !changes.iter().any(|(changed, _)| changed == name));
        query.extend_pairs(kept);
        query.extend_pairs(changes.iter().filter(|(_, value)| !value.is_empty()));
        query.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_and_written_again() {
        let form = Form::parse(b"q=a%26b+c&agent=&page=3&q=second&%FF=x");
        assert_eq!(form.text("q"), "a&b c");
        assert_eq!(form.some("agent"), None);
        assert_eq!(form.text("none"), "");
        assert_eq!(Form::parse(b"q=a%26b+c&agent=&page=3").with(&[("page", "4")]), "q=a%26b+c&page=4");
        assert_eq!(Form::parse(b"q=x&page=3").with(&[("page", "")]), "q=x");
    }
}
