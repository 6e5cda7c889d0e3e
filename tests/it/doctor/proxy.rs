//! What is wrong with the server, or with what stands before it.

use rustix::process::Signal;

use super::Scene;
use crate::support::config::Agent;
use crate::support::relay::{Address, Habits};

/// With these habits of the proxy there is this one finding; with those of a good one there is none.
#[track_caller]
fn blamed(habits: Habits, id: &str, severity: &str) -> Vec<String> {
    let scene = Scene::start();
    scene.behave(habits);
    let lines = scene.diagnosis().only(id, severity);
    scene.behave(Habits::default());
    scene.diagnosis().healthy();
    lines
}

#[test]
fn a_proxy_that_holds_streams_back_is_found_out() {
    let lines = blamed(Habits { buffers: true, ..Habits::default() }, "stream-buffered", "error");
    assert_eq!(lines, ["proxy_buffering off;"]);
}

#[test]
fn a_proxy_that_passes_on_what_clients_claim_is_found_out() {
    let habits = Habits { address: Address::PassedOn, ..Habits::default() };
    let lines = blamed(habits, "forwarded-for-forged", "error");
    assert_eq!(lines, ["proxy_set_header X-Forwarded-For $remote_addr;"]);
}

#[test]
fn a_proxy_that_says_nothing_of_its_clients_is_found_out() {
    blamed(Habits { address: Address::Left, ..Habits::default() }, "forwarded-for-missing", "warning");
}

#[test]
fn a_proxy_that_is_not_trusted_gets_the_line_that_trusts_it() {
    let scene = Scene::with(|config| {
        config.unset("server", "trusted_proxies");
    });
    let lines = scene.diagnosis().only("trusted-proxies-missing", "warning");
    assert_eq!(lines, ["trusted_proxies = [\"127.0.0.1\"]"]);
}

#[test]
fn a_second_line_that_allows_an_origin_is_found() {
    let head = |target: &str, head: String| {
        if target.starts_with("/v1/") { format!("{head}\r\nAccess-Control-Allow-Origin: *") } else { head }
    };
    blamed(Habits { head, ..Habits::default() }, "cors-doubled", "error");
}

#[test]
fn a_proxy_that_takes_the_line_away_is_found() {
    let head = |_: &str, head: String| {
        let lines = head.split("\r\n").filter(|line| !line.to_lowercase().starts_with("access-control-allow-origin"));
        lines.collect::<Vec<_>>().join("\r\n")
    };
    blamed(Habits { head, ..Habits::default() }, "cors-missing", "error");
}

#[test]
fn a_proxy_that_answers_preflights_with_a_login_is_found() {
    let instead = |method: &str, _: &str| {
        (method == "OPTIONS")
            .then(|| "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into())
    };
    blamed(Habits { instead, ..Habits::default() }, "preflight-refused", "error");
}

#[test]
fn a_script_of_a_wrong_type_is_found() {
    let head = |target: &str, head: String| {
        if target == "/widget.js" { head.replace("text/javascript", "text/plain") } else { head }
    };
    blamed(Habits { head, ..Habits::default() }, "script-type", "error");
}

#[test]
fn a_stream_that_is_compressed_is_found() {
    let head = |target: &str, head: String| {
        if target.ends_with("stream-test") { format!("{head}\r\nContent-Encoding: gzip") } else { head }
    };
    let lines = blamed(Habits { head, ..Habits::default() }, "stream-compressed", "warning");
    assert_eq!(lines, ["gzip off;"]);
}

#[test]
fn a_stream_that_is_cut_is_found() {
    let instead = |_: &str, target: &str| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        target
            .ends_with("stream-test")
            .then(|| format!("{head}event: seen\ndata: {{\"number\":1,\"ms\":0,\"of\":5}}\n\n"))
    };
    blamed(Habits { instead, ..Habits::default() }, "stream-cut", "error");
}

#[test]
fn a_proxy_that_redirects_gives_away_the_right_public_url() {
    let instead = |_: &str, target: &str| {
        Some(format!(
            "HTTP/1.1 301 Moved\r\nLocation: https://chat.internal{target}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        ))
    };
    let lines = blamed(Habits { instead, ..Habits::default() }, "server-redirects", "error");
    assert_eq!(lines, ["public_url = \"https://chat.internal\""]);
}

#[test]
fn a_proxy_before_nothing_is_found() {
    let scene = Scene::start();
    scene.relay.forward_to(None);
    let lines = scene.diagnosis().only("server-bad-gateway", "error");
    assert!(lines.iter().any(|line| line.contains(&scene.site.address().to_string())), "{lines:?}");
    scene.relay.forward_to(Some(scene.site.address()));
    scene.diagnosis().healthy();
}

#[test]
fn another_server_at_the_public_address_is_found() {
    let instead = |_: &str, _: &str| {
        Some("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nHi".into())
    };
    blamed(Habits { instead, ..Habits::default() }, "server-other", "error");
}

#[test]
fn a_server_that_is_not_there_is_found() {
    let mut scene = Scene::start();
    scene.write_config(|config| {
        config.text("server", "public_url", "http://127.0.0.1:9");
    });
    scene.show(&scene.tag().replace(&scene.relay.origin(), "http://127.0.0.1:9"));
    scene.diagnosis().only("server-unreachable", "error");
}

#[test]
fn a_server_that_has_not_read_its_file_again_is_found() {
    let mut scene = Scene::start();
    scene.write_config(|config| {
        config.agent("demo").text("name", "Ada");
    });
    assert_eq!(scene.diagnosis().only("server-stale", "warning"), ["systemctl reload widgetd"]);
    scene.site.server.signal(Signal::HUP);
    scene.site.server.wait_for_line("widget.toml reloaded");
    scene.diagnosis().healthy();
}

#[test]
fn an_agent_that_the_running_server_does_not_know_yet_is_found() {
    let mut scene = Scene::start();
    let origin = scene.web.origin();
    scene.write_config(|config| {
        config.add_agent(Agent::new("sales", &origin));
    });
    scene.show(&scene.tag().replace("demo", "sales"));
    assert_eq!(scene.diagnosis().only("server-other-agent", "error"), ["systemctl reload widgetd"]);
    scene.site.server.signal(Signal::HUP);
    scene.site.server.wait_for_line("widget.toml reloaded");
    scene.diagnosis().healthy();
}

#[test]
fn a_server_that_refuses_further_calls_is_no_error() {
    let scene = Scene::with(|config| {
        config.text("limits", "messages_per_address", "1/1m");
    });
    scene.diagnosis().only("rate-limited", "warning");
}

#[test]
fn a_page_that_the_running_server_does_not_know_yet_is_found() {
    let mut scene = Scene::with(|config| {
        config.agent("demo").origins(&["https://shop.internal"]);
    });
    let origin = scene.web.origin();
    scene.write_config(|config| {
        config.agent("demo").origins(&[&origin]);
    });
    scene.diagnosis().only("server-stale", "error");
}

#[test]
fn a_paused_agent_is_told_with_the_command_that_resumes_it() {
    let scene = Scene::start();
    let data = scene.site.server.data();
    let data = data.to_str().unwrap();
    assert!(scene.run(&["pause", "demo", "--data", data]).status.success());
    let lines = scene.diagnosis().only("agent-paused", "warning");
    assert_eq!(lines, ["widgetd resume demo"]);
    assert!(scene.run(&["resume", "demo", "--data", data]).status.success());
    scene.diagnosis().healthy();
}

#[test]
fn without_a_public_url_the_tag_tells_where_the_server_is() {
    let scene = Scene::with(|config| {
        config.unset("server", "public_url").unset("server", "trusted_proxies");
    });
    let report = scene.diagnosis();
    assert_eq!(report.ids(), ["public-url-unknown", "trusted-proxies-missing"], "{:#}", report.document);
    let line = format!("public_url = \"{}\"", scene.relay.origin());
    assert_eq!(report.document["findings"][0]["lines"][0], line);
    assert_eq!(report.code, 0, "the widget works");
}
