//! The real nginx in front, configured by the README's own snippet: no message makes the two disagree on where a request
//! ends, streams come through token by token, and the visitor's address arrives.
//! `scripts/test.sh` installs it.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::json;

use crate::http_ambiguity::{
    CHUNKS, CODING_LINES, CODINGS, EXTENSIONS, HIDDEN, HIDDEN_CODING_LINES, LENGTH_LINES, LENGTHS, TRAILERS,
    with_chunks, with_headers,
};
use crate::support::client::{Connection, Request};
use crate::support::config::Config;
use crate::support::nginx::Nginx;
use crate::support::server::Folder;
use crate::support::site::{Site, init_request};
use crate::support::{ORIGIN, wait_until};

/// One nginx and, behind it, one widgetd that trusts it.
struct Proxied {
    site: Site,
    nginx: Nginx,
}

impl Proxied {
    /// `more` is added to the README's location.
    fn start(more: &str, change: impl FnOnce(&mut Config)) -> Self {
        let site = Site::with_environment(&[("WIDGETD_LOG", "debug")], |config| {
            config.set("server", "trusted_proxies", "[\"127.0.0.1\"]");
            change(config);
        });
        let nginx = nginx(site.address(), more);
        Self { site, nginx }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.nginx.address)
    }

    fn connect_from(&self, client: [u8; 4]) -> Connection {
        Connection::open_from(IpAddr::from(client), self.nginx.address)
    }
}

/// As the README says; logs what it sends to widgetd.
fn nginx(widgetd: SocketAddr, more: &str) -> Nginx {
    nginx_with(&readme_snippet(), widgetd, more)
}

fn nginx_with(snippet: &str, widgetd: SocketAddr, more: &str) -> Nginx {
    let (upstream, location) = snippet.split_once("location").expect("an upstream and a location");
    let upstream = upstream.replace("127.0.0.1:8080", &widgetd.to_string());
    let location = location.replace('}', &format!("{more}\n}}"));
    Nginx::start(Folder::new(), |address| {
        format!(
            "log_format sent '$upstream_addr|$request_uri';
             access_log sent.log sent;
             {upstream}
             server {{ listen {address}; location {location} }}"
        )
    })
}

impl Proxied {
    /// How many requests it has sent on, and how many of each path.
    fn sent(&self) -> (usize, BTreeMap<String, usize>) {
        let log = self.nginx.log("sent.log");
        let (mut all, mut of_path) = (0, BTreeMap::new());
        for (upstreams, path) in log.lines().filter_map(|line| line.split_once('|')) {
            // A list, if it tried again.
            let tries = upstreams.matches(':').count();
            all += tries;
            *of_path.entry(path.to_owned()).or_default() += tries;
        }
        (all, of_path)
    }
}

/// What the README tells people to write.
pub(crate) fn readme_snippet() -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once("```nginx\n").expect("a snippet for nginx");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// The paths that widgetd has handled, each as often as it did, and how many requests it has refused.
fn arrived(site: &Site) -> (BTreeMap<String, usize>, usize) {
    let printed = site.server.printed();
    let mut handled = BTreeMap::new();
    for line in printed.lines().filter(|line| line.contains("method=") && line.contains("status=")) {
        let path = line.split("path=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        *handled.entry(path.to_owned()).or_default() += 1;
    }
    (handled, printed.lines().filter(|line| line.contains(" refused ")).count())
}

/// Every message that must not be understood in two ways, each with a hidden request in it.
fn attacks() -> Vec<String> {
    let mut attacks = Vec::new();
    attacks.extend(LENGTHS.iter().map(|value| with_headers(&format!("Content-Length: {value}"))));
    attacks.extend(LENGTH_LINES.iter().map(|lines| with_headers(lines)));
    attacks.extend(CODINGS.iter().map(|value| with_headers(&format!("Transfer-Encoding: {value}"))));
    attacks.extend(CODING_LINES.iter().chain(HIDDEN_CODING_LINES).map(|lines| with_headers(lines)));
    for coding in CODINGS {
        attacks.push(with_headers(&format!("Content-Length: 5\r\nTransfer-Encoding: {coding}")));
        attacks.push(with_headers(&format!("Transfer-Encoding: chunked\r\nX-Transfer-Encoding: {coding}")));
    }
    attacks.extend(CHUNKS.iter().map(|chunks| with_chunks(chunks)));
    attacks.extend(EXTENSIONS.iter().map(|extension| with_chunks(&format!("2;{extension}\r\n{{}}\r\n0\r\n\r\n"))));
    attacks.extend(TRAILERS.iter().map(|lines| with_chunks(&format!("2\r\n{{}}\r\n0\r\n{lines}\r\n"))));
    attacks.extend([
        with_headers("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        with_headers("Content-Length: 5\r\nConnection: Content-Length"),
        with_headers("Transfer-Encoding: chunked\r\nConnection: Transfer-Encoding"),
        with_headers("Content-Length: 5\r\nExpect: 100-continue"),
        with_headers("Content-Length: 5\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings"),
        format!("GET /torture HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()),
        format!("HEAD /torture HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()),
        format!(
            "GET /torture HTTP/1.0\r\nContent-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}",
            HIDDEN.len()
        ),
        format!("GET /torture%20HTTP/1.1%0d%0aHost:%20a%0d%0a%0d%0aGET%20/smuggle HTTP/1.1\r\nHost: a\r\n\r\n{HIDDEN}"),
        format!("GET http://b/torture HTTP/1.1\r\nHost: a\r\n\r\n{HIDDEN}"),
    ]);
    attacks
}

/// Sends each attack on a connection of its own and, after each, asks as somebody else.
fn attack(proxied: &Proxied) {
    let mut bystander = proxied.connect();
    for attack in attacks() {
        // Of the same length: some attacks declare it.
        let attack = attack.replace(HIDDEN, &HIDDEN.replace("/torture", "/smuggle"));
        let mut attacker = proxied.connect();
        // It may have been refused by now.
        let _ = attacker.send_raw(attack.as_bytes());
        attacker.finish_sending();
        attacker.read_to_end();
        // With an answer of its own, and not the one to a hidden request.
        bystander.send(&Request::get("/healthz"));
        let head = bystander.read_head().unwrap_or_else(|| panic!("nobody answers after {attack:?}"));
        assert_eq!(head.status, 200, "after {attack:?}");
        assert_eq!(bystander.read_body(&head), proxied.site.get("/healthz").body, "after {attack:?}");
    }
}

/// Each path was handled no more often than nginx sent it on.
fn compare(proxied: &Proxied, asked_directly: usize) {
    let (_, sent) = proxied.sent();
    for (path, count) in arrived(&proxied.site).0 {
        let of_nginx = sent.iter().filter(|(uri, _)| uri.contains(&path)).map(|(_, count)| count).sum::<usize>();
        let of_tests = if path == "/healthz" { asked_directly } else { 0 };
        assert!(count <= of_nginx + of_tests, "{path}: {count} handled, {of_nginx} sent");
    }
}

#[test]
fn nothing_is_smuggled_past_nginx() {
    let proxied = Proxied::start("", |_| {});
    attack(&proxied);
    let asked_directly = attacks().len();
    wait_until("widgetd got exactly what nginx sent", || {
        let (handled, refused) = arrived(&proxied.site);
        handled.values().sum::<usize>() + refused == proxied.sent().0 + asked_directly
    });
    compare(&proxied, asked_directly);
}

/// It begins to send what it has not read to its end yet, and some of that it gives up: then nothing was asked.
#[test]
fn nothing_is_smuggled_past_an_nginx_that_does_not_buffer_bodies() {
    let proxied = Proxied::start("proxy_request_buffering off;", |_| {});
    attack(&proxied);
    let asked_directly = attacks().len();
    wait_until("nginx has told of all that it sent", || {
        let (handled, refused) = arrived(&proxied.site);
        handled.values().sum::<usize>() + refused <= proxied.sent().0 + asked_directly
    });
    compare(&proxied, asked_directly);
}

#[test]
fn connections_of_nginx_are_used_again() {
    let proxied = Proxied::start("", |_| {});
    let descriptors = proxied.site.server.descriptors();
    for _ in 0..50 {
        proxied.connect().call(&Request::get("/healthz")).expect(200);
    }
    // One is enough for one client at a time, and it stays.
    let kept = proxied.site.server.descriptors() - descriptors;
    assert!((1..=2).contains(&kept), "{kept} connections of nginx");
}

#[test]
fn tokens_come_through_nginx_one_by_one() {
    let proxied = Proxied::start("", |_| {});
    let pieces: Vec<String> = (0..10).map(|n| format!("{n} ")).collect();
    let gates = proxied.site.model.will_hold_each(&pieces);
    let visitor = proxied.site.init("demo");
    let request = visitor.request("/v1/widget/messages/stream", &json!({"content": "Count"}));
    let mut stream = proxied.connect().stream(&request).expect("a stream");
    stream.expect("start");
    for (gate, piece) in gates.iter().zip(&pieces) {
        gate.open();
        assert_eq!(stream.expect("token").data["text"], piece.as_str());
    }
    stream.rest().done();
}

#[test]
fn a_visitor_behind_nginx_counts_as_himself_whatever_he_says_of_others() {
    let limited = |config: &mut Config| {
        config.text("limits", "init_per_address", "3/1m");
    };
    let proxied = Proxied::start("", limited);
    let statuses = |client: [u8; 4]| {
        let init = |n| {
            let request = init_request("demo", json!({}))
                .origin(ORIGIN)
                .header("X-Forwarded-For", &format!("6.6.6.{n}, 127.0.0.1"));
            proxied.connect_from(client).call(&request).status
        };
        (0..4).map(init).collect::<Vec<_>>()
    };
    assert_eq!(statuses([127, 0, 0, 5]), [200, 200, 200, 429]);
    assert_eq!(statuses([127, 0, 0, 6]), [200, 200, 200, 429]);
}

/// What the README warns of: left to itself nginx passes on what the client wrote, and nothing tells that from its own word.
#[test]
fn an_nginx_that_does_not_say_who_asks_lets_each_client_be_anyone() {
    let proxied = Proxied::start("", |config| {
        config.text("limits", "init_per_address", "1/1m");
    });
    let snippet = readme_snippet();
    let without: String =
        snippet.lines().filter(|line| !line.contains("X-Forwarded-For")).map(|line| format!("{line}\n")).collect();
    assert_ne!(without, snippet);
    let nginx = nginx_with(&without, proxied.site.address(), "");
    let init = |client: [u8; 4], says: Option<&str>| {
        let request = init_request("demo", json!({})).origin(ORIGIN);
        let request = says.iter().fold(request, |request, says| request.header("X-Forwarded-For", says));
        Connection::open_from(IpAddr::from(client), nginx.address).call(&request).status
    };
    let as_many: Vec<_> = (0..5).map(|n| init([127, 0, 0, 5], Some(&format!("6.6.6.{n}")))).collect();
    assert_eq!(as_many, [200; 5], "one client with as many addresses as it likes");
    // And all who say nothing have one.
    assert_eq!((init([127, 0, 0, 6], None), init([127, 0, 0, 7], None)), (200, 429));
}
