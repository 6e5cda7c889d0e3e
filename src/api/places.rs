//! Who may have answers generated at the same time: all places are few, and no one may take them all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Ctx;
use super::error::ApiError;
use super::gate::Visit;
use crate::domain::id::AgentId;
use crate::http::{AddressKey, Permit, Permits, address_key, network_key};
use crate::metrics;

/// The share of all places that one address may hold: a flood from there leaves the rest to others.
const ADDRESS_SHARE: usize = 2;
/// An address may hold so many even where that is more than its share: an office shares one.
const ADDRESS_MIN: usize = 8;
/// The share that one IPv6 network leaves to the others, and one agent if there are others.
const RESERVED_SHARE: usize = 4;

/// The places, and who holds them.
pub(crate) struct Places {
    permits: Permits,
    total: usize,
    held: Arc<Mutex<HashMap<Holder, usize>>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Holder {
    Agent(AgentId),
    Address(AddressKey),
    Network(AddressKey),
}

/// The right to have one answer generated. Given back when dropped.
pub(super) struct Place {
    _permit: Permit,
    _shares: [Option<Share>; 3],
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    AllBusy,
    AddressShare,
    NetworkShare,
    AgentShare,
}

impl NoPlace {
    /// For the log.
    pub(super) const fn cause(self) -> &'static str {
        match self {
            Self::AllBusy => "all generations are busy",
            Self::AddressShare => "the address has its share of generations",
            Self::NetworkShare => "the network has its share of generations",
            Self::AgentShare => "the agent has its share of generations",
        }
    }

    /// As the metrics name it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::AllBusy => "all_busy",
            Self::AddressShare => "address_share",
            Self::NetworkShare => "network_share",
            Self::AgentShare => "agent_share",
        }
    }
}

/// A place for this visit, or the refusal.
pub(super) fn take(ctx: &Ctx<'_>, visit: &Visit) -> Result<Place, ApiError> {
    let agents = ctx.snapshot.assistants.len();
    let place = ctx.app.places.try_take(visit.assistant.agent.id(), agents, ctx.client());
    // After the place was taken: who stops the server waits for those that are taken by then.
    if ctx.app.front.is_draining() {
        return Err(ApiError::ShuttingDown);
    }
    place.map_err(|reason| {
        metrics::requests().refused_place(reason.label());
        ApiError::Overloaded { cause: reason.cause() }
    })
}

/// What one holder has, less one when dropped.
struct Share {
    holder: Holder,
    held: Arc<Mutex<HashMap<Holder, usize>>>,
}

impl Places {
    pub(crate) fn new(total: usize) -> Self {
        Self { permits: Permits::new(total), total, held: Arc::default() }
    }

    /// A place for an answer of `agent`, one of so many `agents`, to `client`; or why there is none.
    pub(super) fn try_take(&self, agent: &AgentId, agents: usize, client: IpAddr) -> Result<Place, NoPlace> {
        let of_address = (self.total / ADDRESS_SHARE).max(ADDRESS_MIN);
        let most = self.total - self.total / RESERVED_SHARE;
        let of_agent = if agents > 1 { most } else { self.total };
        let address = Holder::Address(address_key(client));
        let address = self.share(address, of_address).ok_or(NoPlace::AddressShare)?;
        let network = match network_key(client).map(Holder::Network) {
            Some(network) => {
                let share = self.share(network, most.max(ADDRESS_MIN));
                Some(share.ok_or(NoPlace::NetworkShare)?)
            }
            None => None,
        };
        let agent = self.share(Holder::Agent(agent.clone()), of_agent).ok_or(NoPlace::AgentShare)?;
        let permit = self.permits.try_take().ok_or(NoPlace::AllBusy)?;
        Ok(Place { _permit: permit, _shares: [Some(address), network, Some(agent)] })
    }

    fn share(&self, holder: Holder, max: usize) -> Option<Share> {
        let mut held = self.held.lock();
        let count = held.entry(holder.clone()).or_default();
        if *count >= max {
            return None;
        }
        *count += 1;
        Some(Share { holder, held: self.held.clone() })
    }

    /// All places.
    pub(crate) fn permits(&self) -> &Permits {
        &self.permits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.held.lock();
        if let Some(count) = held.get_mut(&self.holder) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str) -> AgentId {
        AgentId::parse(id).unwrap()
    }

    fn address(host: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, host])
    }

    #[test]
    fn one_address_leaves_places_to_others() {
        let places = Places::new(64);
        let taken: Vec<_> = (0..64).filter_map(|_| places.try_take(&agent("a"), 1, address(1)).ok()).collect();
        assert_eq!(taken.len(), 32);
        assert!(places.try_take(&agent("a"), 1, address(2)).is_ok());
        drop(taken);
        assert!(places.held.lock().is_empty(), "who holds nothing costs nothing");
    }

    #[test]
    fn one_network_leaves_places_to_others() {
        let places = Places::new(64);
        let take = |network, subnet| {
            let address = IpAddr::from([0x2001, 0xdb8, network, subnet, 0, 0, 0, 1]);
            places.try_take(&agent("a"), 1, address).ok()
        };
        let taken: Vec<_> = (0..64).filter_map(|n| take(1, n % 2)).collect();
        assert_eq!(taken.len(), 48);
        assert!(take(1, 3).is_none() && take(2, 0).is_some());
        drop(taken);
        assert!(places.held.lock().is_empty());
    }

    #[test]
    fn one_agent_of_several_leaves_places_to_the_others() {
        for (agents, expected) in [(1, 64), (2, 48)] {
            let places = Places::new(64);
            let take = |host| places.try_take(&agent("a"), agents, address(host)).ok();
            let taken: Vec<_> = (0..=255).filter_map(take).collect();
            assert_eq!(taken.len(), expected);
            assert_eq!(places.try_take(&agent("b"), agents, address(1)).is_ok(), agents > 1);
        }
    }

    #[test]
    fn few_places_are_not_divided_further() {
        let places = Places::new(3);
        let taken: Vec<_> = (0..9).filter_map(|_| places.try_take(&agent("a"), 2, address(1)).ok()).collect();
        assert_eq!(taken.len(), 3);
    }
}
