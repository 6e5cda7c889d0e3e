//! Every answer that the suites see is compared with `openapi.json` and with the rules that hold for all answers.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::client::{Head, Response};

/// The document in the tree; the server's own copy is compared with it by a test.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/api/openapi.json");
    let text = std::fs::read_to_string(path).expect("openapi.json");
    serde_json::from_str(&text).expect("openapi.json is JSON")
});

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Checks a whole answer.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, response: &Response) {
    check_common(path, &response.head);
    let media_type = media_type(&response.head);
    if media_type == "application/problem+json" {
        check_problem(response);
    }
    let Some(documented) = documented(method, path, response.status) else {
        return;
    };
    if response.body.is_empty() {
        return;
    }
    let content = documented["content"].get(&media_type);
    let content =
        content.unwrap_or_else(|| panic!("{method} {path} {}: {media_type} is not documented", response.status));
    if media_type.ends_with("json")
        && let Some(schema) = content.get("schema")
    {
        let key = format!("{method} {path} {} {media_type}", response.status);
        validate(&key, schema, &response.json());
    }
}

/// What the page at `/` brings along is no part of the contract.
fn is_of_demo_page(path: &str) -> bool {
    path.starts_with("/site/") || ["/products", "/pricing", "/checkout"].contains(&path)
}

/// The owner's page is no part of the contract either, and the only one with a cookie.
fn is_of_admin_page(path: &str) -> bool {
    path == "/admin" || path.starts_with("/admin/")
}

/// Checks the head of an answer whose body is read elsewhere.
#[track_caller]
pub(crate) fn check_head(method: &str, path: &str, head: &Head) {
    check_common(path, head);
    let media_type = media_type(head);
    let documented = documented(method, path, head.status).expect("a documented operation");
    assert!(
        documented["content"].get(&media_type).is_some(),
        "{method} {path} {}: {media_type} is not documented",
        head.status
    );
}

/// Checks one event of a stream against `components/schemas/Event…`.
#[track_caller]
pub(crate) fn check_event(name: &str, data: &Value) {
    let schema = match name {
        "start" => "EventStart",
        "token" => "EventToken",
        "done" => "EventDone",
        "error" => "EventError",
        "seen" => "EventSeen",
        "tick" => "EventTick",
        _ => panic!("the contract has no event {name}: {data}"),
    };
    validate(schema, &json!({"$ref": format!("#/components/schemas/{schema}")}), data);
}

/// What is the same for every answer, whatever it says.
#[track_caller]
pub(crate) fn check_common(path: &str, head: &Head) {
    assert!(!head.must("X-Request-Id").is_empty());
    assert_eq!(head.must("X-Content-Type-Options"), "nosniff", "{path}");
    let caching = head.must("Cache-Control");
    let is_script = path.ends_with("/widget.js");
    let is_admin_style = is_of_admin_page(path) && [".css", ".svg"].iter().any(|end| path.ends_with(end));
    let may_be_kept =
        is_script || is_admin_style || path == "/v1/widget/config" || path == "/" || is_of_demo_page(path);
    assert!(caching.contains("no-store") || (may_be_kept && head.status < 400), "{path}: {caching}");
    assert_eq!(head.header("Access-Control-Allow-Credentials"), None, "cookies are never used");
    assert!(is_of_admin_page(path) || head.header("Set-Cookie").is_none(), "visitors get no cookies");
    assert!(is_script || head.header("Content-Encoding").is_none(), "nothing else is compressed");
    if [401].contains(&head.status) {
        assert!(head.must("WWW-Authenticate").starts_with("Bearer"), "{path}");
    }
    if [409, 429, 503].contains(&head.status) && path != "/readyz" {
        let seconds: u64 = head.must("Retry-After").parse().expect("whole seconds");
        assert!(seconds >= 1);
    }
}

/// RFC 9457, and our members.
#[track_caller]
pub(crate) fn check_problem(response: &Response) {
    let problem = response.json();
    validate("Problem", &json!({"$ref": "#/components/schemas/Problem"}), &problem);
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], response.status);
    assert_eq!(problem["request_id"], response.must("X-Request-Id"));
    for member in ["title", "code", "detail"] {
        let text = problem[member].as_str().unwrap_or_default();
        assert!(!text.is_empty(), "{member} is empty: {problem:#}");
    }
    assert_eq!(problem.get("errors").is_some(), response.status == 422, "{problem:#}");
}

/// The documented answer. Nothing is documented for what does not exist: a path that is unknown, a method that is not
/// allowed; there an error must be the answer.
#[track_caller]
fn documented(method: &str, path: &str, status: u16) -> Option<Value> {
    // HEAD is GET without the body (RFC 9110, section 9.3.2).
    let documented_method = if method == "HEAD" { "get" } else { &method.to_ascii_lowercase() };
    let is_pinned_script = path.starts_with("/w/") && path.ends_with("/widget.js");
    let documented_path = if is_pinned_script { "/w/{hash}/widget.js" } else { path };
    let operation = DOCUMENT["paths"].get(documented_path).and_then(|item| item.get(documented_method));
    let Some(operation) = operation else {
        let may_be = [400, 404, 405, 501].contains(&status) || is_of_demo_page(path) || is_of_admin_page(path);
        assert!(may_be, "{method} {path} is not documented and gave {status}");
        return None;
    };
    let answers = &operation["responses"];
    let is_of_the_wire = [408, 411, 414, 417, 431, 501, 505].contains(&status);
    let answer = answers.get(status.to_string()).or_else(|| answers.get("default").filter(|_| is_of_the_wire));
    let answer = answer.unwrap_or_else(|| panic!("{method} {path}: {status} is not documented"));
    Some(resolve(answer).clone())
}

/// Follows one `$ref` inside the document.
fn resolve(value: &Value) -> &Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            let pointer = reference.strip_prefix('#').expect("a reference inside the document");
            DOCUMENT.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
        }
        None => value,
    }
}

/// Validates `instance` by `schema`, whose references are those of the document.
#[track_caller]
pub(crate) fn validate(key: &str, schema: &Value, instance: &Value) {
    let known = VALIDATORS.lock().expect("no panic under this lock").get(key).cloned();
    let validator = known.unwrap_or_else(|| {
        let validator = Arc::new(validator(schema).unwrap_or_else(|error| panic!("the schema of {key}: {error}")));
        VALIDATORS.lock().expect("no panic under this lock").insert(key.to_owned(), validator.clone());
        validator
    });
    let errors: Vec<_> =
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{key} does not match its schema:\n{}\n{instance:#}", errors.join("\n"));
}

fn validator(schema: &Value) -> Result<Validator, String> {
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "allOf": [schema],
        "components": DOCUMENT["components"],
    });
    jsonschema::options().should_validate_formats(true).build(&root).map_err(|error| error.to_string())
}

fn media_type(head: &Head) -> String {
    let content_type = head.header("Content-Type").unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().to_owned()
}
