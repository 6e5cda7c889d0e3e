//! Whether what proxies say of their clients can be right. The owner is told, once until the next reload, of a proxy that does
//! not say who asks, of one that passes on what clients write, and of one that is not believed.
//!
//! There is no false alarm, and so there is more than this can see: a proxy that passes on an *address* that a client wrote
//! cannot be told from one that wrote it itself. A program on this machine that asks without a proxy is no browser.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::client_addr::{TrustedProxies, hop_address};
use super::head::values;
use crate::domain::network;
use crate::domain::origin::Origin;

/// What is wrong with a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    /// It does not say who asks.
    Silent = 1,
    /// It says what no proxy says of a client.
    Repeating = 2,
    /// It says who asks, and is not believed.
    Unknown = 4,
}

/// What has been told.
#[derive(Debug, Default)]
pub(super) struct Hearsay(AtomicU8);

impl Hearsay {
    /// Looks at the head of a request, and warns of what was not warned of yet.
    pub(super) fn judge(&self, proxies: &TrustedProxies, peer: IpAddr, headers: &[(String, String)]) {
        let Some(doubt) = doubt(proxies, peer, headers) else { return };
        let bit = doubt as u8;
        if self.0.fetch_or(bit, Ordering::Relaxed) & bit == 0 {
            tracing::warn!("{}", words(doubt, peer.to_canonical()));
        }
    }

    pub(super) fn forget(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

fn doubt(proxies: &TrustedProxies, peer: IpAddr, headers: &[(String, String)]) -> Option<Doubt> {
    // Each browser that runs the widget sends it, and no script can.
    let is_browser = || values(headers, "Sec-Fetch-Site").next().is_some();
    // Not that of the owner who has come by a tunnel, past the proxy.
    let is_of_a_page = || {
        let origin = values(headers, "Origin").next().and_then(|origin| Origin::parse(origin).ok());
        origin.is_some_and(|origin| !origin.is_loopback())
    };
    let last_hop = values(headers, "X-Forwarded-For").next_back().map(|line| line.rsplit(',').next().unwrap_or(line));
    match (proxies.contain(peer), last_hop) {
        (true, None) if is_browser() && is_of_a_page() => Some(Doubt::Silent),
        (true, Some(hop)) if hop_address(hop.trim()).is_none() => Some(Doubt::Repeating),
        (false, Some(_)) if !network::is_public(peer) && is_browser() => Some(Doubt::Unknown),
        _ => None,
    }
}

fn words(doubt: Doubt, peer: IpAddr) -> String {
    const LINE: &str = "proxy_set_header X-Forwarded-For $remote_addr;";
    match doubt {
        Doubt::Silent => format!(
            "the proxy at {peer} does not say who asks, in X-Forwarded-For: all its visitors share one address and its \
             limits. For nginx, write in the server block: {LINE}"
        ),
        Doubt::Repeating => format!(
            "what the proxy at {peer} says in X-Forwarded-For ends in something that is no address: it seems to pass on what \
             clients write, who may then be as many addresses as they like. For nginx, write in the server block: {LINE}"
        ),
        Doubt::Unknown => format!(
            "{peer} says for whom it asks, in X-Forwarded-For, and is not believed: if it is your proxy, all its visitors \
             share one address and its limits. Write under [server] in widget.toml, and restart: trusted_proxies = \
             [\"{peer}\"]"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &[(&str, &str)] = &[("Sec-Fetch-Site", "cross-site"), ("Origin", "https://www.example.com")];
    const TUNNEL: &[(&str, &str)] = &[("Sec-Fetch-Site", "same-origin"), ("Origin", "http://localhost:8080")];
    const OWN_PAGE: &[(&str, &str)] = &[("Sec-Fetch-Site", "none")];
    const PROGRAM: &[(&str, &str)] = &[("Origin", "https://www.example.com")];

    fn judged(peer: &str, client: &[(&str, &str)], forwarded_for: &[&str]) -> Option<Doubt> {
        let mut proxies = TrustedProxies::default();
        ["127.0.0.1", "10.0.0.0/8"].iter().for_each(|proxy| proxies.add(proxy).unwrap());
        let lines = forwarded_for.iter().map(|line| ("x-forwarded-for", *line));
        let headers: Vec<_> =
            client.iter().copied().chain(lines).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        doubt(&proxies, peer.parse().unwrap(), &headers)
    }

    #[test]
    fn a_trusted_proxy_that_does_not_say_who_asks_is_doubted_if_a_visitor_asks() {
        assert_eq!(judged("127.0.0.1", BROWSER, &[]), Some(Doubt::Silent));
        assert_eq!(judged("10.9.9.9", BROWSER, &[]), Some(Doubt::Silent));
        for client in [TUNNEL, OWN_PAGE, PROGRAM, &[]] {
            assert_eq!(judged("127.0.0.1", client, &[]), None, "{client:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_whose_list_does_not_end_in_an_address_is_doubted() {
        for hop in ["garbage", "6.6.6.6, garbage", "unknown", "", "6.6.6.6,", "_hidden", "<script>"] {
            assert_eq!(judged("127.0.0.1", PROGRAM, &[hop]), Some(Doubt::Repeating), "{hop}");
        }
        assert_eq!(judged("127.0.0.1", BROWSER, &["6.6.6.6", "garbage"]), Some(Doubt::Repeating));
        for hop in ["6.6.6.6", "garbage, 6.6.6.6", "6.6.6.6:1234", "[2001:db8::1]:1234", "2001:db8::1", "127.0.0.1"] {
            assert_eq!(judged("127.0.0.1", BROWSER, &[hop]), None, "{hop}");
        }
        assert_eq!(judged("127.0.0.1", BROWSER, &["garbage", "6.6.6.6"]), None);
    }

    #[test]
    fn who_is_near_and_says_for_whom_it_asks_is_doubted_if_a_visitor_asks() {
        for near in ["127.0.0.9", "172.17.0.1", "192.168.1.2", "::1", "fd00::1", "::ffff:172.17.0.1"] {
            assert_eq!(judged(near, BROWSER, &["6.6.6.6"]), Some(Doubt::Unknown), "{near}");
            assert_eq!(judged(near, OWN_PAGE, &["garbage"]), Some(Doubt::Unknown), "{near}");
            assert_eq!(judged(near, PROGRAM, &["6.6.6.6"]), None, "{near}");
            assert_eq!(judged(near, BROWSER, &[]), None, "{near}");
        }
        // Anybody may write what he likes.
        assert_eq!(judged("8.8.8.8", BROWSER, &["6.6.6.6"]), None);
        assert_eq!(judged("2600::1", BROWSER, &["garbage"]), None);
    }

    #[test]
    fn each_doubt_is_told_once_until_it_is_forgotten() {
        let hearsay = Hearsay::default();
        let proxies = TrustedProxies::default();
        let headers: Vec<_> = [("Sec-Fetch-Site", "none"), ("X-Forwarded-For", "6.6.6.6")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        hearsay.judge(&proxies, IpAddr::from([127, 0, 0, 1]), &headers);
        assert_eq!(hearsay.0.load(Ordering::Relaxed), Doubt::Unknown as u8);
        hearsay.forget();
        assert_eq!(hearsay.0.load(Ordering::Relaxed), 0);
    }
}
