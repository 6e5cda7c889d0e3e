//! What an error says, in whatever form servers say it. For the log: never shown to a visitor.

use serde_json::Value;

/// Of a message in the log, in characters.
const MESSAGE_CHARS_MAX: usize = 300;

/// The message of an error's body; a body in HTML, or none, has none.
pub(super) fn message(body: &str) -> Option<String> {
    let body = body.trim();
    match serde_json::from_str::<Value>(body) {
        Ok(value) => error_of(&value).or_else(|| text(value.get("message")?)),
        // vLLM, proxies: a plain sentence.
        Err(_) if !body.is_empty() && !body.starts_with('<') => Some(shortened(body)),
        Err(_) => None,
    }
}

/// The error that a JSON document is or holds.
pub(super) fn error_of(value: &Value) -> Option<String> {
    match value {
        // Gemini's shim: `[{"error":{…}}]`.
        Value::Array(list) => list.iter().find_map(error_of),
        Value::Object(members) => {
            // vLLM: `{"object":"error","message":…}`.
            let is_error = ["object", "type"].iter().any(|key| members.get(*key).is_some_and(|kind| kind == "error"));
            match members.get("error") {
                Some(Value::Null) | None if is_error => Some(described(value)),
                Some(Value::Null) | None => None,
                Some(error) => Some(described(error)),
            }
        }
        _ => None,
    }
}

/// Code, type and message, as far as there are any.
fn described(error: &Value) -> String {
    if let Value::String(message) = error {
        return shortened(message);
    }
    let parts: Vec<String> = ["code", "type", "message"].iter().filter_map(|key| text(error.get(key)?)).collect();
    if parts.is_empty() { shortened(&error.to_string()) } else { shortened(&parts.join(": ")) }
}

/// llama.cpp's codes are numbers, LiteLLM's are strings.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(shortened(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_form_has_its_message() {
        for (body, expected) in [
            (r#"{"error":{"message":"no","type":"t","code":"c"}}"#, Some("c: t: no")),
            (r#"{"error":{"message":"no","code":500}}"#, Some("500: no")),
            (r#"{"error":"no"}"#, Some("no")),
            (r#"{"object":"error","message":"no","code":404}"#, Some("404: no")),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#, Some("overloaded_error: no")),
            (r#"{"error":{},"message":"no"}"#, Some("{}")),
            (r#"[{"error":{"message":"no"}}]"#, Some("no")),
            (r#"{"message":"no"}"#, Some("no")),
            ("\n\n  overloaded", Some("overloaded")),
            ("<html><body>502</body></html>", None),
            ("", None),
            (r#"{"choices":[]}"#, None),
        ] {
            assert_eq!(message(body).as_deref(), expected, "{body}");
        }
    }
}
