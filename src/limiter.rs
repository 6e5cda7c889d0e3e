//! A sliding-window limiter in memory: at most so many requests of a key in any window of time.
//!
//! It keeps the moments of the requests themselves (a log, not counters), so that there is no double rate over a
//! boundary and the wait that it names is exact. A refused request is not logged: it costs nothing. Memory is bounded:
//! at most so many keys, in shards behind a mutex each; past that the key that was used longest ago and is not at its
//! limit makes room. Pure: the time is an argument, on a clock that never steps.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use parking_lot::Mutex;

const SHARDS: usize = 16;
/// How many keys are looked at to find one that makes room.
const CANDIDATES: usize = 16;
/// What a newcomer is told when every candidate is at its limit.
const CROWDED_WAIT: Duration = Duration::from_secs(1);

/// So many requests in any `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) requests: u32,
    pub(crate) window: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Counted. `remaining` more may come now; after `reset_after` the oldest leaves the window.
    Allowed { remaining: u32, reset_after: Duration },
    /// Not counted. A request after `wait` is let through, if none came between.
    Refused { wait: Duration },
}

pub(crate) struct Limiter {
    rate: Rate,
    keys_max_per_shard: usize,
    /// Keyed at random, so that nobody can choose keys that collide. Keys are kept as their 64-bit hash alone.
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    places: HashMap<u64, usize>,
    logs: Vec<Log>,
    /// Where the search for a key that makes room goes on.
    hand: usize,
    swept_at_ms: u64,
}

/// The requests of one key in the window, oldest first, as milliseconds after `base_ms`.
struct Log {
    key: u64,
    base_ms: u64,
    offsets: VecDeque<u32>,
}

impl Limiter {
    /// `keys_max` bounds the memory: a key costs about 120 bytes, and 4 for each request in its window beyond the fourth.
    pub(crate) fn new(rate: Rate, keys_max: usize) -> Self {
        Self {
            rate,
            keys_max_per_shard: (keys_max / SHARDS).max(1),
            hasher: RandomState::new(),
            shards: Default::default(),
        }
    }

    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts a request of `key` at `now` if the window has room for it.
    pub(crate) fn check(&self, key: &impl Hash, now: Duration) -> Verdict {
        let hash = self.hasher.hash_one(key);
        let (now_ms, window_ms) = (ms(now), ms(self.rate.window));
        let mut shard = self.shard(hash).lock();
        shard.sweep(now_ms, window_ms);
        let Some(place) = shard.place(hash, self.keys_max_per_shard, self.rate, now_ms) else {
            return Verdict::Refused { wait: CROWDED_WAIT };
        };
        let log = &mut shard.logs[place];
        // Who asked earlier may come to the lock later: to a key, time only goes forward.
        let now_ms = now_ms.max(log.newest_ms());
        log.forget_before(now_ms, window_ms);
        let used = u32::try_from(log.offsets.len()).unwrap_or(u32::MAX);
        if used >= self.rate.requests {
            return Verdict::Refused { wait: log.oldest_leaves_in(now_ms, window_ms) };
        }
        log.add(now_ms);
        Verdict::Allowed {
            remaining: self.rate.requests - used - 1,
            reset_after: log.oldest_leaves_in(now_ms, window_ms),
        }
    }

    /// Takes back the last request of `key`: it was refused for another reason, so it must not count.
    pub(crate) fn give_back(&self, key: &impl Hash) {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(hash).lock();
        if let Some(&place) = shard.places.get(&hash) {
            shard.logs[place].offsets.pop_back();
        }
    }

    fn shard(&self, hash: u64) -> &Mutex<Shard> {
        // The top bits: the low ones choose the bucket inside the shard's map.
        &self.shards[(hash >> 60) as usize % SHARDS]
    }
}

impl Shard {
    /// Once a window, forgets every key whose last request left it.
    fn sweep(&mut self, now_ms: u64, window_ms: u64) {
        if now_ms.saturating_sub(self.swept_at_ms) < window_ms {
            return;
        }
        self.swept_at_ms = now_ms;
        self.logs.retain(|log| log.newest_ms() + window_ms > now_ms);
        self.places = self.logs.iter().enumerate().map(|(place, log)| (log.key, place)).collect();
        self.logs.shrink_to_fit();
    }

    /// Where the log of this key is: found, added, or in the place of one that made room.
    fn place(&mut self, key: u64, keys_max: usize, rate: Rate, now_ms: u64) -> Option<usize> {
        if let Some(&place) = self.places.get(&key) {
            return Some(place);
        }
        let log = Log { key, base_ms: now_ms, offsets: VecDeque::new() };
        let place = if self.logs.len() < keys_max {
            self.logs.push(log);
            self.logs.len() - 1
        } else {
            let place = self.longest_unused(rate, now_ms)?;
            self.places.remove(&self.logs[place].key);
            self.logs[place] = log;
            place
        };
        self.places.insert(key, place);
        Some(place)
    }

    /// Of the next candidates, the one used longest ago that is not at its limit: a key that is refused stays refused. What
    /// has left the window since the last sweep does not count.
    fn longest_unused(&mut self, rate: Rate, now_ms: u64) -> Option<usize> {
        let len = self.logs.len();
        let first = self.hand;
        self.hand = (first + CANDIDATES) % len;
        let candidates = (0..CANDIDATES.min(len)).map(|step| (first + step) % len);
        candidates
            .filter_map(|place| {
                let log = &mut self.logs[place];
                let used_at_ms = log.newest_ms();
                log.forget_before(now_ms, ms(rate.window));
                (log.offsets.len() < rate.requests as usize).then_some((used_at_ms, place))
            })
            .min()
            .map(|(_, place)| place)
    }
}

impl Log {
    fn forget_before(&mut self, now_ms: u64, window_ms: u64) {
        while let Some(&offset) = self.offsets.front() {
            if self.base_ms + u64::from(offset) + window_ms > now_ms {
                break;
            }
            self.offsets.pop_front();
        }
    }

    fn add(&mut self, now_ms: u64) {
        if now_ms - self.base_ms > u64::from(u32::MAX) {
            self.rebase(now_ms);
        }
        let offset = u32::try_from(now_ms - self.base_ms).unwrap_or(u32::MAX);
        self.offsets.push_back(offset);
    }

    /// After 49 days of one key: count from its oldest request in the window, or from now.
    fn rebase(&mut self, now_ms: u64) {
        let oldest = self.offsets.front().copied();
        self.base_ms = oldest.map_or(now_ms, |offset| self.base_ms + u64::from(offset));
        for offset in &mut self.offsets {
            *offset -= oldest.unwrap_or(0);
        }
    }

    fn newest_ms(&self) -> u64 {
        self.base_ms + u64::from(self.offsets.back().copied().unwrap_or(0))
    }

    fn oldest_leaves_in(&self, now_ms: u64, window_ms: u64) -> Duration {
        let oldest_ms = self.offsets.front().map_or(now_ms, |&offset| self.base_ms + u64::from(offset));
        Duration::from_millis((oldest_ms + window_ms).saturating_sub(now_ms))
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn limiter(requests: u32) -> Limiter {
        Limiter::new(Rate { requests, window: MINUTE }, 1000)
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn allowed(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Allowed { .. })
    }

    #[test]
    fn the_60th_passes_and_the_61st_waits_exactly_as_long_as_it_is_told() {
        let limiter = limiter(60);
        for n in 0..60 {
            assert_eq!(
                limiter.check(&"a", at(n * 10)),
                Verdict::Allowed { remaining: 59 - n as u32, reset_after: at(60_000 - n * 10) }
            );
        }
        let wait = at(60_000 - 700);
        assert_eq!(limiter.check(&"a", at(700)), Verdict::Refused { wait });
        assert!(!allowed(limiter.check(&"a", at(59_999))));
        assert!(allowed(limiter.check(&"a", at(60_000))));
        assert!(!allowed(limiter.check(&"a", at(60_001))));
    }

    #[test]
    fn there_is_no_double_rate_over_a_minutes_boundary() {
        let limiter = limiter(60);
        for n in 0..60 {
            assert!(allowed(limiter.check(&"a", at(59_000 + n))));
        }
        assert!((60_000..119_000).step_by(500).all(|now| !allowed(limiter.check(&"a", at(now)))));
        assert!(allowed(limiter.check(&"a", at(119_000))));
    }

    #[test]
    fn a_refused_request_costs_nothing_from_the_window() {
        let limiter = limiter(1);
        assert!(allowed(limiter.check(&"a", at(0))));
        for now in 1..60_000 {
            assert!(!allowed(limiter.check(&"a", at(now))));
        }
        assert!(allowed(limiter.check(&"a", at(60_000))));
    }

    #[test]
    fn who_asked_earlier_may_come_later() {
        let limiter = limiter(2);
        assert!(allowed(limiter.check(&"a", at(500))));
        assert!(allowed(limiter.check(&"a", at(400))));
        assert_eq!(limiter.check(&"a", at(300)), Verdict::Refused { wait: at(60_000) });
        assert!(!allowed(limiter.check(&"a", at(60_499))));
        assert!(allowed(limiter.check(&"a", at(60_500))));
    }

    #[test]
    fn one_key_does_not_use_up_another() {
        let limiter = limiter(1);
        assert!(allowed(limiter.check(&"a", at(0))));
        assert!(allowed(limiter.check(&"b", at(0))));
        assert!(!allowed(limiter.check(&"a", at(0))));
    }

    #[test]
    fn what_was_given_back_does_not_count() {
        let limiter = limiter(1);
        assert!(allowed(limiter.check(&"a", at(0))));
        limiter.give_back(&"a");
        limiter.give_back(&"a");
        limiter.give_back(&"never seen");
        assert!(allowed(limiter.check(&"a", at(1))));
        assert!(!allowed(limiter.check(&"a", at(2))));
    }

    #[test]
    fn memory_is_bounded_and_a_key_at_its_limit_is_not_forgotten_for_newcomers() {
        let limiter = Limiter::new(Rate { requests: 2, window: MINUTE }, 16_000);
        assert!(allowed(limiter.check(&"hot", at(0))));
        assert!(allowed(limiter.check(&"hot", at(0))));
        for n in 0..200_000_u64 {
            limiter.check(&n, at(1 + n / 100));
        }
        assert!(!allowed(limiter.check(&"hot", at(2_001))));
        let keys: usize = limiter.shards.iter().map(|shard| shard.lock().logs.len()).sum();
        assert!(keys <= 16_000, "{keys}");
        for shard in &limiter.shards {
            let shard = shard.lock();
            assert_eq!(shard.places.len(), shard.logs.len());
        }
    }

    #[test]
    fn a_key_whose_requests_have_left_the_window_makes_room() {
        let limiter = Limiter::new(Rate { requests: 1, window: MINUTE }, SHARDS);
        let newcomers = |now| (0..1000_u64).filter(|n| allowed(limiter.check(&(now, n), at(now)))).count();
        // The sweep of a shard is due a window after its first request: these are all at their limit just after it.
        limiter.shards.iter().for_each(|shard| shard.lock().swept_at_ms = 59_000);
        assert_eq!(newcomers(59_001), SHARDS, "one of each shard");
        limiter.shards.iter().for_each(|shard| shard.lock().swept_at_ms = 119_000);
        assert_eq!(newcomers(119_002), SHARDS, "the sweep is due in a minute, but there is room");
    }

    /// Of all allocations; a queue's is rounded up to what an allocator gives.
    fn bytes(limiter: &Limiter) -> usize {
        let of_shard = |shard: &Mutex<Shard>| {
            let shard = shard.lock();
            let queues: usize =
                shard.logs.iter().map(|log| (log.offsets.capacity() * 4 + 8).next_multiple_of(16)).sum();
            // A map is filled to seven eighths at most, and has a byte of its own for each place.
            let places = (shard.places.capacity() * 8 / 7).next_power_of_two() * (size_of::<(u64, usize)>() + 1);
            queues + places + shard.logs.capacity() * size_of::<Log>()
        };
        limiter.shards.iter().map(of_shard).sum()
    }

    #[test]
    fn a_million_keys_stay_in_the_memory_that_is_stated() {
        let limiter = Limiter::new(Rate { requests: 3, window: MINUTE }, 1_000_000);
        let hot = u64::MAX;
        for _ in 0..3 {
            assert!(allowed(limiter.check(&hot, at(0))));
        }
        for key in 0..1_300_000_u64 {
            limiter.check(&key, at(key / 100));
        }
        let bytes_a_key = bytes(&limiter) / 1_000_000;
        assert!(bytes_a_key <= 130, "{bytes_a_key}");
        assert!(!allowed(limiter.check(&hot, at(20_000))), "a flood of newcomers does not set it free");
    }

    #[test]
    fn keys_that_went_quiet_are_swept() {
        let limiter = limiter(5);
        for n in 0..500 {
            limiter.check(&n, at(0));
        }
        for n in 1000..1400 {
            limiter.check(&n, at(60_000)); // so many that every shard is asked
        }
        let keys: usize = limiter.shards.iter().map(|shard| shard.lock().logs.len()).sum();
        assert_eq!(keys, 400);
    }

    #[test]
    fn a_key_that_is_used_for_months_is_still_limited() {
        let limiter = limiter(2);
        let day = 86_400_000;
        for n in 0..120 {
            assert!(allowed(limiter.check(&"a", at(n * day))));
            assert!(allowed(limiter.check(&"a", at(n * day + 59_000))));
            assert!(!allowed(limiter.check(&"a", at(n * day + 59_500))));
        }
    }

    proptest! {
        /// Against the plainest reference: all moments of a key in a list.
        #[test]
        fn agrees_with_a_naive_log(steps in prop::collection::vec((0_u8..3, 0_u64..20_000), 1..200), requests in 1_u32..8) {
            let limiter = limiter(requests);
            let mut reference: Vec<Vec<u64>> = vec![Vec::new(); 3];
            let mut now = 0;
            for (key, pause) in steps {
                now += pause;
                let log = &mut reference[key as usize];
                log.retain(|then| then + 60_000 > now);
                let expected = if log.len() < requests as usize {
                    log.push(now);
                    Verdict::Allowed { remaining: requests - log.len() as u32, reset_after: at(log[0] + 60_000 - now) }
                } else {
                    Verdict::Refused { wait: at(log[0] + 60_000 - now) }
                };
                prop_assert_eq!(limiter.check(&key, at(now)), expected);
            }
        }
    }
}
