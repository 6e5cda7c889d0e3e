//! `/metrics`: each figure moves when its thing happens. `access` is who may read it, and what nobody reads there.

mod access;

use std::net::SocketAddr;

use serde_json::json;

use crate::fake_model::{FakeModel, respond};
use crate::support::client::{Connection, Request, Response};
use crate::support::config::{Agent, Config};
use crate::support::server::widgetd;
use crate::support::site::{Site, init_request};
use crate::support::{ORIGIN, db, wait_until};

/// A site with an address for the metrics.
fn site(change: impl FnOnce(&mut Config)) -> Site {
    Site::with(|config| {
        config.text("admin", "listen", "127.0.0.1:0");
        change(config);
    })
}

fn address(site: &Site) -> SocketAddr {
    let line = site.server.wait_for_line("metrics   http://");
    let address = line.split("http://").nth(1).and_then(|rest| rest.strip_suffix("/metrics"));
    address.expect("a URL").parse().expect("an address")
}

fn request() -> Request {
    Request::get("/metrics").header("Host", "127.0.0.1")
}

fn answer(address: SocketAddr, request: &Request) -> Response {
    Connection::open(address).call_lightly(request)
}

#[track_caller]
fn scrape(site: &Site) -> String {
    let response = answer(address(site), &request());
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.must("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    response.text()
}

/// The figure of a sample; none: there is no such sample.
fn find(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

#[track_caller]
fn value(site: &Site, sample: &str) -> f64 {
    let text = scrape(site);
    find(&text, sample).unwrap_or_else(|| panic!("no {sample} in\n{text}"))
}

#[track_caller]
fn wait_for(site: &Site, sample: &str, expected: f64) {
    wait_until(&format!("{sample} is {expected}"), || find(&scrape(site), sample) == Some(expected));
}

/// That the figure grows by one when this happens.
#[track_caller]
fn grows(site: &Site, sample: &str, happens: impl FnOnce()) {
    let before = find(&scrape(site), sample).unwrap_or(0.0);
    happens();
    wait_for(site, sample, before + 1.0);
}

#[test]
fn a_stream_is_open_until_it_ends_and_then_all_of_it_is_counted() {
    let site = site(|config| {
        config.fake("input_price", "1000").fake("output_price", "2000").text("ceiling", "currency", "EUR");
        config.set("ceiling", "tokens_per_day", 100_000);
    });
    let gate = site.model.will_hold(&["Hel"], &["lo"]);
    let mut stream = site.init("demo").open("Hello");
    stream.expect("start");
    stream.expect("token");
    for sample in ["streams_open", "generation_places_used"] {
        assert_eq!(value(&site, &format!("widgetd_{sample}")).to_bits(), 1_f64.to_bits(), "{sample}");
    }
    wait_for(&site, "widgetd_connections{state=\"answering\"}", 1.0);
    assert!(value(&site, "widgetd_ceiling_used_ratio{ceiling=\"tokens_per_day\"}") > 0.0, "it is reserved");
    gate.open();
    stream.rest().done();
    for (sample, expected) in [
        ("streams_open", 0.0),
        ("generation_places_used", 0.0),
        ("generation_places_max", 64.0),
        ("http_requests_total{route=\"/v1/widget/messages/stream\",status=\"200\"}", 1.0),
        ("http_requests_total{route=\"/v1/widget/init\",status=\"200\"}", 1.0),
        ("http_request_duration_seconds_count{route=\"/v1/widget/messages/stream\"}", 1.0),
        ("answers_total{outcome=\"complete\"}", 1.0),
        ("first_token_seconds_count", 1.0),
        ("model_calls_total{model=\"fake\"}", 1.0),
        ("model_first_token_seconds_count{model=\"fake\"}", 1.0),
        ("model_answer_seconds_count{model=\"fake\"}", 1.0),
        ("model_skipped{model=\"fake\"}", 0.0),
        ("input_tokens_total", 20.0),
        ("output_tokens_total", 10.0),
        ("cost_total{currency=\"EUR\"}", 0.04),
        ("ceiling_used_ratio{ceiling=\"tokens_per_day\"}", 0.0003),
        ("ready", 1.0),
    ] {
        wait_for(&site, &format!("widgetd_{sample}"), expected);
    }
    assert!(value(&site, "widgetd_commit_writes_count") >= 2.0, "the question and the answer");
    assert!(value(&site, "widgetd_database_size_bytes") > 0.0 && value(&site, "widgetd_wal_size_bytes") > 0.0);
    assert!(value(&site, "widgetd_disk_free_bytes") > 0.0);
}

#[test]
fn a_visitor_who_leaves_is_no_failure_of_the_model() {
    let site = site(|_| {});
    site.model.will_hang_after(&["Hel"]);
    grows(&site, "widgetd_answers_total{outcome=\"client_left\"}", || {
        let mut stream = site.init("demo").open("Hello");
        stream.expect("start");
        stream.leave();
    });
    wait_for(&site, "widgetd_model_cancelled_total{model=\"fake\"}", 1.0);
    wait_for(&site, "widgetd_http_requests_total{route=\"/v1/widget/messages/stream\",status=\"499\"}", 1.0);
    wait_for(&site, "widgetd_streams_open", 0.0);
}

#[test]
fn a_model_that_fails_is_counted_by_what_went_wrong() {
    let site = site(|config| {
        config.agent("demo").models(&["fake", "builtin"]);
    });
    let fails = |kind: &str| {
        grows(&site, &format!("widgetd_model_errors_total{{model=\"fake\",kind=\"{kind}\"}}"), || {
            site.init("demo").ask("Hello");
        });
    };
    site.model.will_refuse(401);
    fails("status_401_403");
    site.model.always(|_| respond(503, &[], ""));
    fails("status_5xx");
    fails("status_5xx");
    wait_for(&site, "widgetd_model_skipped{model=\"fake\"}", 1.0);
    wait_for(&site, "widgetd_model_failures_in_a_row{model=\"fake\"}", 3.0);
    wait_for(&site, "widgetd_model_calls_total{model=\"builtin\"}", 3.0);
    wait_for(&site, "widgetd_answers_total{outcome=\"complete\"}", 3.0);
}

#[test]
fn an_answer_that_is_cut_off_is_one_that_failed() {
    let site = site(|_| {});
    site.model.will_cut(&["Hel"]);
    grows(&site, "widgetd_answers_total{outcome=\"model_failed\"}", || {
        site.init("demo").ask("Hello");
    });
    wait_for(&site, "widgetd_model_errors_total{model=\"fake\",kind=\"cut\"}", 1.0);
    let text = scrape(&site);
    assert_eq!(find(&text, "widgetd_model_answer_seconds_count{model=\"fake\"}"), Some(0.0), "it was never whole");
}

#[test]
fn a_window_that_is_full_is_counted_under_its_name() {
    let site = site(|config| {
        config.text("limits", "messages_per_address", "1/1h").text("limits", "leads_per_token", "1/1h");
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    grows(&site, "widgetd_limit_refusals_total{limit=\"messages\"}", || {
        visitor.say("Hello").refused(429, "rate_limited");
    });
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    grows(&site, "widgetd_limit_refusals_total{limit=\"leads\"}", || {
        visitor.lead(&json!({"email": "ann@example.com"})).refused(429, "rate_limited");
    });
    assert_eq!(find(&scrape(&site), "widgetd_limit_refusals_total{limit=\"init\"}"), Some(0.0));
}

#[test]
fn each_budget_has_its_kind() {
    let site = site(|config| {
        config.set("ceiling", "tokens_per_day", 2500).text("budget", "event_bytes_per_day", "1 KiB");
        config.agent("demo").budget("messages = 1");
        config.agent("other").budget("agent_tokens_per_day = 805");
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    grows(&site, "widgetd_budget_refusals_total{kind=\"conversation\"}", || {
        visitor.say("Hello").refused(429, "conversation_budget_exhausted");
    });
    grows(&site, "widgetd_budget_refusals_total{kind=\"agent_ceiling\"}", || {
        site.init("other").say("Hello").refused(429, "agent_budget_exhausted");
    });
    site.model.will_report(20, 2000);
    site.init("demo").ask("Hello").done();
    grows(&site, "widgetd_budget_refusals_total{kind=\"global_ceiling\"}", || {
        site.init("demo").say("Hello").refused(429, "agent_budget_exhausted");
    });
    grows(&site, "widgetd_budget_refusals_total{kind=\"event_allowance\"}", || {
        let event = json!({"type": "dismiss", "id": "x".repeat(100)});
        while visitor.event(&event).status == 202 {}
    });
}

#[test]
fn a_page_that_is_not_allowed_is_counted_and_not_named() {
    let site = site(|_| {});
    let elsewhere = "https://elsewhere.example";
    grows(&site, "widgetd_origin_refusals_total{kind=\"not_allowed\"}", || {
        site.call(&init_request("demo", json!({})).origin(elsewhere)).refused(403, "origin_not_allowed");
    });
    grows(&site, "widgetd_origin_refusals_total{kind=\"missing\"}", || {
        site.call(&init_request("demo", json!({}))).refused(403, "origin_missing");
    });
    grows(&site, "widgetd_origin_refusals_total{kind=\"preflight\"}", || {
        let preflight = Request::new("OPTIONS", "/v1/widget/init").header("Access-Control-Request-Method", "POST");
        site.call(&preflight.origin(elsewhere)).refused(403, "origin_not_allowed");
    });
    assert!(!scrape(&site).contains("elsewhere"));
}

#[test]
fn a_place_that_is_missing_is_counted_by_why() {
    let site = site(|config| {
        config.set("server", "generations", 1);
    });
    let gate = site.model.will_hold(&["Hel"], &["lo"]);
    let mut stream = site.init("demo").open("Hello");
    stream.expect("start");
    grows(&site, "widgetd_place_refusals_total{reason=\"all_busy\"}", || {
        site.init("other").say("Hello").refused(503, "overloaded");
    });
    gate.open();
    stream.rest().done();
}

#[test]
fn a_request_that_is_none_is_counted_by_the_front() {
    let site = site(|_| {});
    grows(&site, "widgetd_http_early_refusals_total{status=\"400\"}", || {
        let mut connection = site.connect();
        connection.send_raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").unwrap();
        assert_eq!(connection.read_head().unwrap().status, 400);
    });
}

#[test]
fn a_paused_agent_is_counted() {
    let site = site(|_| {});
    let data = site.server.data();
    let paused = widgetd()
        .args(["pause", "demo", "--config"])
        .arg(data.with_file_name("widget.toml"))
        .arg("--data")
        .arg(&data)
        .output();
    assert!(paused.unwrap().status.success());
    grows(&site, "widgetd_paused_refusals_total", || {
        site.init("demo").say("Hello").refused(503, "agent_paused");
    });
}

#[test]
fn webhooks_are_counted_by_what_became_of_them() {
    let receiver = FakeModel::start();
    receiver.script(respond(200, &[], ""));
    receiver.script(respond(410, &[], ""));
    let lines = format!("url = {:?}\nallow_private = true\nformat = \"slack\"", receiver.url());
    let site = site(|config| {
        config.webhook("crm", &lines);
    });
    let visitor = site.init("demo");
    grows(&site, "widgetd_webhook_attempts_total{outcome=\"delivered\"}", || {
        visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    });
    grows(&site, "widgetd_webhook_attempts_total{outcome=\"given_up\"}", || {
        visitor.lead(&json!({"email": "ben@example.com"})).expect(201);
    });
    wait_for(&site, "widgetd_webhook_deliveries_dead", 1.0);
    wait_for(&site, "widgetd_webhook_deliveries_pending", 0.0);
    receiver.always(|_| respond(503, &[], ""));
    grows(&site, "widgetd_webhook_attempts_total{outcome=\"failed\"}", || {
        visitor.lead(&json!({"email": "cleo@example.com"})).expect(201);
    });
    wait_for(&site, "widgetd_webhook_deliveries_pending", 1.0);
}

#[test]
fn a_scrape_answers_while_the_database_stalls_and_tells_that_it_does() {
    let site = site(|_| {});
    let visitor = site.init("demo");
    let lock = db::lock(&site.server.data());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| visitor.lead(&json!({"email": "ann@example.com"})).status);
        wait_until("a commit takes long", || {
            find(&scrape(&site), "widgetd_commit_running_seconds").is_some_and(|seconds| seconds > 0.1)
        });
        drop(lock);
        waiting.join().unwrap();
    });
    wait_for(&site, "widgetd_commit_running_seconds", 0.0);
    wait_for(&site, "widgetd_write_queue_used", 0.0);
}

#[test]
fn a_scrape_answers_while_the_server_is_busy() {
    let site = site(|config| {
        config.set("server", "workers", 1).set("server", "generations", 8);
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    site.init("demo").ask("Hello").done();
                }
            });
        }
        for _ in 0..20 {
            scrape(&site);
        }
    });
    wait_for(&site, "widgetd_answers_total{outcome=\"complete\"}", 80.0);
    wait_for(&site, "widgetd_first_token_seconds_count", 80.0);
}

#[test]
fn whatever_is_asked_for_there_are_no_more_labels_than_routes() {
    let site = site(|_| {});
    let mut connection = site.connect();
    let ask = |connection: &mut Connection, target: &str| connection.call_lightly(&Request::get(target)).status;
    for target in ["/healthz", "/nothing", "/w/0/widget.js"] {
        ask(&mut connection, target);
    }
    scrape(&site);
    let samples = || scrape(&site).lines().filter(|line| line.starts_with("widgetd_http_requests_total{")).count();
    let before = samples();
    for n in 0..100 {
        for target in [format!("/{n}"), format!("/w/{n}/widget.js"), format!("/v1/widget/{n}"), format!("/healthz?{n}")]
        {
            ask(&mut connection, &target);
        }
    }
    assert_eq!(samples(), before);
}

#[test]
fn a_model_that_a_reload_takes_out_is_told_of_no_longer() {
    let mut site = site(|config| {
        config.model("second", "http://127.0.0.1:9/v1").add_agent(Agent::new("third", ORIGIN));
        config.agent("third").models(&["second", "fake"]);
    });
    site.init("third").ask("Hello").done();
    wait_for(&site, "widgetd_model_errors_total{model=\"second\",kind=\"connect\"}", 1.0);
    let model = site.model.url();
    site.reload(|config| *config = Config::new(&model));
    site.server.wait_for_line("widget.toml reloaded");
    let text = scrape(&site);
    assert!(!text.contains("model=\"second\""), "{text}");
    assert_eq!(find(&text, "widgetd_model_calls_total{model=\"fake\"}"), Some(1.0), "the others go on");
}
