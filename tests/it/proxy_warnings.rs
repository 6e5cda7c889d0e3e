//! What the owner is told of a proxy that is not set up right: at start, by `widgetd check`, and in the log when a visitor
//! comes through it. Never of one that is right.

use std::net::SocketAddr;

use serde_json::json;

use crate::behind_proxy::Proxied;
use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::config::Config;
use crate::support::proxy::{Proxy, shipped};
use crate::support::server::{Folder, widgetd};
use crate::support::site::{Site, init_request};

const LINE: &str = "proxy_set_header X-Forwarded-For $remote_addr;";

fn silent(widgetd: SocketAddr) -> Proxy {
    // The warning gives the line that the shipped file has.
    assert!(shipped("nginx.conf").contains(LINE));
    Proxy::nginx(widgetd, |file| file.replace(LINE, ""))
}

/// As a browser on a customer's page sends it.
fn of_a_browser() -> Request {
    init_request("demo", json!({})).origin(ORIGIN).header("Sec-Fetch-Site", "cross-site")
}

/// The warnings in the log, once all that was asked until now is in it.
fn warnings(proxied: &Proxied) -> Vec<String> {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let marker = format!("/marker-{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    proxied.connect().call(&Request::get(&marker));
    proxied.site.server.wait_for_line(&marker);
    proxied.site.server.printed().lines().filter(|line| line.contains("WARN")).map(str::to_owned).collect()
}

#[test]
fn a_proxy_that_does_not_say_who_asks_is_told_of_once_until_a_reload() {
    let mut proxied = Proxied::start(silent, |_| {});
    // The owner, from this machine.
    proxied.site.call(&init_request("demo", json!({})).origin(ORIGIN)).expect(200);
    proxied.site.get("/healthz");
    assert_eq!(warnings(&proxied), [""; 0]);
    for _ in 0..3 {
        proxied.connect().call(&of_a_browser()).expect(200);
    }
    let told = warnings(&proxied);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("the proxy at 127.0.0.1 does not say who asks"), "{told:?}");
    assert!(told[0].ends_with(LINE), "{told:?}");
    proxied.site.reload(|_| {});
    proxied.site.server.wait_for_line("reloaded");
    proxied.connect().call(&of_a_browser()).expect(200);
    proxied.connect().call(&of_a_browser()).expect(200);
    assert_eq!(warnings(&proxied).len(), 2);
}

#[test]
fn a_proxy_that_passes_on_what_clients_write_is_told_of_when_it_shows() {
    let proxied = Proxied::start(silent, |_| {});
    let init = |claim: &str| {
        let request = init_request("demo", json!({})).origin(ORIGIN).header("X-Forwarded-For", claim);
        proxied.connect().call(&request).expect(200);
    };
    // An address, nothing tells from the proxy's own word.
    init("6.6.6.6");
    assert_eq!(warnings(&proxied), [""; 0]);
    init("6.6.6.6, somebody else");
    init("nobody");
    let told = warnings(&proxied);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("it seems to pass on what clients write"), "{told:?}");
    assert!(told[0].ends_with(LINE), "{told:?}");
    assert!(!told[0].contains("somebody"), "what a client wrote is not in the log");
}

#[test]
fn a_proxy_that_is_not_trusted_is_told_of_with_the_line_that_trusts_it() {
    for proxy in [Proxy::nginx, Proxy::caddy].map(|start| move |widgetd| start(widgetd, |file| file)) {
        let site = Site::with_environment(&[("WIDGETD_LOG", "debug")], |_| {});
        let proxied = Proxied { proxy: proxy(site.address()), site };
        // A client that says so itself, without a proxy.
        proxied.site.call(&init_request("demo", json!({})).origin(ORIGIN).header("X-Forwarded-For", "6.6.6.6"));
        assert_eq!(warnings(&proxied), [""; 0]);
        proxied.connect().call(&of_a_browser()).expect(200);
        proxied.connect().call(&of_a_browser()).expect(200);
        let told = warnings(&proxied);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("127.0.0.1 says for whom it asks"), "{told:?}");
        assert!(told[0].ends_with("trusted_proxies = [\"127.0.0.1\"]"), "{told:?}");
    }
}

#[test]
fn a_proxy_that_is_right_is_never_told_of() {
    for proxy in [Proxy::nginx, Proxy::caddy] {
        let site = Site::with_environment(&[("WIDGETD_LOG", "debug")], |config| {
            config.set("server", "trusted_proxies", "[\"127.0.0.1\"]");
            config.agent("demo").origins(&["self", ORIGIN]);
        });
        let proxied = Proxied { proxy: proxy(site.address(), |file| file), site };
        for claim in ["6.6.6.6", "nobody", "", "6.6.6.6,", "127.0.0.1", "unknown, _hidden"] {
            for client in [[127, 0, 0, 1], [127, 0, 0, 5]] {
                let request = of_a_browser().header("X-Forwarded-For", claim);
                proxied.connect_from(client).call(&request).expect(200);
            }
        }
        proxied.connect().call(&of_a_browser()).expect(200);
        proxied.connect().call(&Request::get("/widget.js").header("Sec-Fetch-Site", "cross-site"));
        // The owner who has come by a tunnel, past the proxy.
        let own = format!("http://localhost:{}", proxied.site.address().port());
        let request = init_request("demo", json!({})).origin(&own).header("Sec-Fetch-Site", "same-origin");
        proxied.site.call(&request).expect(200);
        assert_eq!(warnings(&proxied), [""; 0]);
    }
}

#[test]
fn what_the_file_says_of_proxies_is_judged_by_check_and_at_start() {
    let proxies = |list: &str| {
        let list = list.to_owned();
        move |config: &mut Config| {
            config.text("server", "public_url", "https://chat.example.com");
            config.set("server", "trusted_proxies", list);
        }
    };
    for (list, listen, told) in [
        ("[\"0.0.0.0/0\"]", "127.0.0.1:8080", Some("server.trusted_proxies: holds more than your proxies can be")),
        ("[\"10.0.0.7\"]", "127.0.0.1:8080", Some("server.trusted_proxies: has no address of this machine")),
        ("[\"127.0.0.1\"]", "0.0.0.0:8080", Some("server.listen: is reached from beyond this machine")),
        ("[]", "127.0.0.1:8080", Some("server.trusted_proxies: not set")),
        ("[\"127.0.0.1\"]", "127.0.0.1:8080", None),
        ("[\"10.0.0.0/8\"]", "0.0.0.0:8080", None),
    ] {
        let mut config = Config::new("http://127.0.0.1:9/v1");
        proxies(list)(&mut config);
        let folder = Folder::new();
        let file = folder.write("widget.toml", &config.to_toml());
        let output =
            widgetd().args(["check", "--listen", listen, "--config"]).arg(&file).output().expect("widgetd runs");
        let said = String::from_utf8(output.stdout).unwrap();
        let warnings: Vec<_> = said.lines().filter(|line| line.starts_with("warning: ")).collect();
        assert_eq!(warnings.len(), usize::from(told.is_some()), "{list}: {said}");
        assert!(told.is_none_or(|told| warnings[0].contains(told)), "{list}: {said}");
    }
    let site = Site::with(proxies("[\"0.0.0.0/0\"]"));
    let told = site.server.wait_for_line("warning   ");
    assert!(told.contains("server.trusted_proxies: holds more than your proxies can be"), "{told}");
}
