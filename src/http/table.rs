//! The open connections: a place for each, by its key, and how many of them each address has.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::client_addr::AddressKey;
use super::slot::State;

/// Of all requests together that are not whole yet. Who sends its request in one go is hardly ever among them.
const HELD_BYTES_MAX: usize = 16 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Table {
    places: Vec<Option<Entry>>,
    /// Keys of the empty places.
    free: Vec<usize>,
    open: usize,
    /// Bytes of all requests that are not whole yet.
    held: usize,
    addresses: HashMap<AddressKey, usize>,
}

struct Entry {
    state: Arc<Mutex<State>>,
    /// Whom it counts for, if for anyone.
    address: Option<AddressKey>,
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
    pub(super) fn insert(&mut self, state: State, address: Option<AddressKey>) {
        let entry = Some(Entry { state: Arc::new(Mutex::new(state)), address, held: 0 });
        match self.free.pop() {
            Some(key) => self.places[key] = entry,
            None => self.places.push(entry),
        }
        self.open += 1;
        if let Some(address) = address {
            *self.addresses.entry(address).or_default() += 1;
        }
    }

    pub(super) fn of_address(&self, address: AddressKey) -> usize {
        self.addresses.get(&address).copied().unwrap_or(0)
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
        if let Some(address) = entry.address
            && let Some(count) = self.addresses.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                self.addresses.remove(&address);
            }
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

    /// Closes the connection that loses least: one that was refused and only has to hang up, or else the one that has kept
    /// us waiting longest, be it idle, sending its request or taking its answer. Were idle ones always first, who sends
    /// slowly would outlive newcomers. Whether there was one: those that are being answered are left alone.
    pub(super) fn evict(&mut self) -> bool {
        let waiting = self.places.iter().enumerate().filter_map(|(key, entry)| match &*entry.as_ref()?.state.lock() {
            State::Lingering(lingering) => Some((false, lingering.since, key)),
            State::Reading(reading) => Some((true, reading.since, key)),
            State::Writing(writing) => Some((true, writing.since, key)),
            State::Busy | State::Closed => None,
        });
        let Some((_, _, key)) = waiting.min() else { return false };
        self.remove(key);
        true
    }
}
