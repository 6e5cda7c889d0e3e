//! Besieges a running widgetd with slow and greedy clients, and says what the others notice of it:
//!
//!     siege ADDRESS PID KIND CONNECTIONS SECONDS
//!
//! KIND is `heads`, `bodies`, `stalls` or `readers` (each connection from one of many addresses of this machine, 30 an address; one
//! that the server closes is opened again), `pipeline` (CONNECTIONS is then a number of requests on one connection that is
//! never read), or `none`, to watch while something else besieges. Prints one line. Exits with 1 if a ceiling was passed:
//! latencies have generous ones, threads and memory exact ones. `scripts/slow.sh` calls it.

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
use visitors::Visitors;

/// What all connections together may cost the server.
const RESIDENT_KIB_MAX: u64 = 60 * 1024;
/// What one client that never reads may cost it.
const PIPELINE_KIB_MAX: u64 = 10 * 1024;
/// With fewer connections open it was no siege; some kinds are closed by the server soon.
const OPEN_MIN: usize = 200;
/// On a machine with much else to do. The aims are 5 and 50 ms.
const MEDIAN_MAX: Duration = Duration::from_millis(50);
const P99_MAX: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, pid, kind, connections, seconds] = &words[..] else {
        eprintln!("usage: siege ADDRESS PID KIND CONNECTIONS SECONDS");
        return ExitCode::from(2);
    };
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit");
    let address: SocketAddr = address.parse().expect("an address");
    let server = Watched::new(pid.parse().expect("a process id"));
    let connections = connections.parse().expect("a number");
    let time = Duration::from_secs(seconds.parse().expect("whole seconds"));
    let complaints = match kind.as_str() {
        "pipeline" => pipeline(address, &server, connections, time),
        "heads" => besiege(address, &server, Besiegers::new(Kind::Heads, address, connections), time),
        "stalls" => besiege(address, &server, Besiegers::new(Kind::Stalls, address, connections), time),
        "bodies" => besiege(address, &server, Besiegers::new(Kind::Bodies, address, connections), time),
        "readers" => besiege(address, &server, Besiegers::new(Kind::Readers, address, connections), time),
        "none" => besiege(address, &server, Besiegers::new(Kind::Heads, address, 0), time),
        other => panic!("{other} is no kind of siege"),
    };
    println!();
    complaints.iter().for_each(|complaint| println!("  FAIL  {complaint}"));
    ExitCode::from(u8::from(!complaints.is_empty()))
}

/// Keeps the connections open for `time` while visitors come and go.
fn besiege(address: SocketAddr, server: &Watched, mut besiegers: Besiegers, time: Duration) -> Vec<String> {
    let threads = server.threads();
    besiegers.open_all();
    let visitors = Visitors::start(address, time);
    let end = Instant::now() + time;
    let (mut most_threads, mut most_resident, mut most_open) = (threads, 0, 0);
    while Instant::now() < end {
        besiegers.go_on();
        most_threads = most_threads.max(server.threads());
        most_resident = most_resident.max(server.resident_kib());
        most_open = most_open.max(server.sockets());
        std::thread::sleep(Duration::from_millis(50));
    }
    let waits = visitors.finish();
    print!(
        "open {most_open:4}  reopened {:5}  threads {threads} -> {most_threads}  memory {:.1} MB",
        besiegers.reopened(),
        most_resident as f64 / 1024.0
    );
    let mut complaints = Vec::new();
    if most_open < OPEN_MIN.min(besiegers.count()) {
        complaints.push("there was no siege".to_owned());
    }
    for (what, waits) in waits {
        let (median, p99) = (waits.percentile(50), waits.percentile(99));
        print!("  {what} x{}: {:.2} / {:.2} ms", waits.count(), ms(median), ms(p99));
        if waits.failed > 0 {
            complaints.push(format!("{what}: {} were not answered: {}", waits.failed, waits.failure));
        }
        if median > MEDIAN_MAX || p99 > P99_MAX {
            complaints.push(format!("{what}: took longer than {MEDIAN_MAX:?} at the median or {P99_MAX:?} at p99"));
        }
    }
    if most_threads != threads {
        complaints.push("the number of threads has changed".to_owned());
    }
    if most_resident > RESIDENT_KIB_MAX {
        complaints.push(format!("more than {} MB of memory", RESIDENT_KIB_MAX / 1024));
    }
    complaints
}

/// Sends so many requests on one connection and reads nothing, until the server takes no more.
fn pipeline(address: SocketAddr, server: &Watched, requests: usize, time: Duration) -> Vec<String> {
    let (threads, before) = (server.threads(), server.resident_kib());
    let visitors = Visitors::start(address, time);
    let sent = besiegers::pipeline(address, requests, time);
    let grown = server.resident_kib().saturating_sub(before);
    let waits = visitors.finish();
    print!("of {requests} requests {sent} were taken  threads {threads} -> {}  memory +{grown} KiB", server.threads());
    let mut complaints = Vec::new();
    for (what, waits) in waits {
        print!("  {what} x{}: {:.2} / {:.2} ms", waits.count(), ms(waits.percentile(50)), ms(waits.percentile(99)));
        if waits.failed > 0 {
            complaints.push(format!("{what}: {} were not answered: {}", waits.failed, waits.failure));
        }
    }
    if grown > PIPELINE_KIB_MAX {
        complaints.push(format!("more than {} MB of memory", PIPELINE_KIB_MAX / 1024));
    }
    complaints
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
