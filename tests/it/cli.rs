//! The command line: what a person at a terminal reads, and the exit codes.

use std::process::Output;

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::config::Config;
use crate::support::server::{Folder, widgetd};
use crate::support::site::Site;
use crate::support::tokens::{Forgery, SECRET};

/// A configuration that nobody serves.
fn config() -> Config {
    Config::new("http://127.0.0.1:9/v1")
}

/// Runs `widgetd` with `arguments` beside this `widget.toml`.
fn run(toml: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let folder = Folder::new();
    folder.write("widget.toml", toml);
    let mut command = widgetd();
    command.current_dir(folder.path()).args(arguments);
    for (name, value) in environment {
        command.env(name, value);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What is printed on standard error with exit code 2.
#[track_caller]
fn complaints(toml: &str) -> String {
    let output = run(toml, &["check"], &[]);
    assert_eq!(output.status.code(), Some(2), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn help_and_version_are_as_people_expect() {
    let help = run("", &["--help"], &[]);
    assert_eq!(help.status.code(), Some(0));
    let told = text(&help.stdout);
    for word in [
        "serve",
        "check",
        "origin",
        "pause",
        "resume",
        "token",
        "webhook",
        "leads",
        "conversations",
        "events",
        "stats",
        "visitor",
        "backup",
        "restore",
        "admin",
        "--config",
        "--listen",
        "--data",
        "WIDGETD_CONFIG",
        "WIDGETD_LISTEN",
        "WIDGETD_DATA",
        "WIDGETD_LOG",
    ] {
        assert!(told.contains(word), "{word} in\n{told}");
    }
    let version = run("", &["--version"], &[]);
    assert_eq!(version.status.code(), Some(0));
    assert_eq!(text(&version.stdout), format!("widgetd {}\n", env!("CARGO_PKG_VERSION")));
    for unknown in ["--colour", "sevre"] {
        let output = run("", &[unknown], &[]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(unknown) && output.stdout.is_empty());
    }
}

#[test]
fn check_prints_what_each_agent_serves_and_how_to_call_it() {
    let mut config = config();
    config.agent("demo").text("name", "Ada").faq("Where?", "Here.");
    let output = run(&config.to_toml(), &["check"], &[]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}{}", text(&output.stderr));
    for word in [
        "valid",
        "demo",
        "Ada",
        "other",
        ORIGIN,
        "https://other.example",
        "fake",
        "curl",
        "/v1/widget/init",
        "/widget.js",
        "integrity=",
    ] {
        assert!(told.contains(word), "{word} in\n{told}");
    }
}

#[test]
fn check_opens_and_makes_nothing() {
    let folder = Folder::new();
    folder.write("widget.toml", &config().to_toml());
    let status = widgetd().current_dir(folder.path()).arg("check").output().unwrap().status;
    assert_eq!(status.code(), Some(0));
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["widget.toml"]);
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_a_warning() {
    let mut config = config();
    config.agent("demo").origins(&["*"]);
    let output = run(&config.to_toml(), &["check", "--listen", "0.0.0.0:8080"], &[]);
    assert_eq!(output.status.code(), Some(0));
    let told = text(&output.stdout);
    let warnings: Vec<_> = told.lines().filter(|line| line.contains("warning")).collect();
    assert!(warnings.iter().any(|line| line.contains("allowed_origins") && line.contains("[\"*\"]")), "{told}");
    assert!(warnings.iter().any(|line| line.contains("trusted_proxies")), "{told}");
}

/// An origin as it was written, and what to write instead.
#[test]
fn an_origin_that_is_none_is_refused_with_the_one_that_was_meant() {
    for (written, instead) in [
        ("www.example.com", "https://www.example.com"),
        ("https://www.example.com/", "https://www.example.com"),
        ("https://www.example.com/shop?a#b", "https://www.example.com"),
        ("https://WWW.Example.com", "https://www.example.com"),
        ("https://www.example.com:443", "https://www.example.com"),
        ("https://user:pass@www.example.com", "https://www.example.com"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("//www.example.com", "https://"),
        ("https://*.example.com", "full name"),
        ("*.example.com", "https://"),
        ("", "https://"),
        ("null", "web server"),
        ("https://", "https://www.example.com"),
    ] {
        let mut config = config();
        config.agent("demo").origins(&[written]);
        let told = complaints(&config.to_toml());
        assert!(told.contains("allowed_origins[0]"), "{written}: {told}");
        assert!(told.contains(instead), "{written}: {told}");
    }
    let mut config = config();
    config.agent("demo").origins(&["*", ORIGIN]);
    assert!(complaints(&config.to_toml()).contains("[\"*\"]"));
}

#[test]
fn every_mistake_is_told_at_once_with_its_line_and_what_to_write_instead() {
    let toml = "\
[server]
listne = \"127.0.0.1:8080\"
workers = 0
shutdown_grace = \"20 parsecs\"

[limits]
init_per_address = \"many\"

[colours]
sky = \"blue\"

[[model]]
name = \"builtin\"
url = \"api.example.com\"
model = 7

[[agent]]
id = \"Demo!\"
allowed_origins = \"https://www.example.com\"
models = [\"gpt\"]
starter_prompts = [\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\"]

[agent.theme]
accent = \"blue\"

[agent.budget]
messages = -1
";
    let told = complaints(toml);
    for (line, words) in [
        (2, &["server.listne", "did you mean listen"][..]),
        (3, &["server.workers", "0", "1 to"]),
        (4, &["server.shutdown_grace", "20 parsecs"]),
        (7, &["limits.init_per_address", "many", "60/1m"]),
        (9, &["colours"]),
        (13, &["model[0].name", "builtin"]),
        (14, &["model[0].url", "api.example.com", "https://"]),
        (15, &["model[0].model", "7", "quotes"]),
        (18, &["agent[0].id", "Demo!"]),
        (19, &["agent[0].allowed_origins", "[\"https://www.example.com\"]"]),
        (20, &["agent[0].models", "gpt", "builtin"]),
        (21, &["agent[0].starter_prompts", "7", "6"]),
        (24, &["agent[0].theme.accent", "blue", "#"]),
        (27, &["agent[0].budget.messages", "-1"]),
    ] {
        let place = format!("widget.toml:{line}: ");
        let complaint = told.lines().find(|told| told.starts_with(&place));
        let complaint = complaint.unwrap_or_else(|| panic!("nothing about line {line} in\n{told}"));
        for word in words {
            assert!(complaint.contains(word), "{word:?} in {complaint}");
        }
    }
    assert!(told.contains("agent[0].name"), "a key that is missing: {told}");
}

#[test]
fn a_file_that_is_no_toml_or_not_there_is_told_so() {
    assert!(complaints("[server\nlisten = ").contains("widget.toml:1"));
    assert!(complaints("").contains("[[agent]]"));
    let output = run("", &["check", "--config", "nowhere.toml"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("nowhere.toml"));
}

#[test]
fn a_key_in_a_prompt_or_a_variable_that_is_not_set_is_a_mistake() {
    let mut with_key = config();
    with_key.agent("demo").text("system_prompt", "Use sk-proj-abcdefghij0123456789 for everything.");
    let told = complaints(&with_key.to_toml());
    assert!(told.contains("system_prompt") && !told.contains("sk-proj-abcdefghij0123456789"), "{told}");
    let mut without = config();
    without.fake("key_env", "\"NO_SUCH_VARIABLE\"");
    assert!(complaints(&without.to_toml()).contains("NO_SUCH_VARIABLE"));
}

#[test]
fn origin_says_whether_a_page_may_and_what_to_add() {
    let toml = config().to_toml();
    let allowed = run(&toml, &["origin", "demo", "https://www.example.com/contact?a=b"], &[]);
    assert_eq!(allowed.status.code(), Some(0));
    assert!(text(&allowed.stdout).contains("allowed") && !text(&allowed.stdout).contains("not allowed"));
    let refused = run(&toml, &["origin", "demo", "https://shop.example.com/contact"], &[]);
    assert_eq!(refused.status.code(), Some(1));
    let told = text(&refused.stdout);
    for word in [
        "not allowed",
        "https://shop.example.com",
        "allowed_origins",
        "[\"https://www.example.com\", \"https://shop.example.com\"]",
    ] {
        assert!(told.contains(word), "{word} in {told}");
    }
    let unknown = run(&toml, &["origin", "nobody", "https://shop.example.com"], &[]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("demo"), "it names those that there are");
    assert_eq!(run(&toml, &["origin", "demo", "shop"], &[]).status.code(), Some(2));
}

#[test]
fn a_token_of_the_command_line_works_with_the_server() {
    let site = Site::start();
    let folder = site.server.data();
    let config = folder.parent().unwrap().join("widget.toml");
    let output =
        widgetd().arg("token").arg("demo").arg("--config").arg(config).arg("--data").arg(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let token = printed.trim();
    assert_eq!(printed, format!("{token}\n"), "nothing else on standard output");
    assert_eq!(Forgery::of(token).claims["aid"], "demo");
    let event = Request::post("/v1/widget/events", &json!({"type": "dismiss"})).bearer(token);
    site.call(&event).expect(202);
}

#[test]
fn a_secret_under_32_bytes_is_refused() {
    let toml = config().to_toml();
    for secret in ["short", &"x".repeat(31), &format!("{SECRET},short")] {
        let output = run(&toml, &["serve", "--listen", "127.0.0.1:0"], &[("WIDGETD_JWT_SECRET", secret)]);
        assert!(!output.status.success(), "{secret}");
        let told = text(&output.stderr);
        assert!(told.contains("WIDGETD_JWT_SECRET") && told.contains("32"), "{told}");
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.write("widget.toml", &config().to_toml());
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let secret = folder.write("data/secret", &"x".repeat(64));
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = widgetd();
    command.env_remove("WIDGETD_JWT_SECRET").current_dir(folder.path());
    let output = command.args(["serve", "--listen", "127.0.0.1:0"]).output().unwrap();
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("chmod 600"), "{}", text(&output.stderr));
}

#[test]
fn a_port_that_is_taken_is_told_in_words() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&config().to_toml(), &["serve", "--listen", &address], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains(&address) && text(&output.stderr).contains("--listen"));
}

#[test]
fn the_start_names_url_database_models_and_warnings() {
    let site = Site::with(|config| {
        config.agent("demo").origins(&["*"]);
    });
    let address = site.address().to_string();
    for words in [
        ["listening on", address.as_str()],
        ["database", "widgetd.db"],
        ["fake", "scripted"],
        ["builtin", "FAQ"],
        ["warning", "allowed_origins"],
    ] {
        let line = site.server.wait_for_line(words[1]);
        let printed = site.server.printed();
        assert!(
            printed.lines().any(|line| words.iter().all(|word| line.contains(word))),
            "{words:?} in {line}\n{printed}"
        );
    }
}

#[test]
fn a_log_in_json_has_one_object_a_line() {
    let site = Site::with_environment(&[("WIDGETD_LOG", "info,json")], |_| {});
    let tricky = Request::get("/no%0Athing?a=1").origin("https://a\"}{\"level\":\"ERROR");
    let id = site.call(&tricky).must("X-Request-Id").to_owned();
    site.init("demo");
    let line = site.server.wait_for_line(&id);
    let entry: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&entry["level"], &entry["status"]), (&json!("INFO"), &json!(404)), "{entry}");
    assert_eq!((&entry["method"], &entry["path"]), (&json!("GET"), &json!("/no%0Athing")));
    assert!(entry["ms"].is_number() || entry["ms"].is_string(), "{entry}");
    for line in site.server.printed().lines().filter(|line| line.contains("request_id")) {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}

#[test]
fn the_shipped_configuration_runs_the_demo() {
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/widget.toml")).unwrap();
    let server = crate::support::server::Server::start(&shipped, &[]);
    let origin = format!("http://localhost:{}", server.address().port());
    let mut connection = crate::support::client::Connection::open(server.address());
    let init = Request::post("/v1/widget/init", &json!({"agent_id": "demo"})).origin(&origin);
    let answer = connection.call(&init).expect(200);
    let prompts = answer["agent"]["starter_prompts"].as_array().unwrap().clone();
    assert!(!prompts.is_empty());
    for prompt in prompts {
        let question = Request::post("/v1/widget/messages", &json!({"content": prompt})).origin(&origin);
        let turn = connection.call(&question.bearer(answer["token"].as_str().unwrap())).expect(200);
        let text = turn["message"]["content"].as_str().unwrap();
        assert!(text.len() > 60 && !text.contains("do not know"), "{prompt}: {text}");
    }
}

#[test]
fn a_second_server_on_the_same_folder_does_not_start() {
    let site = Site::start();
    let data = site.server.data();
    let mut second = widgetd();
    second.arg("--config").arg(data.parent().unwrap().join("widget.toml")).arg("--data").arg(&data);
    let output = second.args(["--listen", "127.0.0.1:0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another widgetd serves it"), "{}", text(&output.stderr));
    site.init("demo").ask("Are you there?").done();
}

#[test]
fn the_owners_commands_want_none_of_the_servers_secrets() {
    let toml = config().fake("key_env", "\"NOT_SET_HERE\"").to_toml();
    let complaint = complaints(&toml);
    assert!(complaint.contains("NOT_SET_HERE"), "{complaint}");
    for command in
        [&["origin", "demo", "https://www.example.com/"][..], &["stats"], &["pause", "demo"], &["leads", "list"]]
    {
        let output = run(&toml, command, &[]);
        let told = text(&output.stderr);
        assert!(!told.contains("NOT_SET_HERE"), "{command:?}: {told}");
    }
}
