//! What keeps other sites out: which pages may send forms here, and what browsers are told of every answer.

use rouille::{Request, Response};

use super::Refusal;
use crate::domain::origin::Origin;

/// No script at all, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
                      frame-ancestors 'none'; base-uri 'none'";

/// A form must come from a page of this room. Browsers say where it comes from, and no page can make them lie; who is no
/// browser has no session to misuse.
pub(super) fn check_origin(http: &Request, public: Option<&Origin>) -> Result<(), Refusal> {
    let is_ours = match (http.header("Sec-Fetch-Site"), http.header("Origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let name = origin.split_once("://").map_or("", |(_, name)| name);
            let is_public = public.is_some_and(|public| public.as_str() == origin);
            is_public || http.header("Host").is_some_and(|host| host.eq_ignore_ascii_case(name))
        }
        (None, None) => true,
    };
    if is_ours { Ok(()) } else { Err(Refusal::Forged) }
}

/// Whether the browser came by TLS: as the proxy says, else as the public address says. A client that lies about it makes
/// its own cookie stricter and nothing else.
pub(super) fn is_tls(http: &Request, public: Option<&Origin>) -> bool {
    if http.header("X-Forwarded-Proto").is_some_and(|proto| proto.eq_ignore_ascii_case("https")) {
        return true;
    }
    let is_public_tls = public.is_some_and(|public| public.as_str().starts_with("https://"));
    // By a tunnel to this machine there is no TLS, whatever visitors have.
    let host = http.header("Host").unwrap_or_default();
    let is_tunnel = ["localhost", "127.", "[::1]"].iter().any(|name| host.starts_with(name))
        && http.header("X-Forwarded-For").is_none();
    is_public_tls && !is_tunnel
}

/// The headers of every answer.
pub(super) fn with_headers(mut response: Response, request_id: &str) -> Response {
    let common = [
        ("X-Request-Id", request_id),
        ("Content-Security-Policy", POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        // Not `no-referrer`: with it a browser says of a form that it comes from "null" (Fetch, "append a request `Origin`
        // header"). Other sites are told nothing by either.
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("X-Robots-Tag", "noindex"),
        ("Cache-Control", "no-store"),
    ];
    for (name, value) in common {
        if !response.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            response.headers.push((name.into(), value.to_owned().into()));
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Request::fake_http("POST", "/admin/login", headers, Vec::new())
    }

    #[test]
    fn a_form_of_another_page_is_refused() {
        let public = Origin::parse("https://chat.example.com").unwrap();
        for (headers, expected) in [
            (&[][..], true),
            (&[("Sec-Fetch-Site", "same-origin"), ("Origin", "null")], true),
            (&[("Sec-Fetch-Site", "same-site")], false),
            (&[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://chat.example.com")], false),
            (&[("Sec-Fetch-Site", "none")], false),
            (&[("Origin", "https://chat.example.com"), ("Host", "127.0.0.1:8080")], true),
            (&[("Origin", "http://127.0.0.1:8080"), ("Host", "127.0.0.1:8080")], true),
            (&[("Origin", "http://127.0.0.1:9090"), ("Host", "127.0.0.1:8080")], false),
            (&[("Origin", "https://evil.example"), ("Host", "chat.example.com")], false),
            (&[("Origin", "null"), ("Host", "null")], false),
        ] {
            assert_eq!(check_origin(&request(headers), Some(&public)).is_ok(), expected, "{headers:?}");
        }
    }

    #[test]
    fn tls_is_what_the_proxy_or_the_public_address_says() {
        let public = Some(Origin::parse("https://chat.example.com").unwrap());
        for (public, headers, expected) in [
            (&None, &[("Host", "localhost:8080")][..], false),
            (&None, &[("X-Forwarded-Proto", "https")], true),
            (&None, &[("X-Forwarded-Proto", "http")], false),
            (&public, &[("Host", "chat.example.com")], true),
            (&public, &[("Host", "127.0.0.1:8080"), ("X-Forwarded-For", "192.0.2.1")], true),
            (&public, &[("Host", "127.0.0.1:8081")], false),
            (&public, &[("Host", "localhost:8081")], false),
        ] {
            assert_eq!(is_tls(&request(headers), public.as_ref()), expected, "{headers:?}");
        }
    }
}
