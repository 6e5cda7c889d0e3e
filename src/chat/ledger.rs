//! What agents may use in a UTC day and in a UTC month, in tokens and in money, each for itself and all together.
//!
//! The ceilings are shared by all conversations, so what was used is kept here, under one lock: reserved when a message is
//! accepted, before anybody is asked, and settled when its answer is stored. Storage has the same sums, for a restart.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::id::AgentId;
use crate::domain::money::{Ceilings, Charge};
use crate::domain::time::{Period, Timestamp};
use crate::metrics;

/// The two kinds of periods, in the order in which an account has them.
#[derive(Clone, Copy)]
pub(super) enum Span {
    Day,
    Month,
}

pub(super) const SPANS: [Span; 2] = [Span::Day, Span::Month];

impl Span {
    /// The period of this kind in which `day` lies.
    pub(super) fn around(self, day: i64) -> Period {
        match self {
            Self::Day => Period::of_day(day),
            Self::Month => Period::of_month(day),
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Books>>);

#[derive(Default)]
struct Books {
    agents: HashMap<AgentId, Account>,
    /// Of all agents together.
    all: Account,
}

impl Books {
    /// The accounts that a message of `agent` is charged to.
    fn of(&mut self, agent: &AgentId) -> [&mut Account; 2] {
        [self.agents.entry(agent.clone()).or_default(), &mut self.all]
    }
}

/// A sum for each of [`SPANS`].
#[derive(Clone, Copy, Default)]
struct Account([Sum; 2]);

#[derive(Clone, Copy, Default)]
struct Sum {
    /// Of the period that is summed up.
    first_day: i64,
    charged: Charge,
    /// That the ceiling was reached is told once a period.
    is_told: bool,
}

impl Account {
    /// Closes the periods that are over.
    fn turn(&mut self, today: i64) {
        for (sum, span) in self.0.iter_mut().zip(SPANS) {
            let current = span.around(today);
            // A clock that stepped back stays in the later period: its ceiling is not given out twice. One that was wrong
            // by more than a period silences nobody for longer than until the next one is over.
            sum.first_day = sum.first_day.min(current.next_day);
            if current.first_day > sum.first_day {
                *sum = Sum { first_day: current.first_day, ..Sum::default() };
            }
        }
    }

    /// When the last of those periods is over in which `charge` has no place, and whether one of them had not been told
    /// of yet; none: it has a place in all.
    fn full_until(&mut self, charge: Charge, ceilings: &Ceilings) -> Option<(Timestamp, bool)> {
        let sums = self.0.iter_mut().zip(SPANS).zip([ceilings.day, ceilings.month]);
        let full = sums.filter(|((sum, _), ceiling)| !ceiling.admits(sum.charged.plus(charge)));
        let ends = full.map(|((sum, span), _)| {
            let is_news = !std::mem::replace(&mut sum.is_told, true);
            (span.around(sum.first_day).end(), is_news)
        });
        ends.reduce(|(end, is_news), (other, is_other)| (end.max(other), is_news || is_other))
    }

    fn add(&mut self, charge: Charge) {
        self.0.iter_mut().for_each(|sum| sum.charged = sum.charged.plus(charge));
    }

    /// Puts `used` in the place of `reserved` in the periods that are still those of the reservation.
    fn correct(&mut self, first_days: [i64; 2], reserved: Charge, used: Charge) {
        let still = self.0.iter_mut().zip(first_days).filter(|(sum, first_day)| sum.first_day == *first_day);
        still.for_each(|(sum, _)| sum.charged = sum.charged.minus(reserved).plus(used));
    }

    fn first_days(&self) -> [i64; 2] {
        self.0.map(|sum| sum.first_day)
    }
}

impl Ledger {
    /// Goes on from what storage has of a period, for agents that have used any: it is their current one.
    pub(super) fn resume(&self, span: Span, period: Period, charged: Vec<(AgentId, Charge)>) {
        let mut books = self.0.lock();
        let mut all = Charge::default();
        let carry = |account: &mut Account, charged| {
            account.0[span as usize] = Sum { first_day: period.first_day, charged, is_told: false };
        };
        for (agent, charged) in charged.into_iter().filter(|(_, charged)| *charged != Charge::default()) {
            carry(books.agents.entry(agent).or_default(), charged);
            all = all.plus(charged);
        }
        if all != Charge::default() {
            carry(&mut books.all, all);
        }
    }

    /// Reserves `charge` for a message of `agent`, whose own ceilings are `own`, or tells what is reached.
    pub(super) fn reserve(
        &self,
        agent: &AgentId,
        charge: Charge,
        own: &Ceilings,
        all: &Ceilings,
        now: Timestamp,
    ) -> Result<Reservation, Full> {
        let mut books = self.0.lock();
        let mut accounts = books.of(agent);
        accounts.iter_mut().for_each(|account| account.turn(now.day()));
        let [of_own, of_all] = &mut accounts;
        let (of_own, of_all) = (of_own.full_until(charge, own), of_all.full_until(charge, all));
        if let Some(end) = of_own.iter().chain(&of_all).map(|(end, _)| *end).max() {
            metrics::requests().refused_by_budget(if of_own.is_some() { "agent_ceiling" } else { "global_ceiling" });
            let is_new = |full: Option<(Timestamp, bool)>| full.is_some_and(|(_, is_news)| is_news);
            return Err(Full { wait: end.since(now), agents_is_new: is_new(of_own), alls_is_new: is_new(of_all) });
        }
        accounts.iter_mut().for_each(|account| account.add(charge));
        let first_days = accounts.map(|account| account.first_days());
        Ok(Reservation { ledger: self.clone(), agent: agent.clone(), first_days, charge })
    }

    /// What all agents together have used or reserved in the day and in the month of `now`.
    pub(super) fn used(&self, now: Timestamp) -> [Charge; 2] {
        let mut all = self.0.lock().all;
        all.turn(now.day());
        all.0.map(|sum| sum.charged)
    }
}

/// There is no room under one ceiling or several.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full {
    /// How long until there may be room under all that are reached.
    pub(super) wait: Duration,
    /// One of the agent's own was reached, or one of all agents together, for the first time in its period.
    pub(super) agents_is_new: bool,
    pub(super) alls_is_new: bool,
}

/// What is reserved. Given back whole when dropped, in part when settled.
pub(super) struct Reservation {
    ledger: Ledger,
    agent: AgentId,
    /// Of the periods in which it counts, of the agent and of all.
    first_days: [[i64; 2]; 2],
    charge: Charge,
}

impl Reservation {
    /// Leaves `used` charged, even if it is more than was reserved.
    pub(super) fn settle(mut self, used: Charge) {
        self.correct(used);
        self.charge = Charge::default();
    }

    fn correct(&self, used: Charge) {
        let mut books = self.ledger.0.lock();
        for (account, first_days) in books.of(&self.agent).into_iter().zip(self.first_days) {
            account.correct(first_days, self.charge, used);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.charge != Charge::default() {
            self.correct(Charge::default());
        }
    }
}

#[cfg(test)]
mod tests;
