//! Which window each route has, and by what it counts (the contract, section 11).

use std::net::IpAddr;
use std::time::Duration;

use rouille::Response;

use super::error::{ApiError, whole_seconds};
use crate::config;
use crate::domain::id::AgentId;
use crate::http::{address_key, network_key};
use crate::limiter::{Limiter, Rate, Verdict};
use crate::metrics;

/// Keys that each window remembers at most: about 120 bytes each, and 4 for each request in the window beyond the fourth.
const KEYS_MAX: usize = 200_000;

/// What a whole IPv6 network may do, as a multiple of what one address may: addresses in it are free to change.
const NETWORK_FACTOR: u32 = 10;

/// The windows of all routes. They outlive a reload unless their figures changed.
pub(crate) struct Limits {
    rates: config::Limits,
    init: ByAddress,
    config: ByAddress,
    messages: ByAddress,
    leads: Limiter,
    leads_address: ByAddress,
    me_address: ByAddress,
    leads_agent: Limiter,
    events: Limiter,
}

impl Limits {
    pub(crate) fn new(rates: &config::Limits) -> Self {
        let limiter = |rate| Limiter::new(rate, KEYS_MAX);
        Self {
            init: ByAddress::new(rates.init_per_address),
            config: ByAddress::new(rates.config_per_address),
            messages: ByAddress::new(rates.messages_per_address),
            leads: limiter(rates.leads_per_token),
            leads_address: ByAddress::new(rates.leads_per_address),
            me_address: ByAddress::new(rates.leads_per_address),
            leads_agent: limiter(rates.leads_per_agent),
            events: limiter(rates.events_per_token),
            rates: *rates,
        }
    }

    /// The figures that these windows have.
    pub(crate) fn rates(&self) -> &config::Limits {
        &self.rates
    }

    /// `/init` and `/check`, which tells no more: by address.
    pub(super) fn init(&self, client: IpAddr, now: Duration) -> Result<Quota, ApiError> {
        self.init.take("init", client, now)
    }

    /// `/config`: by address, whatever is answered, so that nobody finds agents by trying.
    pub(super) fn config(&self, client: IpAddr, now: Duration) -> Result<Quota, ApiError> {
        self.config.take("config", client, now)
    }

    /// Both message endpoints: by address, over all its conversations.
    pub(super) fn messages(&self, client: IpAddr, now: Duration) -> Result<Quota, ApiError> {
        self.messages.take("messages", client, now)
    }

    /// A message that was refused for another reason does not count.
    pub(super) fn give_message_back(&self, client: IpAddr) {
        self.messages.give_back(client);
    }

    /// By token; by address too, since tokens are free to make; and by agent, since there are many addresses. How many
    /// leads an agent gets is its owner's business: who is let through is not told.
    pub(super) fn leads(
        &self,
        jti: &str,
        agent: &AgentId,
        client: IpAddr,
        now: Duration,
    ) -> Result<Vec<Quota>, ApiError> {
        let by_token = take("leads", &self.leads, &jti, now)?;
        let by_address =
            self.leads_address.take("leads-address", client, now).inspect_err(|_| self.leads.give_back(&jti))?;
        take("leads-agent", &self.leads_agent, agent, now).inspect_err(|_| {
            self.leads.give_back(&jti);
            self.leads_address.give_back(client);
        })?;
        Ok(vec![by_token, by_address])
    }

    /// What a visitor asks of what is stored of it: by token and by address, as often as it may leave an address.
    pub(super) fn me(&self, jti: &str, client: IpAddr, now: Duration) -> Result<Quota, ApiError> {
        let quota = take("me", &self.leads, &("me", jti), now)?;
        self.me_address.take("me-address", client, now).inspect_err(|_| self.leads.give_back(&("me", jti)))?;
        Ok(quota)
    }

    /// By token.
    pub(super) fn events(&self, jti: &str, now: Duration) -> Result<Quota, ApiError> {
        take("events", &self.events, &jti, now)
    }
}

/// A window by address: for one subscriber, and for the network that he may have.
struct ByAddress {
    subscriber: Limiter,
    network: Limiter,
}

impl ByAddress {
    fn new(rate: Rate) -> Self {
        let wide = Rate { requests: rate.requests.saturating_mul(NETWORK_FACTOR), ..rate };
        Self { subscriber: Limiter::new(rate, KEYS_MAX), network: Limiter::new(wide, KEYS_MAX) }
    }

    fn take(&self, policy: &'static str, client: IpAddr, now: Duration) -> Result<Quota, ApiError> {
        let quota = take(policy, &self.subscriber, &address_key(client), now)?;
        if let Some(network) = network_key(client)
            && let Err(refusal) = take(policy, &self.network, &network, now)
        {
            self.subscriber.give_back(&address_key(client));
            return Err(refusal);
        }
        Ok(quota)
    }

    fn give_back(&self, client: IpAddr) {
        self.subscriber.give_back(&address_key(client));
        if let Some(network) = network_key(client) {
            self.network.give_back(&network);
        }
    }
}

fn take(policy: &'static str, limiter: &Limiter, key: &impl std::hash::Hash, now: Duration) -> Result<Quota, ApiError> {
    let rate = limiter.rate();
    match limiter.check(key, now) {
        Verdict::Allowed { remaining, reset_after } => Ok(Quota { policy, rate, remaining, reset_after }),
        Verdict::Refused { wait } => {
            metrics::requests().refused_by_limit(policy);
            let quotas = vec![Quota { policy, rate, remaining: 0, reset_after: wait }];
            Err(ApiError::RateLimited { quotas, wait })
        }
    }
}

/// What is left of a window, for the client to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    policy: &'static str,
    rate: Rate,
    remaining: u32,
    reset_after: Duration,
}

/// Tells the client of an answer what it has left.
pub(super) fn tell(mut response: Response, quotas: &[Quota]) -> Response {
    let headers = headers(quotas).map(|(name, value)| (name.into(), value.into()));
    response.headers.extend(headers);
    response
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4).
fn headers(quotas: &[Quota]) -> [(&'static str, String); 2] {
    let list = |item: &dyn Fn(&Quota) -> String| quotas.iter().map(item).collect::<Vec<_>>().join(", ");
    [
        (
            "RateLimit-Policy",
            list(&|quota| {
                format!("\"{}\";q={};w={}", quota.policy, quota.rate.requests, whole_seconds(quota.rate.window))
            }),
        ),
        (
            "RateLimit",
            list(&|quota| format!("\"{}\";r={};t={}", quota.policy, quota.remaining, whole_seconds(quota.reset_after))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_whose_addresses_change_is_limited_too() {
        let rate = Rate { requests: 3, window: Duration::from_secs(60) };
        let window = ByAddress::new(rate);
        let mut passed = 0;
        for n in 0..100_000_u64 {
            let address = IpAddr::from([0x2001, 0xdb8, 1, u16::try_from(n % 60_000).unwrap(), 0, 0, 0, 1]);
            passed += usize::from(window.take("init", address, Duration::ZERO).is_ok());
        }
        assert_eq!(passed, 30);
        let elsewhere = IpAddr::from([0x2001, 0xdb8, 2, 0, 0, 0, 0, 1]);
        assert!(window.take("init", elsewhere, Duration::ZERO).is_ok());
    }
}
