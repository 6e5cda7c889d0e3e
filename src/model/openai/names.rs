//! Looks a model server's name up, and remembers the answer for a while.
//!
//! ureq looks up for each call, before it knows whether an open connection will do, and starts a thread to keep the
//! look-up's time limit: that costs a call as much as everything else together. An address needs no look-up at all.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use parking_lot::Mutex;
use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::clock;

/// As short as the shortest lives that hosted models give their names.
const FRESH: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct RememberedNames {
    system: DefaultResolver,
    /// One entry a server of `widget.toml`: never more than a few.
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    addresses: ResolvedSocketAddrs,
    since: Duration,
}

impl Resolver for RememberedNames {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.resolve_at(uri, config, timeout, clock::monotonic())
    }
}

impl RememberedNames {
    fn resolve_at(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
        now: Duration,
    ) -> Result<ResolvedSocketAddrs, Error> {
        if let Some(address) = literal(uri) {
            let mut addresses = self.empty();
            addresses.push(address);
            return Ok(addresses);
        }
        let name = uri.authority().map(ToString::to_string).unwrap_or_default();
        let known = |max_age| {
            let known = self.known.lock();
            known
                .get(&name)
                .filter(|known: &&Known| now.saturating_sub(known.since) < max_age)
                .map(|known| known.addresses.clone())
        };
        if let Some(addresses) = known(FRESH) {
            return Ok(addresses);
        }
        match self.system.resolve(uri, config, timeout) {
            Ok(addresses) => {
                self.known.lock().insert(name, Known { addresses: addresses.clone(), since: now });
                Ok(addresses)
            }
            // A name server that is down need not take the model with it: where it was is the best guess.
            Err(error) => known(Duration::MAX).ok_or(error),
        }
    }
}

/// The address that a URL names outright.
fn literal(uri: &Uri) -> Option<SocketAddr> {
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let default_port = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, uri.port_u16().unwrap_or(default_port)))
}

#[cfg(test)]
mod tests {
    use ureq::Timeout;
    use ureq::unversioned::transport::time;

    use super::*;

    fn resolve(names: &RememberedNames, url: &str, now: Duration) -> Result<Vec<SocketAddr>, Error> {
        let timeout =
            NextTimeout { after: time::Duration::from_secs(20), reason: Timeout::Resolve, ..Default::default() };
        names
            .resolve_at(&url.parse().unwrap(), &Config::default(), timeout, now)
            .map(|addresses| addresses.iter().copied().collect())
    }

    #[test]
    fn an_address_is_taken_as_it_stands() {
        let names = RememberedNames::default();
        for (url, expected) in [
            ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
            ("http://127.0.0.1/v1", "127.0.0.1:80"),
            ("https://[::1]/v1", "[::1]:443"),
            ("https://[2001:db8::1]:8443/v1", "[2001:db8::1]:8443"),
        ] {
            assert_eq!(resolve(&names, url, Duration::ZERO).unwrap(), [expected.parse().unwrap()], "{url}");
        }
        assert!(names.known.lock().is_empty());
    }

    #[test]
    fn a_name_is_looked_up_once_and_remembered() {
        let names = RememberedNames::default();
        let first = resolve(&names, "http://localhost:8000/v1", FRESH / 2).unwrap();
        assert!(first.iter().all(|address| address.ip().is_loopback() && address.port() == 8000));
        // What is remembered is used: here, something that no look-up would give.
        let mut made_up = names.empty();
        made_up.push(SocketAddr::from(([127, 9, 9, 9], 1)));
        for known in names.known.lock().values_mut() {
            known.addresses = made_up.clone();
        }
        assert_eq!(resolve(&names, "http://localhost:8000/v1", FRESH / 2).unwrap(), [made_up[0]]);
        assert_ne!(
            resolve(&names, "http://localhost:8001/v1", FRESH / 2).unwrap(),
            [made_up[0]],
            "another port is another server"
        );
    }

    #[test]
    fn a_name_that_cannot_be_looked_up_any_more_stays_where_it_was() {
        let names = RememberedNames::default();
        let mut addresses = names.empty();
        addresses.push(SocketAddr::from(([127, 0, 0, 1], 8000)));
        names.known.lock().insert("model.invalid:8000".into(), Known { addresses, since: Duration::ZERO });
        assert_eq!(resolve(&names, "http://model.invalid:8000/v1", FRESH * 2).unwrap().len(), 1);
        assert!(resolve(&names, "http://other.invalid:8000/v1", FRESH * 2).is_err());
    }
}
