//! A request's body: JSON, then members of the right type and size. Every bad member is named, not only the first.

use std::borrow::Cow;

use rouille::Request;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::domain::conversation::{PAGE_FIELD_CHARS_MAX, Page};
use crate::domain::text;
use crate::http::problem::FieldError;

/// Objects and arrays within each other, the body's own object among them: what is stored must be readable elsewhere too.
const LEVELS_MAX: usize = 32;

/// Reads `body` as one JSON object and lets `read` take its members; fails with all that `read` complained of.
pub(super) fn parse<T>(
    request: &Request,
    body: &[u8],
    read: impl FnOnce(&mut Fields<'_>) -> Option<T>,
) -> Result<T, ApiError> {
    let content_type = request.header("Content-Type").unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    // text/plain needs no preflight (Fetch, "CORS-safelisted request-header").
    if !["application/json", "text/plain"].iter().any(|known| media_type.eq_ignore_ascii_case(known)) {
        return Err(ApiError::UnsupportedMediaType { found: content_type.to_owned() });
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|error| ApiError::InvalidJson { reason: error.to_string() })?;
    if !nests_at_most(LEVELS_MAX, &value) {
        return Err(ApiError::InvalidJson { reason: format!("it is nested deeper than {LEVELS_MAX} levels") });
    }
    let mut errors = Vec::new();
    let Value::Object(members) = value else {
        errors.push(FieldError { field: String::new(), message: "the body must be a JSON object".into() });
        return Err(ApiError::ValidationFailed { errors });
    };
    let parsed = read(&mut Fields { members: &members, path: String::new(), errors: &mut errors });
    match parsed {
        Some(parsed) if errors.is_empty() => Ok(parsed),
        _ => Err(ApiError::ValidationFailed { errors }),
    }
}

/// Calls itself for each level; serde_json has stopped at 128.
fn nests_at_most(levels: usize, value: &Value) -> bool {
    let inner_fits = |inner: &Value| nests_at_most(levels - 1, inner);
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(inner_fits),
        Value::Object(members) => levels > 0 && members.values().all(inner_fits),
        _ => true,
    }
}

/// The member `token` of a body that is a JSON object. Nothing else of it is looked at.
pub(super) fn token(body: &[u8]) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        token: Cow<'a, str>,
    }
    serde_json::from_slice(body).ok().map(|Body { token }| token)
}

/// The members of one JSON object. An absent member and `null` are the same. Unknown members are ignored.
pub(super) struct Fields<'a> {
    members: &'a Map<String, Value>,
    path: String,
    errors: &'a mut Vec<FieldError>,
}

impl Fields<'_> {
    /// A member that must be there, trimmed, of 1 to `chars_max` characters.
    pub(super) fn required_text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        if self.get(name).is_none() {
            self.complain(name, "is required");
            return None;
        }
        self.text(name, chars_max)
    }

    /// A member that may be there, trimmed, of 1 to `chars_max` characters.
    pub(super) fn text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let text = self.string(name)?;
        match text::trimmed(&text, chars_max) {
            Ok(text) => Some(text.to_owned()),
            Err(error) => {
                self.complain(name, error);
                None
            }
        }
    }

    /// A member that may be there, trimmed; one that is empty counts as absent, as forms send it.
    pub(super) fn text_or_empty(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let is_blank = self.get(name).and_then(Value::as_str).is_some_and(|text| text.trim().is_empty());
        if is_blank { None } else { self.text(name, chars_max) }
    }

    pub(super) fn string(&mut self, name: &str) -> Option<String> {
        self.typed(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn bool(&mut self, name: &str) -> Option<bool> {
        self.typed(name, "true or false", Value::as_bool)
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        self.typed(name, "an object", |value| value.as_object().cloned())
    }

    pub(super) fn array(&mut self, name: &str) -> Option<Vec<Value>> {
        self.typed(name, "an array", |value| value.as_array().cloned())
    }

    /// A member that `parse` makes something of; its error is the complaint.
    pub(super) fn parsed<T, E: ToString>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let text = self.string(name)?;
        parse(&text).map_err(|error| self.complain(name, error.to_string())).ok()
    }

    /// The contract's `page`. It is context, never a reason to refuse: what is too long is cut off.
    pub(super) fn page(&mut self) -> Page {
        let Some(members) = self.object("page") else {
            return Page::default();
        };
        let mut page = self.inner(&members, "page");
        Page { url: page.cut("url"), title: page.cut("title"), referrer: page.cut("referrer") }
    }

    fn cut(&mut self, name: &str) -> Option<String> {
        let text = self.string(name)?;
        Some(text.chars().filter(|c| *c != '\0').take(PAGE_FIELD_CHARS_MAX).collect())
    }

    /// The members of an object inside this one; `path` is how it is named in complaints.
    pub(super) fn inner<'b>(&'b mut self, members: &'b Map<String, Value>, path: &str) -> Fields<'b> {
        Fields { members, path: format!("{}{path}.", self.path), errors: self.errors }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn complain(&mut self, name: &str, message: impl ToString) {
        self.errors.push(FieldError { field: format!("{}{name}", self.path), message: message.to_string() });
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn typed<T>(&mut self, name: &str, wanted: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let converted = convert(self.get(name)?);
        if converted.is_none() {
            self.complain(name, format!("must be {wanted}"));
        }
        converted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(content_type: &str) -> Request {
        let headers = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Request::fake_http("POST", "/", headers, Vec::new())
    }

    fn read(body: &str) -> Result<(String, Option<bool>, Page), ApiError> {
        parse(&request("application/json"), body.as_bytes(), |fields| {
            let page = fields.page();
            let consent = fields.bool("consent");
            Some((fields.required_text("content", 5)?, consent, page))
        })
    }

    #[test]
    fn every_bad_member_is_named() {
        let Err(ApiError::ValidationFailed { errors }) =
            read(r#"{"content":"123456","consent":"yes","page":{"url":1}}"#)
        else {
            panic!("accepted");
        };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["page.url", "consent", "content"]);
    }

    #[test]
    fn what_is_no_json_is_told_apart_from_json_of_the_wrong_form() {
        for bad in ["", "{", "{\"content\":1e999}", "{\"content\":\"\\ud800\"}", "nul", "{}x", "\u{feff}{}"] {
            assert!(matches!(read(bad), Err(ApiError::InvalidJson { .. })), "{bad}");
        }
        for bad in ["[]", "null", "1", "\"x\"", "{}", "{\"content\":null}", "{\"content\":\" \"}"] {
            assert!(matches!(read(bad), Err(ApiError::ValidationFailed { .. })), "{bad}");
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let of_arrays = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let of_objects = |levels: usize| format!("{}1{}", "{\"y\":".repeat(levels), "}".repeat(levels));
        for (levels, is_taken) in [(30, true), (31, true), (32, false), (33, false), (126, false), (200, false)] {
            for inner in [of_arrays(levels), of_objects(levels)] {
                let result = read(&format!("{{\"content\":\"x\",\"deep\":[1,{{}}],\"x\":{inner}}}"));
                assert_eq!(result.is_ok(), is_taken, "{levels} levels below the body's own");
                assert!(is_taken || matches!(result, Err(ApiError::InvalidJson { .. })));
            }
        }
    }

    #[test]
    fn text_is_trimmed_and_unknown_members_are_ignored() {
        assert_eq!(read(r#"{"content":"  hé\n","new":1}"#).unwrap().0, "hé");
    }

    #[test]
    fn a_long_page_title_is_cut_and_not_refused() {
        let body = format!("{{\"content\":\"x\",\"page\":{{\"title\":\"{}\"}}}}", "é".repeat(5000));
        assert_eq!(read(&body).unwrap().2.title.unwrap().chars().count(), PAGE_FIELD_CHARS_MAX);
    }

    #[test]
    fn only_json_and_plain_text_are_read() {
        for (content_type, is_known) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain;charset=UTF-8", true),
            ("text/html", false),
            ("application/x-www-form-urlencoded", false),
            ("application/jsonx", false),
            ("", false),
        ] {
            let parsed = parse(&request(content_type), b"{}", |_| Some(()));
            assert_eq!(parsed.is_ok(), is_known, "{content_type}");
        }
    }
}
