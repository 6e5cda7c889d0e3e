//! Which hosts are this machine, or at least not on the public internet. By what is written: no name is looked up. Pure.

use std::net::IpAddr;

use url::{Host, Url};

use crate::domain::network;
use crate::domain::origin::Origin;

/// Names that no public DNS gives out (RFC 6761, RFC 6762, RFC 8375, and ICANN's `.internal`).
const PRIVATE_NAMES: [&str; 7] = ["localhost", "local", "internal", "test", "lan", "home.arpa", "invalid"];

/// Whether browsers take a URL for this machine's own: what comes from there is no mixed content (Secure Contexts,
/// section 3.1).
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether everybody could have it on the screen.
pub(super) fn is_public(origin: &Origin) -> bool {
    let Ok(url) = Url::parse(origin.as_str()) else {
        return false;
    };
    match url.host() {
        Some(Host::Domain(name)) => {
            let is_below =
                |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
            name.contains('.') && !PRIVATE_NAMES.into_iter().any(is_below)
        }
        Some(Host::Ipv4(ip)) => network::is_public(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => network::is_public(IpAddr::V6(ip)),
        None => false,
    }
}

/// The same site under the other of the two names that it usually has: `www.example.com` and `example.com`.
pub(super) fn www_twin(origin: &Origin) -> Option<Origin> {
    let (scheme, host) = origin.as_str().split_once("://")?;
    let twin = match host.strip_prefix("www.") {
        Some(bare) => bare.to_owned(),
        // Of deeper names (shop.example.com) hardly anyone has one.
        None if host.matches('.').count() == 1 => format!("www.{host}"),
        None => return None,
    };
    Origin::parse(&format!("{scheme}://{twin}")).ok().filter(is_public)
}

/// The same site by the other scheme, on the default ports.
pub(super) fn scheme_twin(origin: &Origin) -> Option<Origin> {
    let url = Url::parse(origin.as_str()).ok()?;
    let other = match (url.scheme(), url.port()) {
        ("http", None) => "https",
        ("https", None) => "http",
        _ => return None,
    };
    Origin::parse(&format!("{other}://{}", url.host_str()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn public_hosts_are_told_from_those_of_a_network() {
        for (text, expected) in [
            ("https://www.example.com", true),
            ("https://8.8.8.8", true),
            ("https://[2606:4700::1]", true),
            ("http://localhost:3000", false),
            ("http://a.localhost", false),
            ("http://printer", false),
            ("http://nas.local", false),
            ("http://shop.internal:8080", false),
            ("http://mylocal.com", true),
            ("http://192.168.1.7", false),
            ("http://[::1]:3000", false),
        ] {
            assert_eq!(is_public(&origin(text)), expected, "{text}");
        }
    }

    #[test]
    fn twins_are_named() {
        let www = |text| www_twin(&origin(text)).map(|twin| twin.to_string());
        assert_eq!(www("https://www.example.com").as_deref(), Some("https://example.com"));
        assert_eq!(www("https://example.com:8443").as_deref(), Some("https://www.example.com:8443"));
        assert_eq!(www("https://shop.example.com"), None);
        assert_eq!(www("http://localhost:3000"), None);
        let scheme = |text| scheme_twin(&origin(text)).map(|twin| twin.to_string());
        assert_eq!(scheme("https://example.com").as_deref(), Some("http://example.com"));
        assert_eq!(scheme("http://example.com").as_deref(), Some("https://example.com"));
        assert_eq!(scheme("http://example.com:8080"), None);
    }
}
