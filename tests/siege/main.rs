//! Besieges a running widgetd with slow and greedy clients, and says what the others notice of it:
//!
//!     siege ADDRESS PID THREADS CEILING KIND CONNECTIONS SECONDS
//!
//! THREADS is how many the server had before anyone came, CEILING is `aim` for what it aims at, or `busy` for a machine with
//! much else to do.
//! KIND is `heads`, `bodies`, `stalls` or `readers` (each connection from one of many addresses of this machine, 30 an address; one
//! that the server closes is opened again), `pipeline` (CONNECTIONS is then a number of requests on one connection that is
//! never read), or `none`, to watch while something else besieges with at least CONNECTIONS. Prints one line. Exits with 1
//! if a ceiling was passed. `scripts/slow.sh` calls it.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a tool for developers

mod besiegers;
mod server;
mod visitors;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use besiegers::{Besiegers, Kind};
use server::Watched;
use visitors::{Visitors, Waits};

/// What all connections together may cost the server.
const RESIDENT_KIB_MAX: u64 = 60 * 1024;
/// What one client that never reads may cost it.
const PIPELINE_KIB_MAX: u64 = 10 * 1024;
/// With fewer connections open it was no siege; some kinds are closed by the server soon, and of unread answers so many are kept
/// as fit into 8 MiB: the larger they are, the fewer.
const OPEN_MIN: usize = 100;

/// What a visitor may wait, at the median and of a hundred the slowest but one.
#[derive(Clone, Copy)]
struct Ceiling {
    median: Duration,
    p99: Duration,
}

/// What the server aims at, on a machine that has time for it.
const AIM: Ceiling = Ceiling { median: Duration::from_millis(5), p99: Duration::from_millis(50) };
/// On one with much else to do.
const BUSY: Ceiling = Ceiling { median: Duration::from_millis(50), p99: Duration::from_millis(500) };

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, threads, ceiling, kind, connections, seconds] = &words[..] else {
        eprintln!("usage: siege ADDRESS PID THREADS CEILING KIND CONNECTIONS SECONDS");
        return ExitCode::from(2);
    };
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit");
    let address: SocketAddr = address.parse().expect("an address");
    let connections = connections.parse().expect("a number");
    let siege = Siege {
        address,
        server: Watched::new(pid.parse().expect("a process id")),
        threads: threads.parse().expect("a number"),
        ceiling: if ceiling == "aim" { AIM } else { BUSY },
        time: Duration::from_secs(seconds.parse().expect("whole seconds")),
    };
    let by = |kind| siege.by(Besiegers::new(kind, address, connections), OPEN_MIN.min(connections));
    let complaints = match kind.as_str() {
        "pipeline" => siege.by_pipeline(connections),
        "heads" => by(Kind::Heads),
        "stalls" => by(Kind::Stalls),
        "bodies" => by(Kind::Bodies),
        "readers" => by(Kind::Readers),
        "none" => siege.by(Besiegers::new(Kind::Heads, address, 0), connections),
        other => panic!("{other} is no kind of siege"),
    };
    println!();
    complaints.iter().for_each(|complaint| println!("  FAIL  {complaint}"));
    ExitCode::from(u8::from(!complaints.is_empty()))
}

struct Siege {
    address: SocketAddr,
    server: Watched,
    /// Before anyone came.
    threads: u64,
    ceiling: Ceiling,
    time: Duration,
}

impl Siege {
    /// Keeps the connections open while visitors come and go. With fewer than `open_min` open it was none.
    fn by(&self, mut besiegers: Besiegers, open_min: usize) -> Vec<String> {
        besiegers.open_all();
        let visitors = Visitors::start(self.address, self.time);
        let end = Instant::now() + self.time;
        let (mut most_threads, mut most_resident, mut most_open) = (0, 0, 0);
        while Instant::now() < end {
            besiegers.go_on();
            most_threads = most_threads.max(self.server.threads());
            most_resident = most_resident.max(self.server.resident_kib());
            most_open = most_open.max(self.server.sockets());
            std::thread::sleep(Duration::from_millis(50));
        }
        let waits = visitors.finish();
        print!(
            "open {most_open:4}  reopened {:5}  threads {} -> {most_threads}  memory {:.1} MB",
            besiegers.reopened(),
            self.threads,
            most_resident as f64 / 1024.0
        );
        let mut complaints = self.judge(waits);
        if most_open < open_min {
            complaints.push(format!("there was no siege: fewer than {open_min} connections were open"));
        }
        if most_threads != self.threads {
            complaints.push("the number of threads has changed".to_owned());
        }
        if most_resident > RESIDENT_KIB_MAX {
            complaints.push(format!("more than {} MB of memory", RESIDENT_KIB_MAX / 1024));
        }
        complaints
    }

    /// Sends so many requests on one connection and reads nothing, until the server takes no more.
    fn by_pipeline(&self, requests: usize) -> Vec<String> {
        let before = self.server.resident_kib();
        let visitors = Visitors::start(self.address, self.time);
        let sent = besiegers::pipeline(self.address, requests, self.time);
        let grown = self.server.resident_kib().saturating_sub(before);
        let waits = visitors.finish();
        let threads = self.server.threads();
        print!("of {requests} requests {sent} were taken  threads {} -> {threads}  memory +{grown} KiB", self.threads);
        let mut complaints = self.judge(waits);
        if threads != self.threads {
            complaints.push("the number of threads has changed".to_owned());
        }
        if grown > PIPELINE_KIB_MAX {
            complaints.push(format!("more than {} MB of memory", PIPELINE_KIB_MAX / 1024));
        }
        complaints
    }

    /// Prints what visitors have waited, and complains of what was too long.
    fn judge(&self, waits: [(&'static str, Waits); 2]) -> Vec<String> {
        let Ceiling { median: median_max, p99: p99_max } = self.ceiling;
        let mut complaints = Vec::new();
        for (what, waits) in waits {
            let (median, p99) = (waits.percentile(50), waits.percentile(99));
            print!("  {what} x{}: {:.2} / {:.2} ms", waits.count(), ms(median), ms(p99));
            if waits.failed > 0 {
                complaints.push(format!("{what}: {} were not answered: {}", waits.failed, waits.failure));
            }
            if median > median_max || p99 > p99_max {
                complaints.push(format!("{what}: took longer than {median_max:?} at the median or {p99_max:?} at p99"));
            }
        }
        complaints
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
