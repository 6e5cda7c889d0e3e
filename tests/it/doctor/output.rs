//! What a person reads, what a program reads, and what stays behind: nothing.

use serde_json::json;

use super::Scene;
use crate::support::db;
use crate::support::relay::Habits;
use crate::support::web::Told;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_site_on_which_all_is_well_is_told_so_in_one_line() {
    let scene = Scene::start();
    let output = scene.run(&["doctor", &scene.web.origin()]);
    let told = text(output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.lines().next().unwrap().starts_with("All is well: the widget works on http://127.0.0.1:"), "{told}");
    assert!(told.contains("fine: answers come through word by word"), "{told}");
}

#[test]
fn what_is_wrong_comes_first_with_its_line_below() {
    let scene = Scene::start();
    scene.show(&format!("{0}{0}", scene.tag()));
    scene.behave(Habits { buffers: true, ..Habits::default() });
    let output = scene.run(&["doctor", &scene.web.origin()]);
    let told = text(output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    let lines: Vec<_> = told.lines().collect();
    assert!(lines[0].starts_with("1 thing to mend on http://127.0.0.1:"), "{told}");
    assert!(lines[2].starts_with("error: ") && lines[2].ends_with("[stream-buffered]"), "{told}");
    assert_eq!(lines[4], "    proxy_buffering off;", "{told}");
    assert!(lines[6].starts_with("warning: ") && lines[6].ends_with("[tag-twice]"), "{told}");
}

#[test]
fn a_page_cannot_write_to_the_terminal() {
    let scene = Scene::start();
    scene.show(&format!(
        "<meta http-equiv=content-security-policy content=\"script-src \u{1b}[2Ja\u{202e}b\">{}",
        scene.tag()
    ));
    let told = text(scene.run(&["doctor", &scene.web.origin()]).stdout);
    assert!(told.contains("[csp-script]") && !told.contains(['\u{1b}', '\u{202e}']), "{told:?}");
}

#[test]
fn a_tag_that_was_not_seen_is_not_said_to_work() {
    let scene = Scene::start();
    let url = format!("{}/widget.js", scene.relay.origin());
    scene.show(&format!("<script>s.src = '{url}'; s.dataset.agentId = 'demo'</script>"));
    let report = scene.diagnosis();
    assert_eq!(report.only("tag-inserted", "note"), [scene.tag()]);
    assert_eq!(report.document["has_tag"], false);
    let told = text(scene.run(&["doctor", &scene.web.origin()]).stdout);
    assert!(told.starts_with("Nothing to mend was found, but no tag was seen on "), "{told}");
}

#[test]
fn a_password_in_the_address_is_not_printed() {
    let scene = Scene::start();
    let there = scene.web.origin().replace("http://", "http://someone:hidden@");
    scene.web.tell("/old", Told::redirect(&format!("{there}/")));
    for address in [there, format!("{}/old", scene.web.origin())] {
        let told = text(scene.run(&["doctor", &address]).stdout);
        assert!(told.starts_with("All is well") && !told.contains("hidden") && !told.contains("someone"), "{told}");
    }
}

#[test]
fn json_is_one_document() {
    let scene = Scene::start();
    let document = scene.diagnosis().document;
    assert_eq!(document["ok"], true);
    assert_eq!(document["page"], format!("{}/", scene.web.origin()));
    assert_eq!((&document["agent"], &document["server"]), (&json!("demo"), &json!(scene.relay.origin())));
    assert!(document["fine"].as_array().is_some_and(|fine| fine.len() >= 6), "{document:#}");
    scene.show("<p>Hello</p>");
    let document = scene.diagnosis().document;
    assert_eq!(document["ok"], false);
    let finding = document["findings"][0].as_object().unwrap();
    assert_eq!(finding.keys().collect::<Vec<_>>(), ["advice", "found", "id", "lines", "severity"]);
}

#[test]
fn it_leaves_nothing_behind() {
    let scene = Scene::start();
    scene.diagnosis().healthy();
    for table in ["visitors", "conversations", "messages", "leads", "events", "day_refused_origins"] {
        let rows = db::count(&scene.site.server.data(), &format!("select count(*) from {table}"));
        assert_eq!(rows, 0, "{table}");
    }
    assert!(scene.site.model.requests().is_empty());
}

#[test]
fn an_agent_may_be_named_and_the_page_is_held_against_it() {
    let scene = Scene::start();
    let origin = scene.web.origin();
    scene.ask_with(&origin, &["--agent", "demo"]).healthy();
    let report = scene.ask_with(&origin, &["--agent", "other"]);
    assert_eq!(report.ids()[..2], ["agent-other", "origin-not-allowed"], "{:#}", report.document);
}

#[test]
fn what_cannot_be_looked_at_is_a_mistake_of_the_command() {
    let scene = Scene::start();
    let origin = scene.web.origin();
    let missing = scene.config_file().with_file_name("nothing.pem");
    let garbled = scene.config_file();
    for (arguments, word) in [
        (vec!["doctor", "ftp://example.com"], "https://www.example.com"),
        (vec!["doctor", "mailto:ann@example.com"], "https://www.example.com"),
        (vec!["doctor", "https://"], "https://www.example.com"),
        (vec!["doctor", &origin, "--agent", "nobody"], "demo"),
        (vec!["doctor", &origin, "--ca-file", missing.to_str().unwrap()], "nothing.pem"),
        (vec!["doctor", &origin, "--ca-file", garbled.to_str().unwrap()], "BEGIN CERTIFICATE"),
        (vec!["doctor"], "URL"),
    ] {
        let output = scene.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = text(output.stderr);
        assert!(told.contains(word) && output.stdout.is_empty(), "{told}");
    }
}

#[test]
fn check_tells_what_needs_no_network_in_the_same_words() {
    let mut scene = Scene::start();
    scene.write_config(|config| {
        config.text("server", "public_url", "http://chat.example.com");
        let demo = config.agent("demo");
        demo.origins(&["https://www.example.com"]).set("restricted_paths", "[\"/*\"]");
    });
    let told = |scene: &Scene| {
        let output = scene.run(&["check"]);
        assert_eq!(output.status.code(), Some(0), "the file is valid");
        text(output.stdout)
    };
    let told_now = told(&scene);
    for (severity, id) in
        [("warning", "public-url-not-https"), ("warning", "paths-all-restricted"), ("note", "origin-twin-missing")]
    {
        let is_it = |line: &&str| line.starts_with(&format!("{severity}: ")) && line.ends_with(&format!("[{id}]"));
        assert!(told_now.lines().any(|line| is_it(&line)), "{id}: {told_now}");
    }
    scene.write_config(|config| {
        config.text("server", "public_url", "https://chat.example.com");
        config.remove_agent("other");
        let demo = config.agent("demo");
        demo.origins(&["https://www.example.com", "https://example.com"]).set("restricted_paths", "[]");
    });
    assert!(!told(&scene).contains('['), "nothing is left");
}
