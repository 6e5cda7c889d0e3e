//! The life of a turn: a visitor's message and the answer to it.
//!
//! [`Chat::accept`] ends at once: it takes the conversation's slot, reserves what the answer may cost and
//! enqueues the message for commit, or refuses, or finds that the message was answered before. [`Chat::generate`] takes
//! seconds: it asks the model while the commit is under way, hands each piece to the caller, stores the answer and
//! settles the cost. Both message endpoints are this one turn with another listener.
//!
//! Nothing here knows HTTP, JSON or SQL. No transaction and no pooled connection is held while a model answers. Nothing
//! is announced before it is committed.

mod accept;
mod budget;
mod cost;
mod generate;
mod ledger;
mod prices;
mod prompt;
mod slots;
mod unknown;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use accept::{Acceptance, Accepted, NewMessage, Refusal, Replay};
pub(crate) use budget::{Remaining, remaining};
pub(crate) use generate::{Done, Emit, Failure, Started, TurnEvent};
pub(crate) use prices::Prices;

use crate::domain::agent::Agent;
use crate::domain::id::ConversationId;
use crate::domain::money::{Ceilings, Charge};
use crate::domain::time::Timestamp;
use crate::domain::webhook::Subscribers;
use crate::model::Chain;
use crate::store::{Store, StoreError};

/// An agent, the models that answer for it and the webhooks that are told of it, as one configuration says.
pub(crate) struct Assistant {
    pub(crate) agent: Arc<Agent>,
    pub(crate) chain: Arc<Chain>,
    /// Tokens of FAQ and history that the models of the chain may be sent.
    pub(crate) context_tokens: u32,
    pub(crate) prices: Prices,
    /// What all agents together may use.
    pub(crate) all_agents: Ceilings,
    /// Who is told of what visitors leave and ask.
    pub(crate) subscribers: Subscribers,
}

/// Everything about turns that outlives one of them.
pub(crate) struct Chat {
    store: Store,
    slots: slots::Slots,
    ledger: ledger::Ledger,
    stopping: Arc<AtomicBool>,
}

impl Chat {
    /// Goes on from what storage has of today's and this month's ceilings.
    pub(crate) fn new(store: Store, now: Timestamp) -> Result<Self, StoreError> {
        let ledger = ledger::Ledger::default();
        for span in ledger::SPANS {
            let current = span.around(now.day());
            // The next one's too: a clock that stepped back over its beginning has left some there.
            for period in [current, span.around(current.next_day)] {
                ledger.resume(span, period, store.charged_in(period)?);
            }
        }
        Ok(Self { store, slots: slots::Slots::default(), ledger, stopping: Arc::default() })
    }

    /// Keeps the conversation from being answered until this is dropped; none: it is being answered.
    pub(crate) fn quiet(&self, conversation: ConversationId) -> Option<Quiet> {
        self.slots.try_take(conversation).map(Quiet)
    }

    /// What all agents together have used or reserved in the day and in the month of `now`.
    pub(crate) fn used(&self, now: Timestamp) -> [Charge; 2] {
        self.ledger.used(now)
    }

    /// Ends every answer under way within a second or so: each is stored as partial and fails as shutting down.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// A conversation in which nothing is said meanwhile.
pub(crate) struct Quiet(#[expect(dead_code, reason = "it is given back when it is dropped")] slots::Slot);

/// How many messages of the history are read; what is sent of them is bounded by tokens.
const HISTORY_MESSAGES_MAX: u32 = 100;
/// How long a client waits before it looks again whether a paused agent answers. Nobody knows when it will.
pub(crate) const PAUSED_WAIT: Duration = Duration::from_mins(5);
/// How long a client waits before it asks again while its conversation is being answered.
pub(crate) const IN_PROGRESS_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
