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
mod prompt;
mod slots;
mod unknown;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use accept::{Acceptance, Accepted, NewMessage, Refusal, Replay};
pub(crate) use budget::{Remaining, remaining};
pub(crate) use generate::{Done, Emit, Failure, Started, TurnEvent};

use crate::domain::agent::Agent;
use crate::domain::id::ConversationId;
use crate::domain::time::Timestamp;
use crate::model::Chain;
use crate::store::{Store, StoreError};

/// An agent and the models that answer for it, as one configuration says.
pub(crate) struct Assistant {
    pub(crate) agent: Arc<Agent>,
    pub(crate) chain: Arc<Chain>,
    /// Tokens of FAQ and history that the models of the chain may be sent.
    pub(crate) context_tokens: u32,
}

/// Everything about turns that outlives one of them.
pub(crate) struct Chat {
    store: Store,
    slots: slots::Slots,
    agent_days: budget::AgentDays,
    stopping: Arc<AtomicBool>,
}

impl Chat {
    /// Goes on from what storage has of today's agent budgets.
    pub(crate) fn new(store: Store, now: Timestamp) -> Result<Self, StoreError> {
        let agent_days = budget::AgentDays::default();
        // Tomorrow's too: a clock that stepped back over midnight has left some there.
        for day in [now.day(), now.day() + 1] {
            agent_days.resume(day, store.agent_tokens(day)?);
        }
        Ok(Self { store, slots: slots::Slots::default(), agent_days, stopping: Arc::default() })
    }

    /// Keeps the conversation from being answered until this is dropped; none: it is being answered.
    pub(crate) fn quiet(&self, conversation: ConversationId) -> Option<Quiet> {
        self.slots.try_take(conversation).map(Quiet)
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
/// How long a client waits before it asks again while its conversation is being answered.
pub(crate) const IN_PROGRESS_WAIT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
