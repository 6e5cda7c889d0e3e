//! What a conversation may use (the contract, section 8). It is counted from storage each time, since only one answer at a
//! time is generated for a conversation. Pure.

use std::time::Duration;

use serde::Serialize;

use crate::domain::agent::Budget;
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

/// A cautious estimate of how many tokens `text` is: a token for three bytes, and four around each message. English has
/// about four bytes a token, Chinese three; so what is reserved covers what models report, nearly always.
pub(super) fn estimated_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(3) + 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::MessageId;
    use crate::domain::money::Ceilings;

    const HOUR_MS: i64 = 3_600_000;

    fn budget(messages: u32, tokens: u64) -> Budget {
        Budget {
            window: Duration::from_secs(24 * 3600),
            messages,
            tokens,
            answer_tokens: 800,
            agent: Ceilings::default(),
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
}
