//! Whose address a request counts for: the peer's, or what trusted proxies say of it. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Hops of `X-Forwarded-For` that are looked at, from the right.
const HOPS_MAX: usize = 100;

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    bits: u32,
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TrustedProxies(Vec<Network>);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not an address like 10.0.0.7 or a network like 10.0.0.0/8")]
pub(crate) struct NetworkError;

impl TrustedProxies {
    /// Adds an address (`127.0.0.1`, `::1`) or a network (`10.0.0.0/8`).
    pub(crate) fn add(&mut self, text: &str) -> Result<(), NetworkError> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or(NetworkError)?,
        };
        // An IPv4 network is one of IPv4-mapped addresses, whose first 96 bits are the same.
        self.0.push(Network { address: mapped(address), bits: bits + 128 - width });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether one of them holds so much that not all of it can be proxies: less than 8 bits of IPv4 say what is meant, or less
    /// than 16 of IPv6, unless that is private (RFC 4193) or link-local.
    pub(crate) fn are_wide(&self) -> bool {
        self.0.iter().any(|network| match Ipv6Addr::from_bits(network.address).to_ipv4_mapped() {
            Some(_) if network.bits >= 96 => network.bits < 96 + 8,
            _ => {
                let is_private =
                    |prefix: u128, bits: u32| network.bits >= bits && network.address >> (128 - bits) == prefix;
                network.bits < 16 && !is_private(0xfc >> 1, 7) && !is_private(0xfe80 >> 6, 10)
            }
        })
    }

    /// Whether all of them are on this machine.
    pub(crate) fn are_loopback(&self) -> bool {
        let is_in = |network: &Network, loopback: IpAddr, width: u32| {
            network.bits >= width && (network.address ^ mapped(loopback)) >> (128 - width) == 0
        };
        self.0.iter().all(|network| {
            is_in(network, Ipv4Addr::LOCALHOST.into(), 96 + 8) || is_in(network, Ipv6Addr::LOCALHOST.into(), 128)
        })
    }

    pub(crate) fn contain(&self, ip: IpAddr) -> bool {
        let ip = mapped(ip);
        self.0.iter().any(|network| match network.bits {
            0 => true,
            bits => (ip ^ network.address) >> (128 - bits) == 0,
        })
    }

    /// The client's address: the right-most hop that is not a trusted proxy. A hop that is no address ends the walk at
    /// the one before it; a peer that is not trusted says nothing of others.
    pub(crate) fn client<'a>(
        &self,
        peer: SocketAddr,
        forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    ) -> SocketAddr {
        let mut client = peer.ip();
        let hops = forwarded_for.rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX);
        for hop in hops {
            if !self.contain(client) {
                break;
            }
            let Some(ip) = hop_address(hop.trim()) else {
                break;
            };
            client = ip;
        }
        SocketAddr::new(client.to_canonical(), peer.port())
    }
}

/// `ip`, `ip:port`, `[v6]` or `[v6]:port`.
pub(super) fn hop_address(hop: &str) -> Option<IpAddr> {
    let bracketed = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    bracketed.unwrap_or(hop).parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// What limits count by: an IPv4 address whole, of IPv6 the /64, since a subscriber has all of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressKey(u128);

pub(crate) fn address_key(ip: IpAddr) -> AddressKey {
    const SUBSCRIBER: u128 = !0 << 64;
    match ip.to_canonical() {
        IpAddr::V4(ip) => AddressKey(ip.to_ipv6_mapped().to_bits()),
        IpAddr::V6(ip) => AddressKey(Ipv6Addr::to_bits(ip) & SUBSCRIBER),
    }
}

/// What limits count a whole IPv6 network by, the /48 that one customer may hold: it has 65 536 keys of its own.
pub(crate) fn network_key(ip: IpAddr) -> Option<AddressKey> {
    const CUSTOMER: u128 = !0 << 80;
    match ip.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(AddressKey(Ipv6Addr::to_bits(ip) & CUSTOMER)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &[&str]) -> TrustedProxies {
        let mut proxies = TrustedProxies::default();
        list.iter().for_each(|text| proxies.add(text).unwrap());
        proxies
    }

    fn client(trusted: &[&str], peer: &str, lines: &[&str]) -> String {
        let peer = SocketAddr::new(peer.parse().unwrap(), 1234);
        proxies(trusted).client(peer, lines.iter().copied()).ip().to_string()
    }

    #[test]
    fn only_a_trusted_peer_is_believed_and_only_as_far_as_its_hops_are_trusted() {
        let trusted = &["127.0.0.1", "10.0.0.0/8", "::1"];
        for (peer, lines, expected) in [
            ("203.0.113.9", &["6.6.6.6"][..], "203.0.113.9"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["6.6.6.6, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),
            ("127.0.0.1", &["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["garbage"], "127.0.0.1"),
            ("127.0.0.1", &["6.6.6.6, garbage, 10.1.2.3"], "10.1.2.3"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("127.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            ("::1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("::ffff:127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("11.0.0.1", &["6.6.6.6"], "11.0.0.1"),
        ] {
            assert_eq!(client(trusted, peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_long_list_of_hops_is_not_walked_to_its_end() {
        let line = vec!["10.0.0.1"; 5000].join(",");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.2", &[&line]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_or_refused() {
        for good in ["127.0.0.1", "10.0.0.0/8", "0.0.0.0/0", "::1", "fd00::/8"] {
            assert!(TrustedProxies::default().add(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost", "10.0.0.0/33", "10.0.0/8", "::1/129", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(TrustedProxies::default().add(bad).is_err(), "{bad}");
        }
        assert!(proxies(&["0.0.0.0/0"]).contain("1.2.3.4".parse().unwrap()));
        assert!(!proxies(&["0.0.0.0/0"]).contain("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn networks_that_no_one_has_proxies_all_over_are_wide() {
        for wide in
            ["0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7", "2000::/3", "::ffff:0.0.0.0/96", "c000::/2"]
        {
            assert!(proxies(&["127.0.0.1", wide]).are_wide(), "{wide}");
        }
        for narrow in
            ["10.0.0.0/8", "127.0.0.0/8", "104.16.0.0/13", "::1", "fd00::/8", "fc00::/7", "fe80::/10", "2400:cb00::/32"]
        {
            assert!(!proxies(&[narrow]).are_wide(), "{narrow}");
        }
    }

    #[test]
    fn proxies_of_this_machine_alone_are_loopback() {
        for (list, expected) in [
            (&["127.0.0.1"][..], true),
            (&["127.0.0.0/8", "::1"], true),
            (&["127.0.0.1", "10.0.0.1"], false),
            (&["126.0.0.0/7"], false),
            (&["::/127"], false),
            (&["0.0.0.0/0"], false),
        ] {
            assert_eq!(proxies(list).are_loopback(), expected, "{list:?}");
        }
    }

    #[test]
    fn an_ipv6_subscriber_is_one_key() {
        let key = |ip: &str| address_key(ip.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:1.2.3.4"), key("1.2.3.4"));
        assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
        let network = |ip: &str| network_key(ip.parse().unwrap());
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ffff::9"));
        assert_ne!(network("2001:db8:1::1"), network("2001:db8:2::1"));
        assert_eq!(network("::ffff:1.2.3.4"), None);
    }
}
