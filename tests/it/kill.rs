//! `kill -9` at random moments under mixed load, again and again on the same data (the contract, sections 6, 9 and 10).
//! What is promised stands in `ledger`; what the visitors do, in `load`.
//!
//! Ten kills; `KILLS=200 cargo test --test it kill:: -- --nocapture` is the long form. `KILL_SEED=N` makes the choices of
//! the run that printed it once more; what the threads make of them differs.

pub(crate) mod ledger;
pub(crate) mod load;

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::support::CEILING;
use crate::support::site::Site;
use ledger::Ledger;
use load::Client;

const CLIENTS: u64 = 8;

/// SplitMix64: the same choices for the same seed, everywhere.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of `0..n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

/// A number from the environment.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is no whole number")))
}

/// One whose limits are out of the load's way.
pub(crate) fn site() -> Site {
    let site = Site::with(|config| {
        config.text("limits", "leads_per_token", "100000/1m").text("limits", "events_per_token", "100000/1m");
        for (name, most) in [("messages", 10_000), ("tokens", 100_000_000), ("agent_tokens_per_day", 1_000_000_000)] {
            config.set("budget", name, most);
        }
        config.fake("context_tokens", "256");
    });
    site.model.always(load::answer);
    site
}

/// Lets all clients go on until the server is killed: after a number of acknowledgements.
fn kill_under_load(site: &Site, clients: &mut [Client], ledger: &Mutex<Ledger>, random: &mut Random) {
    let (told, heard) = channel();
    std::thread::scope(|scope| {
        for client in clients {
            let told = told.clone();
            scope.spawn(move || client.go_on(ledger, &told));
        }
        drop(told);
        for _ in 0..random.below(150) {
            heard.recv_timeout(CEILING).expect("the load flows");
        }
        // Half of the time at once, before a commit could catch up with what was told too early; else at no special moment.
        if random.below(2) == 0 {
            std::thread::sleep(Duration::from_micros(random.below(8000)));
        }
        site.server.signal(Signal::KILL);
    });
}

#[test]
fn what_was_acknowledged_is_there_once_however_often_it_is_killed() {
    let kills = setting("KILLS").unwrap_or(10);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = setting("KILL_SEED").unwrap_or_else(|| Random(clock.as_nanos() as u64).below(1_000_000));
    eprintln!("KILL_SEED={seed} KILLS={kills}"); // shown when it fails
    let started = Instant::now();
    let mut random = Random(seed);
    let mut site = site();
    let mut clients: Vec<_> = (0..CLIENTS).map(|n| Client::new(&site, n, Random(random.next()))).collect();
    let ledger = Mutex::new(Ledger::default());
    for kill in 1..=kills {
        clients.iter_mut().for_each(|client| client.arrive(&site));
        kill_under_load(&site, &mut clients, &ledger, &mut random);
        site.server.wait();
        if random.below(4) == 0 {
            site.server.start_and_kill(Duration::from_millis(random.below(60)));
        }
        site.server.start_again();
        let problems = ledger.lock().unwrap().compare(&site.server.data());
        assert!(problems.is_empty(), "KILL_SEED={seed}, after kill {kill}:\n{}", problems.join("\n"));
    }
    let ledger = ledger.into_inner().unwrap();
    println!("{kills} kills in {:.1} s, all of this there once: {}", started.elapsed().as_secs_f32(), ledger.summary());
    assert!(ledger.has_seen_everything(), "the load was not mixed: {}", ledger.summary());
}
