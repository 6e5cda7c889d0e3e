//! Whose address a request counts for: the peer's, or what trusted proxies say of it. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

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
fn hop_address(hop: &str) -> Option<IpAddr> {
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

/// The address, or the subscriber's network with its length.
impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Ipv6Addr::from_bits(self.0).to_canonical() {
            IpAddr::V4(ip) => write!(f, "{ip}"),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

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
