//! Looks a model server's name up, and remembers the answer for a while.
//!
//! ureq's own resolver is asked for each call, before it is known whether an open connection will do, and starts a thread
//! for it, of an address too: that costs a call as much as everything else together, and panics if the system has no
//! thread left. An address needs no look-up at all; a name is looked up each half minute, and without a thread for it
//! the link merely fails.

use std::collections::HashMap;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

use super::waiting::{TICK, look_up_from_waiting};
use crate::clock;

/// Addresses of one name that are tried; more do not fit into what is handed back.
const ADDRESSES_MAX: usize = 16;
/// As short as the shortest lives that hosted models give their names.
const FRESH: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct RememberedNames {
    /// One entry a server of `widget.toml`: never more than a few.
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug)]
struct Known {
    addresses: ResolvedSocketAddrs,
    since: Duration,
}

impl Resolver for RememberedNames {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        self.resolve_at(uri, &timeout, clock::monotonic())
    }
}

impl RememberedNames {
    fn resolve_at(&self, uri: &Uri, timeout: &NextTimeout, now: Duration) -> Result<ResolvedSocketAddrs, Error> {
        let (scheme, authority) = uri.scheme().zip(uri.authority()).ok_or(Error::HostNotFound)?;
        let host = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        if let Ok(address) = host.parse() {
            return self.listed([address]);
        }
        let known = |max_age| {
            let known = self.known.lock();
            known
                .get(&host)
                .filter(|known: &&Known| now.saturating_sub(known.since) < max_age)
                .map(|known| known.addresses.clone())
        };
        if let Some(addresses) = known(FRESH) {
            return Ok(addresses);
        }
        match look_up(host.clone(), timeout).and_then(|found| self.listed(found)) {
            Ok(addresses) => {
                self.known.lock().insert(host, Known { addresses: addresses.clone(), since: now });
                Ok(addresses)
            }
            // A name server that is down need not take the model with it: where it was is the best guess.
            Err(error) => known(Duration::MAX).ok_or(error),
        }
    }

    fn listed(&self, found: impl IntoIterator<Item = SocketAddr>) -> Result<ResolvedSocketAddrs, Error> {
        let mut addresses = self.empty();
        for address in found.into_iter().take(ADDRESSES_MAX) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// The system's look-up knows no time-out, so a thread waits for it and is left to itself when time is up.
fn look_up(host: String, timeout: &NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let (found, result) = sync_channel(1);
    thread::Builder::new().name("resolver".into()).spawn(move || {
        // Nobody listens any longer if it took too long.
        let _ = found.send(host.to_socket_addrs().map(Vec::from_iter));
    })?;
    Ok(wait(&result, *timeout.after)??)
}

/// Waits as the call does that asks: its listener is told meanwhile, and may end it.
fn wait<T>(result: &Receiver<T>, patience: Duration) -> Result<T, Error> {
    let end = clock::monotonic() + patience;
    loop {
        look_up_from_waiting()?;
        let left = end.saturating_sub(clock::monotonic());
        match result.recv_timeout(left.min(TICK)) {
            Ok(found) => return Ok(found),
            Err(RecvTimeoutError::Disconnected) => return Err(Error::HostNotFound),
            Err(RecvTimeoutError::Timeout) if left <= TICK => return Err(Error::Timeout(Timeout::Resolve)),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::ControlFlow;
    use std::rc::Rc;
    use std::time::Instant;

    use ureq::Timeout;
    use ureq::unversioned::transport::time;

    use super::*;
    use crate::model::openai::waiting::{Call, Limit};
    use crate::model::{Listener, ModelError, Update};

    fn resolve(names: &RememberedNames, url: &str, now: Duration) -> Result<Vec<SocketAddr>, Error> {
        let timeout =
            NextTimeout { after: time::Duration::from_secs(20), reason: Timeout::Resolve, ..Default::default() };
        names.resolve_at(&url.parse().unwrap(), &timeout, now).map(|addresses| addresses.iter().copied().collect())
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
    fn a_look_up_that_nobody_waits_for_any_more_is_left() {
        let (_found, result) = sync_channel::<()>(1);
        let told = Rc::new(Cell::new(0));
        let listener: Listener = {
            let told = told.clone();
            Rc::new(move |update| {
                assert_eq!(update, Update::Waiting);
                told.set(told.get() + 1);
                if told.get() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        let long = Duration::from_secs(20);
        let call = Call::begin(&listener, (Instant::now() + long, Limit::FirstToken));
        let begun = Instant::now();
        assert!(wait(&result, long).is_err());
        assert!(begun.elapsed() < long / 2, "{:?}", begun.elapsed());
        assert_eq!((told.get(), call.given_up()), (2, Some(ModelError::Cancelled)));
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
