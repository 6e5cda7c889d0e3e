//! Looks the name of a model server up. `ureq`'s own resolver starts a thread for each lookup, of an address too, and
//! panics if the system has none left; this one starts a thread for a name alone, and then the link merely fails.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;
use ureq::{Error, Timeout};

/// Addresses of one name that are tried; more do not fit into what is handed back.
const ADDRESSES_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct PatientResolver;

impl Resolver for PatientResolver {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.scheme().zip(uri.authority()).ok_or(Error::HostNotFound)?;
        let host = DefaultResolver::host_and_port(host.0, host.1).ok_or(Error::HostNotFound)?;
        let found = match host.parse() {
            Ok(address) => vec![address],
            Err(_) => look_up(host, &timeout)?,
        };
        let mut addresses = self.empty();
        for address in found.into_iter().take(ADDRESSES_MAX) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// The system's lookup knows no time-out, so a thread waits for it and is left to itself when time is up.
fn look_up(host: String, timeout: &NextTimeout) -> Result<Vec<SocketAddr>, Error> {
    let (found, result) = sync_channel(1);
    thread::Builder::new().name("resolver".into()).spawn(move || {
        // Nobody listens any longer if it took too long.
        let _ = found.send(host.to_socket_addrs().map(Vec::from_iter));
    })?;
    match result.recv_timeout(*timeout.after) {
        Ok(addresses) => Ok(addresses?),
        Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(Timeout::Resolve)),
        Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
    }
}
