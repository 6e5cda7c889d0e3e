//! The open connections: a place for each, by its key, and how many of them each address and each network has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::client_addr::{AddressKey, address_key, network_key};
use super::slot::State;

/// Of all requests together that are not whole yet. Who sends its request in one go is hardly ever among them.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a whole IPv6 network may have, as a multiple of what one address may: addresses in it are free to change.
const NETWORK_FACTOR: usize = 4;

#[derive(Default)]
pub(super) struct Table {
    places: Vec<Option<Entry>>,
    /// Keys of the empty places.
    free: Vec<usize>,
    open: usize,
    /// Bytes of all requests that are not whole yet.
    held: usize,
    addresses: Counts,
    networks: Counts,
}

struct Entry {
    state: Arc<Mutex<State>>,
    /// Whom it counts for, if for anyone.
    client: Option<IpAddr>,
    /// Bytes of a request that is not whole yet.
    held: usize,
}

impl Table {
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// The key that the next connection will have.
    pub(super) fn next_key(&self) -> usize {
        self.free.last().copied().unwrap_or(self.places.len())
    }

    /// Puts a connection in the place of `next_key`.
    pub(super) fn insert(&mut self, state: State, client: Option<IpAddr>) {
        let entry = Some(Entry { state: Arc::new(Mutex::new(state)), client, held: 0 });
        match self.free.pop() {
            Some(key) => self.places[key] = entry,
            None => self.places.push(entry),
        }
        self.open += 1;
        if let Some(client) = client {
            self.addresses.add(address_key(client));
            network_key(client).into_iter().for_each(|network| self.networks.add(network));
        }
    }

    /// Whether the client's address has less than so many connections, and its network less than a multiple.
    pub(super) fn has_share_for(&self, client: IpAddr, of_address_max: usize) -> bool {
        let of_network = network_key(client).map_or(0, |network| self.networks.of(network));
        self.addresses.of(address_key(client)) < of_address_max
            && of_network < of_address_max.saturating_mul(NETWORK_FACTOR)
    }

    pub(super) fn state(&self, key: usize) -> Option<&Arc<Mutex<State>>> {
        Some(&self.places.get(key)?.as_ref()?.state)
    }

    /// Keys that may have a connection.
    pub(super) fn keys(&self) -> std::ops::Range<usize> {
        0..self.places.len()
    }

    /// Closes a connection that the intake has, and gives its place away.
    pub(super) fn remove(&mut self, key: usize) {
        let Some(entry) = self.places.get_mut(key).and_then(Option::take) else { return };
        *entry.state.lock() = State::Closed;
        self.free.push(key);
        self.open -= 1;
        self.held -= entry.held;
        if let Some(client) = entry.client {
            self.addresses.subtract(address_key(client));
            network_key(client).into_iter().for_each(|network| self.networks.subtract(network));
        }
    }

    /// Notes how much a connection holds; where all together hold too much, those that hold most are closed.
    pub(super) fn hold(&mut self, key: usize, bytes: usize) {
        let Some(entry) = self.places.get_mut(key).and_then(Option::as_mut) else { return };
        self.held = self.held - entry.held + bytes;
        entry.held = bytes;
        while self.held > HELD_BYTES_MAX {
            let held = self.places.iter().enumerate().filter_map(|(key, entry)| Some((entry.as_ref()?.held, key)));
            let Some((_, largest)) = held.max() else { return };
            self.remove(largest);
        }
    }

    /// Closes the connection that loses least: one that is closed already and only has to be taken out, one that was refused
    /// and only has to hang up, or else the one that has kept us waiting longest, be it idle, sending its request or taking its answer. Were idle ones always first, who sends
    /// slowly would outlive newcomers. Whether there was one: those that are being answered are left alone.
    pub(super) fn evict(&mut self) -> bool {
        let waiting = self.places.iter().enumerate().filter_map(|(key, entry)| match &*entry.as_ref()?.state.lock() {
            State::Closed => Some((0, Duration::ZERO, key)),
            State::Lingering(lingering) => Some((1, lingering.since, key)),
            State::Reading(reading) => Some((2, reading.since, key)),
            State::Writing(writing) => Some((2, writing.since, key)),
            State::Busy => None,
        });
        let Some((_, _, key)) = waiting.min() else { return false };
        self.remove(key);
        true
    }
}

/// How many connections each has; who has none costs nothing.
#[derive(Default)]
struct Counts(HashMap<AddressKey, usize>);

impl Counts {
    fn of(&self, key: AddressKey) -> usize {
        self.0.get(&key).copied().unwrap_or(0)
    }

    fn add(&mut self, key: AddressKey) {
        *self.0.entry(key).or_default() += 1;
    }

    fn subtract(&mut self, key: AddressKey) {
        if let Some(count) = self.0.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_left_makes_room_before_anyone_is_closed() {
        let mut table = Table::default();
        table.insert(State::Busy, None);
        table.insert(State::Closed, None); // by a worker; the intake has not heard of it yet
        assert!(table.evict());
        assert_eq!(table.open(), 1);
        assert!(table.state(0).is_some() && table.state(1).is_none());
        assert!(!table.evict(), "one that is being answered is left alone");
    }

    #[test]
    fn a_network_has_a_share_too() {
        let mut table = Table::default();
        let address = |network, subnet| IpAddr::from([0x2001, 0xdb8, network, subnet, 0, 0, 0, 1]);
        for subnet in 0..100 {
            while table.has_share_for(address(1, subnet), 3) {
                table.insert(State::Busy, Some(address(1, subnet)));
            }
        }
        assert_eq!(table.open(), 12);
        assert!(table.has_share_for(address(2, 0), 3));
        table.remove(0);
        assert!(table.has_share_for(address(1, 99), 3), "an address of it that had none");
        (1..12).for_each(|key| table.remove(key));
        assert!(table.addresses.0.is_empty() && table.networks.0.is_empty());
    }
}
