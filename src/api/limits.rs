//! Which window each route has, and by what it counts (the contract, section 11).

use std::net::IpAddr;
use std::time::Duration;

use rouille::Response;

use super::error::{ApiError, whole_seconds};
use crate::config;
use crate::http::address_key;
use crate::limiter::{Limiter, Rate, Verdict};

/// Keys that each window remembers at most: about 120 bytes each, and 4 for each request in the window beyond the fourth.
const KEYS_MAX: usize = 200_000;

/// The windows of all routes. They outlive a reload unless their figures changed.
pub(crate) struct Limits {
    rates: config::Limits,
    init: Limiter,
    messages: Limiter,
    leads: Limiter,
    leads_address: Limiter,
    events: Limiter,
}

impl Limits {
    pub(crate) fn new(rates: &config::Limits) -> Self {
        let limiter = |rate| Limiter::new(rate, KEYS_MAX);
        Self {
            init: limiter(rates.init_per_address),
            messages: limiter(rates.messages_per_address),
            leads: limiter(rates.leads_per_token),
            leads_address: limiter(rates.leads_per_address),
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
        take("init", &self.init, &address_key(client), now)
    }

    /// Both message endpoints: by address, over all its conversations.
    pub(super) fn messages(&self, client: IpAddr, now: Duration) -> Result<Quota, ApiError> {
        take("messages", &self.messages, &address_key(client), now)
    }

    /// A message that was refused for another reason does not count.
    pub(super) fn give_message_back(&self, client: IpAddr) {
        self.messages.give_back(&address_key(client));
    }

    /// By token, and by address too, since tokens are free to make.
    pub(super) fn leads(&self, jti: &str, client: IpAddr, now: Duration) -> Result<Vec<Quota>, ApiError> {
        let by_token = take("leads", &self.leads, &jti, now)?;
        match take("leads-address", &self.leads_address, &address_key(client), now) {
            Ok(by_address) => Ok(vec![by_token, by_address]),
            Err(refusal) => {
                self.leads.give_back(&jti);
                Err(refusal)
            }
        }
    }

    /// By token.
    pub(super) fn events(&self, jti: &str, now: Duration) -> Result<Quota, ApiError> {
        take("events", &self.events, &jti, now)
    }
}

fn take(policy: &'static str, limiter: &Limiter, key: &impl std::hash::Hash, now: Duration) -> Result<Quota, ApiError> {
    let rate = limiter.rate();
    match limiter.check(key, now) {
        Verdict::Allowed { remaining, reset_after } => Ok(Quota { policy, rate, remaining, reset_after }),
        Verdict::Refused { wait } => {
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
