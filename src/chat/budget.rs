//! What a conversation and an agent may use (the contract, section 8).
//!
//! A conversation's budget is counted from storage each time, since only one answer at a time is generated for it.
//! An agent's daily ceiling is shared by all its conversations, so it is kept here, reserved when a message is accepted
//! and settled when its answer is stored; storage has the same sums, for a restart.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::domain::agent::Budget;
use crate::domain::id::AgentId;
use crate::domain::time::Timestamp;
use crate::store::Spent;

/// The contract's `budget` object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Remaining {
    pub(crate) messages_remaining: u32,
    pub(crate) tokens_remaining: u64,
    /// When the oldest message leaves the window; none while there is none in it.
    pub(crate) resets_at: Option<Timestamp>,
}

/// What is left after the questions in `spent`, which lie in the window, oldest first.
pub(crate) fn remaining(budget: &Budget, spent: &[Spent]) -> Remaining {
    let messages = u32::try_from(spent.len()).unwrap_or(u32::MAX);
    Remaining {
        messages_remaining: budget.messages.saturating_sub(messages),
        tokens_remaining: budget.tokens.saturating_sub(tokens(spent)),
        resets_at: spent.first().map(|oldest| oldest.at.plus(budget.window)),
    }
}

/// Whether one more message, which may take `cost` tokens, fits; else how long until enough has left the window.
pub(super) fn admit(budget: &Budget, spent: &[Spent], cost: u64, now: Timestamp) -> Result<(), Duration> {
    // A question that alone is over the budget is let through when nothing else is in the window.
    let cost = cost.min(budget.tokens);
    let fits = |spent: &[Spent]| spent.len() < budget.messages as usize && tokens(spent) + cost <= budget.tokens;
    // How many of the oldest must leave before it fits: none, if it fits now.
    match (0..=spent.len()).find(|&leaving| fits(&spent[leaving..])) {
        Some(0) => Ok(()),
        Some(leaving) => Err(spent[leaving - 1].at.plus(budget.window).since(now)),
        None => Err(budget.window), // no messages are allowed at all
    }
}

fn tokens(spent: &[Spent]) -> u64 {
    spent.iter().map(|spent| spent.tokens).sum()
}

/// The tokens that each agent has used or reserved in its current UTC day.
#[derive(Clone, Default)]
pub(super) struct AgentDays(Arc<Mutex<HashMap<AgentId, Day>>>);

#[derive(Clone, Copy, Default)]
struct Day {
    day: i64,
    tokens: u64,
}

impl AgentDays {
    /// Goes on from what storage has of `day`, for agents that have used any: it is their current one.
    pub(super) fn resume(&self, day: i64, used: Vec<(AgentId, u64)>) {
        let used = used.into_iter().filter(|&(_, tokens)| tokens > 0);
        self.0.lock().extend(used.map(|(agent, tokens)| (agent, Day { day, tokens })));
    }

    /// Reserves `tokens` of the agent's day, or tells how long until its next day begins.
    pub(super) fn reserve(
        &self,
        agent: &AgentId,
        tokens: u64,
        ceiling: u64,
        now: Timestamp,
    ) -> Result<Reservation, Duration> {
        let mut days = self.0.lock();
        let today = days.entry(agent.clone()).or_default();
        // A clock that stepped back stays in the later day: its ceiling is not given out twice. One that was wrong by
        // more than a day silences nobody for longer than until tomorrow is over.
        today.day = today.day.min(now.day() + 1);
        if now.day() > today.day {
            *today = Day { day: now.day(), tokens: 0 };
        }
        if today.tokens.saturating_add(tokens) > ceiling {
            return Err(Timestamp::of_day(today.day + 1).since(now));
        }
        today.tokens += tokens;
        Ok(Reservation { days: self.clone(), agent: agent.clone(), day: today.day, tokens })
    }
}

/// Reserved tokens. Given back whole when dropped, in part when settled.
pub(super) struct Reservation {
    days: AgentDays,
    agent: AgentId,
    day: i64,
    tokens: u64,
}

impl Reservation {
    /// Leaves the `used` tokens charged, even if they are more than were reserved.
    pub(super) fn settle(mut self, used: u64) {
        self.correct(used);
        self.tokens = 0;
    }

    fn correct(&mut self, used: u64) {
        if let Some(today) = self.days.0.lock().get_mut(&self.agent)
            && today.day == self.day
        {
            today.tokens = today.tokens.saturating_sub(self.tokens).saturating_add(used);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.tokens > 0 {
            self.correct(0);
        }
    }
}

/// A cautious estimate of how many tokens `text` is: a token for three bytes, and four around each message. English has
/// about four bytes a token, Chinese three; so what is reserved covers what models report, nearly always.
pub(super) fn estimated_tokens(text: &str) -> u64 {
    estimated_tokens_of(text.len())
}

/// As [`estimated_tokens`], of a text that was not kept.
pub(super) fn estimated_tokens_of(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(3) + 4
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::MessageId;

    const HOUR_MS: i64 = 3_600_000;

    fn budget(messages: u32, tokens: u64) -> Budget {
        Budget {
            window: Duration::from_secs(24 * 3600),
            messages,
            tokens,
            answer_tokens: 800,
            agent_tokens_per_day: 1000,
            event_bytes_per_day: 0,
        }
    }

    fn spent(list: &[(i64, u64)]) -> Vec<Spent> {
        list.iter()
            .map(|&(hour, tokens)| Spent {
                question: MessageId::new(Timestamp::from_ms(0)),
                at: Timestamp::from_ms(hour * HOUR_MS),
                tokens,
            })
            .collect()
    }

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3600)
    }

    #[test]
    fn the_last_message_of_a_budget_passes_and_the_next_waits_for_the_oldest() {
        let now = Timestamp::from_ms(10 * HOUR_MS);
        let budget = budget(3, 1000);
        assert_eq!(admit(&budget, &spent(&[(1, 10), (2, 10)]), 10, now), Ok(()));
        assert_eq!(admit(&budget, &spent(&[(1, 10), (2, 10), (3, 10)]), 10, now), Err(hours(15)));
    }

    #[test]
    fn tokens_wait_until_enough_of_them_left_the_window() {
        let now = Timestamp::from_ms(10 * HOUR_MS);
        let spent = spent(&[(1, 100), (2, 500), (3, 400)]);
        let admit = |cost| admit(&budget(60, 1000), &spent, cost, now);
        assert_eq!(admit(0), Ok(()));
        assert_eq!(admit(100), Err(hours(15)));
        assert_eq!(admit(101), Err(hours(16)));
        assert_eq!(admit(601), Err(hours(17)));
        assert_eq!(admit(5000), Err(hours(17)), "alone it is let through");
    }

    #[test]
    fn what_remains_is_never_negative() {
        let left = remaining(&budget(2, 100), &spent(&[(1, 90), (2, 90), (3, 1)]));
        assert_eq!((left.messages_remaining, left.tokens_remaining), (0, 0));
        assert_eq!(left.resets_at, Some(Timestamp::from_ms(25 * HOUR_MS)));
        assert_eq!(remaining(&budget(2, 100), &[]).resets_at, None);
    }

    #[test]
    fn an_agents_day_is_never_overdrawn_by_reservations() {
        let days = AgentDays::default();
        let (agent, now) = (AgentId::parse("demo").unwrap(), Timestamp::from_ms(10 * HOUR_MS));
        let held: Vec<_> = (0..20).filter_map(|_| days.reserve(&agent, 300, 1000, now).ok()).collect();
        assert_eq!(held.len(), 3);
        assert_eq!(days.reserve(&agent, 300, 1000, now).err(), Some(hours(14)));
        for reservation in held {
            reservation.settle(100);
        }
        assert!(days.reserve(&agent, 700, 1000, now).is_ok(), "and it is given back here, dropped unsettled");
        assert!(days.reserve(&agent, 701, 1000, now).is_err());
    }

    #[test]
    fn a_new_day_begins_at_zero_and_a_clock_that_steps_back_does_not() {
        let days = AgentDays::default();
        let agent = AgentId::parse("demo").unwrap();
        days.resume(1, vec![(agent.clone(), 900)]);
        days.resume(2, vec![(agent.clone(), 0)]);
        let day = Timestamp::of_day;
        assert!(days.reserve(&agent, 200, 1000, day(1)).is_err());
        let yesterdays = days.reserve(&agent, 100, 1000, day(1)).unwrap();
        days.reserve(&agent, 1000, 1000, day(2)).unwrap().settle(1000);
        yesterdays.settle(50);
        assert!(days.reserve(&agent, 1, 1000, day(2)).is_err(), "yesterday's settling gave nothing to today");
        assert_eq!(days.reserve(&agent, 1, 1000, day(1)).err(), Some(hours(48)));
    }

    /// What a random life of an agent's day is made of; a number chooses among the reservations that are held.
    #[derive(Clone, Debug)]
    enum Step {
        Reserve(u64),
        /// So many permille of what was reserved were used.
        Settle(usize, u64),
        Drop(usize),
        NextDay,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0_u64..600).prop_map(Step::Reserve),
            3 => (any::<usize>(), 0_u64..=1000).prop_map(|(which, used)| Step::Settle(which, used)),
            2 => any::<usize>().prop_map(Step::Drop),
            1 => Just(Step::NextDay),
        ];
        prop::collection::vec(step, 1..120)
    }

    proptest! {
        /// Against the plainest reference: the questions that are in the window at a moment, looked at one by one.
        #[test]
        fn a_budget_is_never_passed_and_the_wait_is_exact(
            pauses in prop::collection::vec((0_i64..5_000, 0_u64..400), 0..12),
            (messages, tokens, cost) in (0_u32..8, 0_u64..1500, 0_u64..2000),
            later in 0_i64..9_000,
        ) {
            let budget = Budget { window: Duration::from_secs(10), ..budget(messages, tokens) };
            let mut at = 0;
            let all: Vec<_> = pauses.iter().map(|&(pause, tokens)| {
                at += pause;
                (at, tokens)
            }).collect();
            let in_window = |now: i64| all.iter().copied().filter(move |&(at, _)| at + 10_000 > now);
            let fits = |now: i64| {
                let used: u64 = in_window(now).map(|(_, tokens)| tokens).sum();
                in_window(now).count() < messages as usize && used + cost.min(tokens) <= tokens
            };
            let now = at + later;
            let spent: Vec<_> = in_window(now).map(|(at, tokens)| Spent {
                question: MessageId::new(Timestamp::from_ms(0)),
                at: Timestamp::from_ms(at),
                tokens,
            }).collect();
            let left = remaining(&budget, &spent);
            let used: u64 = spent.iter().map(|spent| spent.tokens).sum();
            prop_assert_eq!(left.tokens_remaining, tokens.saturating_sub(used));
            prop_assert_eq!(left.messages_remaining, messages.saturating_sub(spent.len() as u32));
            match admit(&budget, &spent, cost, Timestamp::from_ms(now)) {
                Ok(()) => {
                    prop_assert!(fits(now));
                    prop_assert!(left.messages_remaining > 0 && left.tokens_remaining >= cost.min(tokens));
                }
                Err(wait) => {
                    let wait = wait.as_millis() as i64;
                    prop_assert!((now..now + wait).all(|now| !fits(now)), "less than {} ms are enough", wait);
                    prop_assert!(fits(now + wait) || messages == 0, "{} ms are not enough", wait);
                }
            }
        }

        /// Against a plain sum: what was settled, and what is held.
        #[test]
        fn an_agents_day_is_the_sum_of_what_is_held_and_what_was_used(steps in steps(), ceiling in 0_u64..2000) {
            let (days, agent) = (AgentDays::default(), AgentId::parse("demo").unwrap());
            let (mut day, mut settled) = (1, 0);
            // Of both days, since yesterday's are given back today and must not count.
            let mut held: Vec<(i64, u64, Reservation)> = Vec::new();
            for step in steps {
                match step {
                    Step::Reserve(tokens) => {
                        let before: u64 = held.iter().filter(|held| held.0 == day).map(|held| held.1).sum();
                        let reserved = days.reserve(&agent, tokens, ceiling, Timestamp::of_day(day));
                        prop_assert_eq!(reserved.is_ok(), settled + before + tokens <= ceiling);
                        held.extend(reserved.ok().map(|reservation| (day, tokens, reservation)));
                    }
                    Step::Settle(which, permille) if !held.is_empty() => {
                        let (of_day, tokens, reservation) = held.swap_remove(which % held.len());
                        let used = tokens * permille / 1000;
                        reservation.settle(used);
                        settled += if of_day == day { used } else { 0 };
                    }
                    Step::Drop(which) if !held.is_empty() => drop(held.swap_remove(which % held.len())),
                    Step::NextDay => {
                        // It begins with the first reservation in it.
                        drop(days.reserve(&agent, 0, ceiling, Timestamp::of_day(day + 1)));
                        (day, settled) = (day + 1, 0);
                    }
                    Step::Settle(..) | Step::Drop(_) => {}
                }
                let reserved: u64 = held.iter().filter(|held| held.0 == day).map(|held| held.1).sum();
                let charged = days.0.lock().get(&agent).map_or(0, |today| today.tokens);
                prop_assert_eq!(charged, settled + reserved);
                prop_assert!(charged <= ceiling);
            }
        }
    }
}
