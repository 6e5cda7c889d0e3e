//! What stands beside the widget API: health, the API's description, and what does not exist.

use std::collections::BTreeSet;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::openapi::{self, DOCUMENT};
use crate::support::server::widgetd;
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

#[test]
fn the_process_answers_and_storage_is_ready() {
    let site = SITE.get();
    assert_eq!(site.get("/healthz").expect(200)["status"], "ok");
    assert_eq!(site.get("/readyz").expect(200)["status"], "ready");
}

#[test]
fn the_command_asks_the_running_server() {
    let mut site = Site::start();
    let config = site.server.data().with_file_name("widget.toml");
    // A server that listens on all addresses is asked on loopback.
    let everywhere = format!("0.0.0.0:{}", site.address().port());
    let health = || {
        let mut command = widgetd();
        command.arg("health").args(["--listen", &everywhere]).arg("--config").arg(&config);
        command.output().unwrap()
    };
    let output = health();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with(&format!("ready at http://{}/: {{", site.address())), "{said}");
    site.server.signal(Signal::TERM);
    site.server.wait();
    let output = health();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no server answers at http://127.0.0.1:"));
}

#[test]
fn request_ids_differ() {
    let site = SITE.get();
    let ids: BTreeSet<_> = (0..20).map(|_| site.get("/healthz").must("X-Request-Id").to_owned()).collect();
    assert_eq!(ids.len(), 20);
}

#[test]
fn the_description_that_is_served_is_the_one_in_the_tree() {
    let site = SITE.get();
    assert_eq!(site.get("/openapi.json").expect(200), *DOCUMENT);
}

#[test]
fn the_description_is_openapi_3_1_of_every_endpoint() {
    assert!(DOCUMENT["openapi"].as_str().unwrap().starts_with("3.1."), "{}", DOCUMENT["openapi"]);
    for (path, method) in [
        ("/v1/widget/init", "post"),
        ("/v1/widget/messages/stream", "post"),
        ("/v1/widget/messages", "post"),
        ("/v1/widget/leads", "post"),
        ("/v1/widget/events", "post"),
        ("/v1/widget/config", "get"),
        ("/v1/widget/check", "get"),
        ("/healthz", "get"),
        ("/readyz", "get"),
        ("/openapi.json", "get"),
    ] {
        let operation = &DOCUMENT["paths"][path][method];
        assert!(operation["responses"].is_object(), "{method} {path}");
        if method == "post" {
            assert!(operation["requestBody"]["content"]["application/json"].is_object(), "{path}");
            assert!(DOCUMENT["paths"][path]["options"].is_object(), "OPTIONS {path}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_schema_is_one() {
    let mut references = Vec::new();
    collect_references(&DOCUMENT, &mut references);
    assert!(!references.is_empty());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("inside the document");
        assert!(DOCUMENT.pointer(pointer).is_some(), "{reference}");
    }
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        jsonschema::draft202012::meta::validate(schema).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_example_matches_its_schema() {
    let mut checked = 0;
    check_examples("", &DOCUMENT, &mut checked);
    assert!(checked > 0, "the description has examples");
}

/// Media type objects that have both a schema and an example.
fn check_examples(path: &str, value: &Value, checked: &mut usize) {
    let Value::Object(members) = value else {
        if let Value::Array(items) = value {
            items.iter().enumerate().for_each(|(i, item)| check_examples(&format!("{path}/{i}"), item, checked));
        }
        return;
    };
    if let (Some(schema), Some(example)) = (members.get("schema"), members.get("example")) {
        openapi::validate(&format!("the example at {path}"), schema, example);
        *checked += 1;
    }
    if let (Some(schema), Some(Value::Object(examples))) = (members.get("schema"), members.get("examples")) {
        for (name, example) in examples {
            openapi::validate(&format!("the example {name} at {path}"), schema, &example["value"]);
            *checked += 1;
        }
    }
    members.iter().for_each(|(name, member)| check_examples(&format!("{path}/{name}"), member, checked));
}

fn collect_references(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, references)),
        _ => {}
    }
}

#[test]
fn paths_that_are_unknown_are_not_found() {
    let site = SITE.get();
    for target in [
        "/v1/widget",
        "/v1/widget/",
        "/v1/widget/init/",
        "/v1/widget/Init",
        "/v1/widget/%69nit",
        "/v2/widget/init",
        "/metrics",
        "/.env",
        "//healthz",
        "/healthz/../healthz",
        "/v1/widget/messages/stream/x",
    ] {
        for method in ["GET", "POST"] {
            site.call(&Request::new(method, target).origin(ORIGIN)).refused(404, "not_found");
        }
    }
}

#[test]
fn another_method_is_told_which_are_allowed() {
    let site = SITE.get();
    for path in ["init", "messages", "messages/stream", "leads", "events"] {
        for method in ["GET", "PUT", "PATCH", "DELETE", "QUERY"] {
            let response = site.call(&Request::new(method, &format!("/v1/widget/{path}")).origin(ORIGIN).body("{}"));
            response.refused(405, "method_not_allowed");
            let allow: BTreeSet<_> = response.must("Allow").split(", ").map(str::to_owned).collect();
            assert_eq!(allow, BTreeSet::from(["OPTIONS".into(), "POST".into()]), "{method} {path}");
        }
    }
    for path in ["/healthz", "/readyz", "/openapi.json", "/v1/widget/config", "/v1/widget/check"] {
        let response = site.call(&Request::post(path, &json!({})));
        response.refused(405, "method_not_allowed");
        assert!(response.must("Allow").split(", ").any(|method| method == "GET"), "{path}");
    }
}

#[test]
fn a_query_changes_nothing_on_a_path() {
    let site = SITE.get();
    site.get("/healthz?a=b").expect(200);
    site.get("/healthz?").expect(200);
}
