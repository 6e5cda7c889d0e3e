//! What a proxy in front must leave as it is: each promise is kept behind nginx (`behind_nginx`) and behind Caddy
//! (`behind_caddy`), with the configurations of `scripts/deploy`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::fake_model::{Recorded, Step, done, finish, head, last_chunk, say, token};
use crate::http_ambiguity::{
    CHUNKS, CODING_LINES, CODINGS, EXTENSIONS, HIDDEN, HIDDEN_CODING_LINES, LENGTH_LINES, LENGTHS, TRAILERS,
    with_chunks, with_headers,
};
use crate::support::client::{Connection, Request};
use crate::support::config::Config;
use crate::support::proxy::{NAME, Proxy, shipped};
use crate::support::site::{Site, Visitor, init_request};
use crate::support::sse::Relayed;
use crate::support::{ORIGIN, wait_until};

/// One widgetd, and a proxy before it that it trusts.
pub(crate) struct Proxied {
    pub(crate) site: Site,
    pub(crate) proxy: Proxy,
}

impl Proxied {
    pub(crate) fn start(proxy: fn(SocketAddr) -> Proxy, change: impl FnOnce(&mut Config)) -> Self {
        let site = Site::with_environment(&[("WIDGETD_LOG", "debug")], |config| {
            config.set("server", "trusted_proxies", "[\"127.0.0.1\"]");
            config.text("server", "public_url", &format!("https://{NAME}"));
            change(config);
        });
        let proxy = proxy(site.address());
        Self { site, proxy }
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.proxy.plain)
    }

    pub(crate) fn connect_from(&self, client: [u8; 4]) -> Connection {
        Connection::open_from(IpAddr::from(client), self.proxy.plain)
    }

    fn ask(&self, visitor: &Visitor, content: &str) -> Relayed {
        let request = visitor.request("/v1/widget/messages/stream", &json!({"content": content}));
        self.connect().stream(&request).expect("a stream").relayed()
    }
}

pub(crate) fn words_come_one_by_one(proxied: &Proxied) {
    let pieces: Vec<String> = (0..10).map(|n| format!("{n} ")).collect();
    let gates = proxied.site.model.will_hold_each(&pieces);
    let mut stream = proxied.ask(&proxied.site.init("demo"), "Count");
    stream.expect("start");
    for (gate, piece) in gates.iter().zip(&pieces) {
        // The next one is not said before this one was read.
        gate.open();
        assert_eq!(stream.expect("token")["text"], piece.as_str());
    }
    stream.expect("done");
}

/// With TLS and HTTP/2, as a browser comes.
pub(crate) fn words_come_one_by_one_over_http_2(proxied: &Proxied) {
    let pieces = ["One ", "two"].map(str::to_owned);
    let gates = proxied.site.model.will_hold_each(&pieces);
    let visitor = proxied.site.init("demo");
    let mut curl = proxied
        .proxy
        .curl("/v1/widget/messages/stream")
        .args(["--http2", "--write-out", "HTTP/%{http_version}\n", "--header", "Content-Type: application/json"])
        .args(["--header", &format!("Origin: {ORIGIN}"), "--data", "{\"content\": \"Count\"}"])
        .args(["--header", &format!("Authorization: Bearer {}", visitor.token())])
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl runs; scripts/test.sh installs it");
    let mut lines = BufReader::new(curl.stdout.take().expect("piped")).lines().map(Result::unwrap);
    for (gate, piece) in gates.iter().zip(&pieces) {
        gate.open();
        let data = format!("data: {{\"type\":\"token\",\"text\":\"{piece}\"}}");
        assert!(lines.any(|line| line == data), "{piece:?} never came");
    }
    assert!(lines.any(|line| line == "event: done"));
    assert_eq!(lines.last().as_deref(), Some("HTTP/2"));
    assert!(curl.wait().unwrap().success());
}

/// `public_url` is what a page of the server's own comes from, whatever the connection to widgetd is like.
pub(crate) fn the_public_url_is_the_servers_own_origin(proxied: &Proxied) {
    let run = |curl: &mut Command| {
        let output = curl.output().expect("curl runs; scripts/test.sh installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let as_json = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let own = format!("https://{NAME}");
    let init = |origin: &str| {
        let mut curl = proxied.proxy.curl("/v1/widget/init");
        curl.args(["--http2", "--header", "Content-Type: application/json", "--data", "{\"agent_id\": \"demo\"}"]);
        as_json(&run(curl.arg("--header").arg(format!("Origin: {origin}"))))
    };
    assert_eq!(init(&own)["resumed"], false);
    assert_eq!(init(&format!("http://{NAME}"))["code"], "origin_not_allowed");
    let check = run(proxied.proxy.curl("/v1/widget/check?agent_id=demo").args([
        "--http1.1",
        "--header",
        "Sec-Fetch-Site: same-origin",
    ]));
    assert_eq!((&as_json(&check)["origin"], &as_json(&check)["allowed"]), (&json!(own), &json!(true)));
    assert!(run(&mut proxied.proxy.curl("/widget.js")).contains("attachShadow"), "the widget's script");
}

/// For the two above: the agent is on the server's own pages too.
pub(crate) fn on_its_own_pages(config: &mut Config) {
    config.agent("demo").origins(&["self", ORIGIN]);
}

pub(crate) fn three_init_a_minute(config: &mut Config) {
    config.text("limits", "init_per_address", "3/1m");
}

pub(crate) fn a_visitor_counts_as_himself_whatever_he_says_of_others(proxied: &Proxied) {
    let statuses = |client: [u8; 4]| {
        let claims = ["6.6.6.6", "6.6.6.7, 127.0.0.1", "6.6.6.8, 10.0.0.1", "garbage"];
        let init = |claim: &str| {
            let request = init_request("demo", json!({})).origin(ORIGIN).header("X-Forwarded-For", claim);
            // In two lines, too.
            let request = request.header("X-Forwarded-For", "6.6.6.9").header("Forwarded", "for=6.6.6.6");
            proxied.connect_from(client).call(&request.header("X-Real-IP", "6.6.6.6")).status
        };
        claims.map(init)
    };
    assert_eq!(statuses([127, 0, 0, 5]), [200, 200, 200, 429]);
    assert_eq!(statuses([127, 0, 0, 6]), [200, 200, 200, 429], "another visitor has a limit of his own");
}

/// What the model says to a question: the question. It never ends what it says to those who leave.
fn echo(request: &Recorded) -> Vec<Step> {
    let said = request.body["messages"].as_array().and_then(|messages| messages.last()?["content"].as_str());
    let said = said.unwrap_or_default();
    if said.starts_with("I leave") {
        return vec![head(), token(said), Step::Hang];
    }
    say(&["You said: ", said])
}

/// Visitors ask at once, over few connections to widgetd, and every second one leaves in the middle of an answer.
pub(crate) fn everybody_gets_the_answer_to_his_own_question(proxied: &Proxied) {
    proxied.site.model.always(echo);
    std::thread::scope(|scope| {
        for client in 0..8u8 {
            scope.spawn(move || {
                let mut connection = proxied.connect();
                for turn in 0..6 {
                    // Three answers that are known by what they say, on the connection of before.
                    let page = format!("https://{client}.{turn}.example");
                    let check = Request::get("/v1/widget/check?agent_id=demo").origin(&page);
                    assert_eq!(connection.call(&check).expect(200)["origin"], page.as_str());
                    let visitor = proxied.site.init("demo");
                    let content = format!("I am {client}, for the time {turn}");
                    let ask = visitor.request("/v1/widget/messages", &json!({"content": content}));
                    let answer = connection.call(&ask).expect(200);
                    assert_eq!(answer["message"]["content"], format!("You said: {content}"));
                    let mut stream = connection
                        .stream(&visitor.request("/v1/widget/messages/stream", &json!({"content": content})))
                        .expect("a stream")
                        .relayed();
                    stream.expect("start");
                    assert_eq!(stream.expect("token")["text"], "You said: ");
                    assert_eq!(stream.expect("token")["text"], content.as_str());
                    stream.expect("done");
                    connection = stream.into_connection();
                    if client % 2 == 0 {
                        leave_in_the_middle(proxied, &format!("I leave, {client}.{turn}"));
                    }
                }
            });
        }
    });
}

/// Of an answer, of a question, and between the two.
fn leave_in_the_middle(proxied: &Proxied, content: &str) {
    let visitor = proxied.site.init("demo");
    let mut stream = proxied.ask(&visitor, content);
    stream.expect("start");
    assert_eq!(stream.expect("token")["text"], content);
    stream.leave();
    let mut half = proxied.connect();
    let begun =
        "POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    half.send_raw(begun.as_bytes()).unwrap();
    half.leave();
    let mut unread = proxied.connect();
    unread.send(&Request::get("/openapi.json"));
    unread.leave();
}

pub(crate) fn connections_to_widgetd_are_used_again(proxied: &Proxied) {
    for _ in 0..50 {
        proxied.connect().call(&Request::get("/healthz")).expect(200);
    }
    // One is enough for one client at a time, and it stays.
    let kept = proxied.site.server.connections();
    assert!((1..=2).contains(&kept), "{kept} connections of the proxy");
}

pub(crate) fn who_leaves_ends_the_call_to_the_model(proxied: &Proxied) {
    let Step::Send(word) = token("word ") else { panic!("a token is sent") };
    let speaks = Step::Repeat(word, std::time::Duration::from_millis(5));
    for (request, step) in [Step::Hang, speaks].into_iter().enumerate() {
        proxied.site.model.script(vec![head(), token("One "), step, finish("stop"), done(), last_chunk()]);
        let visitor = proxied.site.init("demo");
        let mut stream = proxied.ask(&visitor, "Hello");
        stream.expect("start");
        stream.expect("token");
        stream.leave();
        proxied.site.model.wait_until_closed(request);
        wait_until("what was said is stored", || {
            proxied.site.resume(&visitor).messages().last().is_some_and(|last| last["status"] == "partial")
        });
    }
}

/// It says in words, and to the page, what is too large; what is far too large the proxy takes no longer.
pub(crate) fn what_is_too_large_is_refused_in_words(proxied: &Proxied) {
    let of_kib = |kib: usize| {
        Request::post("/v1/widget/init", &json!({"agent_id": "demo", "page": "a".repeat(kib << 10)})).origin(ORIGIN)
    };
    let refused = proxied.connect().call(&of_kib(100));
    refused.refused(413, "body_too_large");
    let mut connection = proxied.connect();
    // It may refuse before all has been sent.
    let _ = connection.try_send(&of_kib(300));
    let status = connection.read_head().map(|head| head.status);
    // widgetd hangs up on it, and then Caddy may say 502.
    assert!([None, Some(413), Some(502)].contains(&status), "{status:?}");
}

/// The hint in the file works once its comment signs are gone.
pub(crate) fn only_allow_127_0_0_1(file: &str) -> String {
    let (before, hint) = file.rsplit_once("for your own networks alone:\n").expect("a hint");
    let mut is_hint = true;
    let lines = hint.lines().map(|line| {
        is_hint &= line.trim_start().starts_with('#');
        if is_hint { line.replacen("# ", "", 1) } else { line.to_owned() }
    });
    let hint: Vec<_> = lines.collect();
    format!("{before}for your own networks alone:\n{}\n", hint.join("\n")).replace("192.0.2.0/24", "127.0.0.1")
}

/// With the file of [`only_allow_127_0_0_1`].
pub(crate) fn the_owners_pages_are_for_his_network_alone(proxied: &Proxied, refusal: u16) {
    let statuses = |client: [u8; 4], target: &str| {
        let mut connection = proxied.connect_from(client);
        connection.send(&Request::get(target));
        let head = connection.read_head().unwrap();
        // Who answers: only widgetd numbers its answers.
        (head.status, head.header("X-Request-Id").is_some())
    };
    for target in ["/admin", "/admin/leads", "/metrics"] {
        assert_eq!(statuses([127, 0, 0, 5], target), (refusal, false), "{target}");
        assert!(statuses([127, 0, 0, 1], target).1, "{target}");
    }
    assert_eq!(statuses([127, 0, 0, 5], "/administration"), (404, true));
    assert_eq!(statuses([127, 0, 0, 5], "/healthz"), (200, true));
}

/// What stands in the README is what the shipped file says.
pub(crate) fn the_readme_says_the_same(language: &str, file: &str) {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once(&format!("```{language}\n")).expect("a snippet");
    let snippet = rest.split_once("```").expect("its end").0;
    let bare = |text: &str| {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim().to_owned());
        lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let (said, shipped) = (bare(snippet), bare(&shipped(file)));
    let mut rest = shipped.iter();
    for line in &said {
        assert!(rest.any(|shipped| shipped == line), "README.md: {line:?} is not in {file}, or in another place");
    }
}

/// The connections that a proxy keeps must end before widgetd closes them.
pub(crate) fn it_keeps_connections_no_longer_than_widgetd(file: &str, key: &str) {
    let seconds = |text: &str, key: &str| -> u64 {
        let mut lines = text.lines().map(|line| line.trim().trim_start_matches("# "));
        let value = lines.find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("no {key}"));
        value.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let settings = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/widget.toml")).unwrap();
    assert!(seconds(&shipped(file), key) < seconds(&settings, "idle_timeout = "));
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

/// The paths that widgetd has handled, each as often as it did.
fn handled(site: &Site) -> BTreeMap<String, usize> {
    let printed = site.server.printed();
    let mut handled = BTreeMap::new();
    for line in printed.lines().filter(|line| line.contains("method=") && line.contains("status=")) {
        let path = line.split("path=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        *handled.entry(path.to_owned()).or_default() += 1;
    }
    handled
}

/// Sends each attack on a connection of its own and, after each, asks as somebody else. `sent` tells the requests that the
/// proxy has sent on, as far as it has logged them: each path was handled no more often than that.
pub(crate) fn nothing_is_smuggled(proxied: &Proxied, sent: impl Fn(&Proxy) -> Vec<String>) {
    let mut bystander = proxied.connect();
    let healthy = proxied.site.get("/healthz").body;
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
        assert_eq!(bystander.read_body(&head), healthy, "after {attack:?}");
    }
    // What was handled before this has been logged by then; what the proxy logs when its client is gone may come later.
    bystander.call(&Request::get("/last"));
    wait_until("widgetd has logged what it handled", || handled(&proxied.site).contains_key("/last"));
    let handled = handled(&proxied.site);
    wait_until("the proxy has sent all that widgetd handled", || {
        let sent = sent(&proxied.proxy);
        handled.iter().all(|(path, &count)| {
            // The first one was asked without the proxy.
            let directly = usize::from(path == "/healthz");
            count <= directly + sent.iter().filter(|target| target.contains(path.as_str())).count()
        })
    });
}
