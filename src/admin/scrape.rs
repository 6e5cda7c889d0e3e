//! `GET /metrics`, on the address that the admin page has of its own, with a password set or without.
//!
//! Who comes to a loopback address directly is on this machine, and may look. Everybody else needs the token: whom a proxy
//! brings, and who asks under a name that is none of this machine's, as a page in a browser here would whose name was made
//! to lead to this address.

use std::net::{IpAddr, SocketAddr};

use hmac_sha256::HMAC;
use rouille::{Request, Response};

use crate::config::Config;
use crate::domain::secret::Secret;
use crate::http::problem::Problem;
use crate::metrics;

pub(super) const PATH: &str = "/metrics";

/// Keeps what is compared apart from any other use of the token.
const PURPOSE: &str = "widgetd /metrics";

/// What proxies write. Whoever writes it without being one only shuts themselves out.
const FORWARDED: [&str; 6] =
    ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via"];

/// What is served at `/metrics`, and where.
pub(crate) struct Scrape<'a> {
    /// Where this listens; the configuration may have been changed since.
    pub(crate) listen: SocketAddr,
    pub(crate) text: &'a dyn Fn() -> String,
}

/// Whether /metrics can be read on this address at all.
pub(crate) fn is_served(config: &Config, listen: SocketAddr) -> bool {
    config.metrics_token.is_some() || is_loopback(listen.ip())
}

pub(super) fn answer(http: &Request, config: &Config, scrape: &Scrape<'_>, request_id: &str) -> Response {
    if !matches!(http.method(), "GET" | "HEAD") {
        let refusal = problem(405, "method_not_allowed", "The method is not allowed", "Send GET.");
        return refusal.response(request_id).with_additional_header("Allow", "GET, HEAD");
    }
    let token = config.metrics_token.as_ref();
    let is_let_in = token.is_some_and(|token| is_token(http, token)) || is_from_here(http, scrape.listen);
    match (is_let_in, token) {
        (true, _) => Response::from_data(metrics::CONTENT_TYPE, (scrape.text)()),
        (false, Some(_)) => problem(
            401,
            "invalid_token",
            "The token of /metrics is needed",
            "Send \"Authorization: Bearer TOKEN\" with the token that metrics_token_env or metrics_token_file of [admin] \
             leads to.",
        )
        .response(request_id)
        .with_additional_header("WWW-Authenticate", "Bearer realm=\"metrics\""),
        (false, None) => problem(
            403,
            "metrics_token_not_set",
            "A token must be set first",
            "Without a token /metrics is for this machine alone, asked as 127.0.0.1 or localhost and through no proxy. \
             Write metrics_token_env = \"METRICS_TOKEN\" (or metrics_token_file) under [admin] in widget.toml, with what \
             `openssl rand -hex 32` prints in it, and send that as \"Authorization: Bearer TOKEN\".",
        )
        .response(request_id),
    }
}

fn problem(status: u16, code: &'static str, title: &'static str, detail: &str) -> Problem {
    Problem { status, code, title, detail: detail.to_owned(), errors: Vec::new(), retry_after_s: None }
}

/// Compared in constant time.
fn is_token(http: &Request, token: &Secret) -> bool {
    let sent = http.header("Authorization").and_then(|header| header.trim().split_once(' '));
    sent.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .is_some_and(|(_, sent)| HMAC::verify(sent.trim_start(), PURPOSE, &HMAC::mac(token.expose(), PURPOSE)))
}

fn is_from_here(http: &Request, listen: SocketAddr) -> bool {
    let is_forwarded = FORWARDED.iter().any(|name| http.header(name).is_some());
    is_loopback(listen.ip()) && !is_forwarded && names_this_machine(http.header("Host").unwrap_or_default())
}

/// Whether `host`, with or without a port, is a name that nobody else can have.
fn names_this_machine(host: &str) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return is_loopback(address.ip());
    }
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |it| it.0);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(is_loopback)
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: &str = "127.0.0.1:8081";

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::fake_http("GET", PATH, headers, Vec::new())
    }

    #[test]
    fn who_is_on_this_machine_needs_no_token() {
        for (listen, headers, expected) in [
            (LOOPBACK, &[("Host", "127.0.0.1:8081")][..], true),
            (LOOPBACK, &[("Host", "localhost:8081")], true),
            (LOOPBACK, &[("Host", "LOCALHOST")], true),
            ("[::1]:8081", &[("Host", "[::1]:8081")], true),
            ("[::1]:8081", &[("Host", "[::1]")], true),
            ("[::ffff:127.0.0.1]:8081", &[("Host", "127.0.0.1")], true),
            (LOOPBACK, &[("Host", "evil.example:8081")], false),
            (LOOPBACK, &[("Host", "localhost.evil.example")], false),
            (LOOPBACK, &[("Host", "192.0.2.1:8081")], false),
            (LOOPBACK, &[("Host", "")], false),
            (LOOPBACK, &[], false),
            (LOOPBACK, &[("Host", LOOPBACK), ("X-Forwarded-For", "127.0.0.1")], false),
            (LOOPBACK, &[("Host", LOOPBACK), ("forwarded", "for=127.0.0.1")], false),
            (LOOPBACK, &[("Host", LOOPBACK), ("Via", "1.1 cache")], false),
            ("192.0.2.1:8081", &[("Host", LOOPBACK)], false),
            ("0.0.0.0:8081", &[("Host", LOOPBACK)], false),
            ("[::]:8081", &[("Host", "[::1]:8081")], false),
        ] {
            assert_eq!(is_from_here(&request(headers), listen.parse().unwrap()), expected, "{listen} {headers:?}");
        }
    }

    #[test]
    fn the_token_is_that_text_and_no_other() {
        let token = Secret::new("0123456789abcdef");
        for (header, expected) in [
            ("Bearer 0123456789abcdef", true),
            ("bearer  0123456789abcdef", true),
            ("Bearer 0123456789abcde", false),
            ("Bearer 0123456789abcdef0", false),
            ("Bearer 0123456789ABCDEF", false),
            ("Bearer", false),
            ("Bearer ", false),
            ("Basic 0123456789abcdef", false),
            ("0123456789abcdef", false),
        ] {
            assert_eq!(is_token(&request(&[("Authorization", header)]), &token), expected, "{header}");
        }
        assert!(!is_token(&request(&[]), &token));
    }
}
