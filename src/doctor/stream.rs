//! What the way to the server does to streams, and whether it tells the server who calls: judged by a stream whose moments are
//! known (`/v1/widget/stream-test`), once as a visitor would ask for it and once with a lie about the address.

use std::io::Read;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::fetch::Opened;
use super::finding::{Finding, Report};
use super::server::{Subject, rate_limited};
use crate::clock;
use crate::domain::network;

/// An address of nobody's (RFC 5737).
const CLAIM: &str = "192.0.2.7";
/// Of a stream that is read: it is about 500 bytes.
const STREAM_BYTES_MAX: usize = 64 << 10;

/// An event, as the server tells it.
#[derive(Debug)]
struct Event {
    number: u64,
    ms: u64,
    /// Of the first one.
    of: Option<u64>,
    seen: Option<Seen>,
}

/// One stream, as it came.
#[derive(Debug)]
struct Heard {
    /// Each with the moment at which its last byte came.
    events: Vec<(Duration, Event)>,
    coding: Option<String>,
}

/// As whom the server counted a call.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    client: String,
    /// `absent`, `ignored` or `believed`.
    forwarded_for: String,
}

pub(super) fn judge(subject: &Subject<'_>, report: &mut Report) {
    let Some(token) = token(subject, report) else {
        return;
    };
    let Some(mut heard) = listen(subject, &token, &[("Accept-Encoding", "gzip, br")], report) else {
        return;
    };
    if let Some(coding) = heard.coding.take() {
        report.add(
            Finding::warning(
                "stream-compressed",
                format!("Answers come compressed ({coding}): that gathers words until there are enough."),
            )
            .advise("Leave text/event-stream out of what the proxy compresses. In nginx, in the location:")
            .line("gzip off;"),
        );
        match listen(subject, &token, &[], report) {
            Some(plain) => heard = plain,
            None => return,
        }
    }
    match flow(&heard.events) {
        Flow::Flows => report.fine("answers come through word by word"),
        Flow::Gathered => report.add(gathered()),
        Flow::Cut => {
            report.add(cut());
            return;
        }
    }
    let Some(plain) = seen(&heard) else {
        return;
    };
    let Some(lied) = listen(subject, &token, &[("X-Forwarded-For", CLAIM)], report).as_ref().and_then(seen) else {
        return;
    };
    let proxies = &subject.config.http.trusted_proxies;
    match forwarding(&plain, &lied, is_proxied(subject), &|ip| proxies.contain(ip)) {
        Some(finding) => report.add(finding),
        None => report.fine(format!("the server counts this machine as {}", plain.client)),
    }
}

fn gathered() -> Finding {
    Finding::error("stream-buffered", "Answers are held back on the way and come all at once: a proxy buffers them.")
        .advise("Let it pass on what comes as it comes (widgetd asks for it by X-Accel-Buffering: no). In nginx, in the location:")
        .line("proxy_buffering off;")
}

fn cut() -> Finding {
    Finding::error("stream-cut", "A stream of less than a second breaks off on the way.")
        .advise("Give streams time. In nginx, in the location:")
        .line("proxy_read_timeout 180s;")
}

/// A token of a new visitor: nothing is stored for it.
fn token(subject: &Subject<'_>, report: &mut Report) -> Option<String> {
    let body = serde_json::json!({ "agent_id": subject.agent.id() }).to_string();
    let headers = [("Origin", subject.origin.as_str())];
    let found = match subject.caller.call("POST", &subject.url("/v1/widget/init"), &headers, &body) {
        Ok(answer) if answer.status == 429 => {
            report.add(rate_limited());
            return None;
        }
        Ok(answer) => match answer.json().and_then(|body| Some(body["token"].as_str()?.to_owned())) {
            Some(token) => return Some(token),
            None => format!("answers {}", answer.status),
        },
        Err(error) => format!("fails: {error}"),
    };
    report.add(
        Finding::error("init-failed", format!("The first call of a visitor, POST /v1/widget/init, {found}."))
            .advise("Let the proxy pass POST on as it is; the server's log says more:")
            .line("journalctl --unit widgetd"),
    );
    None
}

fn listen(subject: &Subject<'_>, token: &str, more: &[(&str, &str)], report: &mut Report) -> Option<Heard> {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("Origin", subject.origin.as_str()), ("Authorization", bearer.as_str())];
    headers.extend(more);
    let finding = match subject.caller.open("GET", &subject.url("/v1/widget/stream-test"), &headers, "") {
        Ok(mut opened) if opened.status == 200 => return Some(hear(&mut opened)),
        Ok(opened) if opened.status == 429 => rate_limited(),
        Ok(opened) if opened.status == 401 => {
            Finding::error("authorization-lost", "The header Authorization does not reach the server (401).")
                .advise("Let the proxy pass it on, and ask for no password of its own. In nginx:")
                .line("proxy_set_header Authorization $http_authorization;")
        }
        // A server of an earlier version.
        Ok(opened) if opened.status == 404 => {
            Finding::warning("stream-untested", "The running server knows no stream test.")
                .advise("If you have updated, start it again:")
                .line("systemctl restart widgetd")
        }
        Ok(opened) => Finding::warning("stream-untested", format!("The stream test answers {}.", opened.status))
            .advise("Run it again; if that stays, the log says more:")
            .line("journalctl --unit widgetd"),
        Err(error) => Finding::error("stream-cut", format!("A stream does not come through: {error}."))
            .advise("Let the proxy pass on what comes as it comes. In nginx, in the location:")
            .line("proxy_buffering off;"),
    };
    report.add(finding);
    None
}

fn hear(opened: &mut Opened) -> Heard {
    let coding = opened.headers.get("content-encoding").and_then(|coding| coding.to_str().ok());
    let coding = coding.filter(|coding| !coding.eq_ignore_ascii_case("identity")).map(str::to_owned);
    let mut events = Vec::new();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    let mut total = 0;
    while total < STREAM_BYTES_MAX {
        let Ok(count @ 1..) = opened.reader().read(&mut buffer) else {
            break;
        };
        let now = clock::monotonic();
        total += count;
        text.extend_from_slice(&buffer[..count]);
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            events.extend(parse(&String::from_utf8_lossy(&event)).map(|event| (now, event)));
        }
    }
    Heard { events, coding }
}

fn parse(event: &str) -> Option<Event> {
    let data = event.lines().find_map(|line| line.strip_prefix("data:"))?;
    let data: Value = serde_json::from_str(data.trim()).ok()?;
    let text = |name: &str| data[name].as_str().map(str::to_owned);
    Some(Event {
        number: data["number"].as_u64()?,
        ms: data["ms"].as_u64()?,
        of: data["of"].as_u64(),
        seen: text("client").zip(text("forwarded_for")).map(|(client, forwarded_for)| Seen { client, forwarded_for }),
    })
}

fn seen(heard: &Heard) -> Option<Seen> {
    heard.events.first()?.1.seen.clone()
}

#[derive(Debug, PartialEq, Eq)]
enum Flow {
    Flows,
    Gathered,
    Cut,
}

/// By the gaps alone: how long the way is does not count.
fn flow(events: &[(Duration, Event)]) -> Flow {
    let (Some((first_at, first)), Some((last_at, last))) = (events.first(), events.last()) else {
        return Flow::Cut;
    };
    if first.of.is_none_or(|of| last.number != of) {
        return Flow::Cut;
    }
    let told = Duration::from_millis(last.ms.saturating_sub(first.ms));
    if last_at.saturating_sub(*first_at) < told / 2 { Flow::Gathered } else { Flow::Flows }
}

/// Whether a proxy stands between: widgetd itself speaks no TLS.
fn is_proxied(subject: &Subject<'_>) -> bool {
    let listen = subject.config.http.listen;
    let own_port = |url: Url| url.scheme() == "http" && url.port_or_known_default() == Some(listen.port());
    !Url::parse(subject.base.as_str()).is_ok_and(own_port)
}

/// What the server's view of an honest call and of one that claims to be [`CLAIM`] says of the proxy.
fn forwarding(honest: &Seen, lied: &Seen, is_proxied: bool, trusts: &dyn Fn(IpAddr) -> bool) -> Option<Finding> {
    if !is_proxied {
        return None;
    }
    let client: Option<IpAddr> = honest.client.split('/').next().and_then(|address| address.parse().ok());
    let is_trusted = client.is_some_and(trusts);
    // Where this machine itself counts as a proxy, its word about others is believed, and nobody else's is.
    let may_say = honest.forwarded_for == "believed" && is_trusted;
    if lied.client == CLAIM && !may_say {
        return Some(
            Finding::error(
                "forwarded-for-forged",
                "The proxy passes on what a client writes into X-Forwarded-For: anyone can be as many addresses as they like, \
                 and no limit binds them.",
            )
            .advise("Let the proxy write the address that it sees. In nginx, in the location:")
            .line("proxy_set_header X-Forwarded-For $remote_addr;"),
        );
    }
    let is_private = client.is_none_or(|client| !network::is_public(client));
    match honest.forwarded_for.as_str() {
        "ignored" if is_private => Some(
            Finding::warning(
                "trusted-proxies-missing",
                format!("All visitors count as one, the proxy's address {}: they share its limits.", honest.client),
            )
            .advise("Write under [server], and start widgetd again:")
            .line(format!("trusted_proxies = [\"{}\"]", honest.client)),
        ),
        "absent" if is_private => {
            let finding = Finding::warning(
                "forwarded-for-missing",
                format!(
                    "The proxy does not say who calls: all visitors count as one, {}, and share its limits.",
                    honest.client
                ),
            )
            .advise(if is_trusted {
                "Let the proxy say it. In nginx, in the location:"
            } else {
                "Let the proxy say it (in nginx, in the location), and believe it (under [server] in widget.toml):"
            })
            .line("proxy_set_header X-Forwarded-For $remote_addr;");
            Some(if is_trusted { finding } else { finding.line(format!("trusted_proxies = [\"{}\"]", honest.client)) })
        }
        _ => None,
    }
}

/// The origin by which the server is called when no other is known: where it listens.
pub(super) fn listens_on(listen: std::net::SocketAddr) -> String {
    let port = listen.port();
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{port}"),
        _ => format!("http://{listen}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(arrivals_ms: &[u64], of: u64) -> Vec<(Duration, Event)> {
        (1..)
            .zip(arrivals_ms)
            .map(|(number, &at)| {
                let event = Event { number, ms: (number - 1) * 150, of: (number == 1).then_some(of), seen: None };
                (Duration::from_millis(at), event)
            })
            .collect()
    }

    #[test]
    fn a_stream_is_judged_by_its_gaps() {
        for (arrivals, expected) in [
            (&[20, 170, 320, 470, 620][..], Flow::Flows),
            (&[9020, 9170, 9320, 9470, 9620], Flow::Flows),
            (&[20, 400, 401, 470, 640], Flow::Flows),
            (&[620, 620, 620, 620, 620], Flow::Gathered),
            (&[9600, 9600, 9601, 9601, 9640], Flow::Gathered),
            (&[20, 170, 320], Flow::Cut),
            (&[], Flow::Cut),
        ] {
            assert_eq!(flow(&events(arrivals, 5)), expected, "{arrivals:?}");
        }
    }

    #[test]
    fn a_proxy_is_judged_by_what_the_server_saw() {
        let seen = |client: &str, word: &str| Seen { client: client.into(), forwarded_for: word.into() };
        let trusts = |ip: IpAddr| ip.is_loopback();
        let id = |honest, lied, is_proxied| forwarding(&honest, &lied, is_proxied, &trusts).map(|finding| finding.id);
        let visitor = || seen("203.0.113.9", "believed");
        for (honest, lied, is_proxied, expected) in [
            (visitor(), visitor(), true, None),
            (visitor(), seen(CLAIM, "believed"), true, Some("forwarded-for-forged")),
            (seen("127.0.0.1", "absent"), seen(CLAIM, "believed"), true, Some("forwarded-for-forged")),
            // This machine calls its own proxy, which the server trusts as it does this machine.
            (seen("127.0.0.1", "believed"), seen(CLAIM, "believed"), true, None),
            (seen("172.17.0.1", "ignored"), seen("172.17.0.1", "ignored"), true, Some("trusted-proxies-missing")),
            (seen("127.0.0.1", "absent"), seen("127.0.0.1", "absent"), true, Some("forwarded-for-missing")),
            (seen("10.0.0.1", "absent"), seen("10.0.0.1", "ignored"), true, Some("forwarded-for-missing")),
            (seen("127.0.0.1", "absent"), seen(CLAIM, "believed"), false, None),
        ] {
            assert_eq!(id(honest.clone(), lied.clone(), is_proxied), expected, "{honest:?} {lied:?}");
        }
    }
}
