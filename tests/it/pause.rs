//! The kill switch: `widgetd pause` and `widgetd resume` beside the running server.

use std::process::Output;

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::server::{Folder, widgetd};
use crate::support::site::Site;

/// Runs a command on the files of the running server.
fn run(site: &Site, arguments: &[&str]) -> Output {
    let data = site.server.data();
    let config = data.parent().unwrap().join("widget.toml");
    widgetd().arg("--config").arg(config).arg("--data").arg(data).args(arguments).output().unwrap()
}

/// What it prints when all is well.
#[track_caller]
fn told(site: &Site, arguments: &[&str]) -> String {
    let output = run(site, arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_paused_agent_asks_no_model_from_the_next_message_on_and_all_else_goes_on() {
    let site = Site::start();
    let visitor = site.init("demo");
    let message = json!({"content": "Hello", "client_message_id": "c1"});
    visitor.post("/v1/widget/messages", &message).expect(200);
    assert!(told(&site, &["pause", "demo"]).contains("widgetd resume demo"));
    let refused = visitor.say("Hello");
    let problem = refused.refused(503, "agent_paused");
    assert_eq!(refused.retry_after(), 300);
    assert!(problem["detail"].as_str().unwrap().starts_with("The assistant is taking a break."), "{problem}");
    visitor.refused(&json!({"content": "Hello"})).refused(503, "agent_paused");
    assert_eq!(site.model.requests().len(), 1);
    assert_eq!(site.resume(&visitor).messages().len(), 2, "what is refused is not stored");
    assert!(visitor.answer["agent"]["strings"]["agent_paused"].is_string());
    site.call(&Request::get("/v1/widget/config?agent_id=demo").origin(ORIGIN)).expect(200);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    visitor.event(&json!({"type": "launcher_open"})).expect(202);
    visitor.post("/v1/widget/messages", &message).expect(200);
    site.init("other").ask("Hello").done();
    let ready = site.get("/readyz").expect(200);
    assert_eq!(ready["paused_agents"], json!(["demo"]));
    assert_eq!(ready["status"], "ready");
    assert!(told(&site, &["check"]).contains("`widgetd resume demo` lets it answer again"));
    assert!(told(&site, &["resume", "demo"]).contains("answers again"));
    visitor.ask("Hello").done();
    assert_eq!(site.get("/readyz").expect(200)["paused_agents"], json!([]));
    assert!(!told(&site, &["check"]).contains("paused"));
}

#[test]
fn an_answer_that_has_begun_when_its_agent_is_paused_comes_to_its_end() {
    let site = Site::start();
    let gate = site.model.will_hold(&["Hel"], &["lo"]);
    let mut stream = site.init("demo").open("Hello");
    stream.expect("start");
    told(&site, &["pause", "demo"]);
    gate.open();
    stream.rest().done();
}

#[test]
fn a_pause_outlives_a_restart_and_to_pause_twice_is_no_mistake() {
    let mut site = Site::start();
    let visitor = site.init("demo");
    told(&site, &["pause", "demo"]);
    assert!(told(&site, &["pause", "demo"]).contains("already"));
    site.kill_and_restart();
    visitor.at(&site).say("Hello").refused(503, "agent_paused");
    told(&site, &["resume", "demo"]);
    assert!(told(&site, &["resume", "demo"]).contains("was not paused"));
    visitor.at(&site).ask("Hello").done();
}

#[test]
fn an_agent_that_is_not_there_and_a_folder_without_a_database_are_told_apart() {
    let site = Site::start();
    let output = run(&site, &["pause", "dmo"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it has: demo, other"));
    let folder = Folder::new();
    let empty = folder.path().join("data");
    let config = site.server.data().parent().unwrap().join("widget.toml");
    let output =
        widgetd().arg("--config").arg(config).arg("--data").arg(&empty).args(["pause", "demo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no database in"));
    assert!(!empty.exists(), "a command makes none");
}
