//! Who may read `/metrics`, where, and what nobody reads there.

use std::net::SocketAddr;

use serde_json::json;

use super::{address, answer, request, scrape, site};
use crate::support::ORIGIN;
use crate::support::admin::{PASSWORD, set_password};
use crate::support::client::Request;
use crate::support::config::{Agent, Config};
use crate::support::server::{Folder, widgetd};
use crate::support::site::Site;

const TOKEN: &str = "a token of the metrics, for tests";
const ENVIRONMENT: [(&str, &str); 1] = [("METRICS_TOKEN", TOKEN)];

fn with_token(listen: &str) -> Site {
    Site::with_environment(&ENVIRONMENT, |config| {
        config.text("admin", "listen", listen).text("admin", "metrics_token_env", "METRICS_TOKEN");
    })
}

#[test]
fn the_public_address_never_has_them() {
    let with_admin = site(|_| {});
    let without_admin = Site::start();
    for site in [&with_admin, &without_admin] {
        set_password(&site.server, PASSWORD);
        for request in [request(), request().bearer(TOKEN)] {
            assert_eq!(site.connect().call_lightly(&request).status, 404);
        }
        site.get("/metrics").refused(404, "not_found");
    }
    assert!(!without_admin.server.printed().contains("metrics   http"));
}

#[test]
fn no_password_is_needed_and_a_password_changes_nothing() {
    let site = site(|_| {});
    assert!(scrape(&site).contains("widgetd_ready 1"));
    assert_eq!(answer(address(&site), &Request::get("/admin")).status, 404, "the page is off");
    set_password(&site.server, PASSWORD);
    assert!(scrape(&site).contains("widgetd_ready 1"));
}

#[test]
fn on_loopback_the_token_is_for_those_whom_a_proxy_brings() {
    let site = with_token("127.0.0.1:0");
    let address = address(&site);
    let status = |request: &Request| answer(address, request).status;
    assert_eq!(status(&request()), 200);
    assert_eq!(status(&Request::get("/metrics").header("Host", "localhost:8081")), 200);
    let strangers = [
        request().header("X-Forwarded-For", "203.0.113.7"),
        request().header("Forwarded", "for=203.0.113.7"),
        request().header("Via", "1.1 proxy"),
        Request::get("/metrics").header("Host", "rebound.example"),
    ];
    for stranger in strangers {
        let refused = answer(address, &stranger);
        assert_eq!((refused.status, refused.must("WWW-Authenticate")), (401, "Bearer realm=\"metrics\""));
        assert!(!refused.text().contains("widgetd_"), "{}", refused.text());
        assert_eq!(status(&stranger.clone().bearer("a token of the metrics, for test")), 401);
        assert_eq!(status(&stranger.bearer(TOKEN)), 200);
    }
}

#[test]
fn beyond_loopback_nobody_is_let_in_without_the_token() {
    let site = with_token("0.0.0.0:0");
    let port = address(&site).port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!(answer(address, &request()).status, 401);
    assert_eq!(answer(address, &request().bearer("wrong")).status, 401);
    assert_eq!(answer(address, &request().bearer(TOKEN)).status, 200);
    assert_eq!(answer(address, &Request::new("HEAD", "/metrics").bearer(TOKEN)).status, 200);
    assert_eq!(answer(address, &Request::new("POST", "/metrics").bearer(TOKEN)).must("Allow"), "GET, HEAD");
}

#[test]
fn a_token_is_read_again_with_the_configuration() {
    let mut site = with_token("127.0.0.1:0");
    let address = address(&site);
    let forwarded = request().header("X-Forwarded-For", "203.0.113.7").bearer(TOKEN);
    assert_eq!(answer(address, &forwarded).status, 200);
    site.reload(|config| {
        config.unset("admin", "metrics_token_env");
    });
    site.server.wait_for_line("widget.toml reloaded");
    assert_eq!(answer(address, &forwarded).status, 403);
}

#[test]
fn an_address_beyond_loopback_without_a_token_says_what_to_write() {
    let folder = Folder::new();
    let mut config = Config::new("http://127.0.0.1:9/v1");
    config.text("admin", "listen", "0.0.0.0:8081");
    folder.write("widget.toml", &config.to_toml());
    let output = widgetd().current_dir(folder.path()).arg("check").output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("write metrics_token_env = \"METRICS_TOKEN\""), "{told}");

    // The page's own line tells the port, which no line of the metrics does.
    let mut site = Site::with(|config| {
        config.text("admin", "listen", "0.0.0.0:0");
    });
    set_password(&site.server, PASSWORD);
    site.server.kill_and_restart();
    let line = site.server.wait_for_line("admin     http://0.0.0.0:");
    let port = line.split(':').next_back().unwrap().strip_suffix("/admin").unwrap().parse().unwrap();
    let refused = answer(SocketAddr::from(([127, 0, 0, 1], port)), &request().bearer(TOKEN));
    assert_eq!((refused.status, refused.code().as_str()), (403, "metrics_token_not_set"));
    assert_eq!(refused.must("Content-Type"), "application/problem+json");
    assert!(refused.text().contains("metrics_token_env"), "{}", refused.text());
    assert!(!site.server.printed().contains("metrics   http"));
}

#[test]
fn no_id_no_agent_no_page_and_no_secret_is_among_them() {
    let environment = [ENVIRONMENT[0], ("MODEL_KEY", "the-key-of-the-model")];
    let site = Site::with_environment(&environment, |config| {
        config.text("admin", "listen", "127.0.0.1:0").text("admin", "metrics_token_env", "METRICS_TOKEN");
        config.fake("key_env", "\"MODEL_KEY\"").add_agent(Agent::new("support-of-acme", ORIGIN));
    });
    let visitor = site.init("support-of-acme");
    visitor.ask("What does the zeppelin cost?").done();
    visitor.lead(&json!({"email": "ann@example.com", "name": "Ann"})).expect(201);
    visitor.event(&json!({"type": "dismiss", "id": "banner-of-june"})).expect(202);
    visitor.at_origin(Some("https://evil.example")).say("Hello").refused(403, "origin_not_allowed");
    site.get(&format!("/v1/widget/{}", visitor.visitor_id()));
    let text = scrape(&site);
    assert!(text.contains("model=\"fake\""), "a model's name is its operator's");
    for secret in [
        visitor.visitor_id(),
        visitor.conversation_id(),
        visitor.token(),
        "support-of-acme",
        "Agent support",
        "zeppelin",
        "ann@example",
        "banner-of-june",
        "example.com",
        "evil.example",
        "127.0.0.1",
        &site.model.url(),
        TOKEN,
        "the-key-of-the-model",
    ] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
}
