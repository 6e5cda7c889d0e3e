//! Mixed load with clients that vanish, for as long as one likes; then everything must be back where it was.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::{self, Slot};
use crate::servers::{self, Server, message};

/// Before the first look: pools fill, caches warm.
const WARM_UP: Duration = Duration::from_secs(15);
/// What may be found of memory that was not there before: as the database grows, SQLite fills the caches of its five
/// connections, 2 MiB each.
const GROWTH_MIB: f64 = 10.0;
const CONNECTIONS_LEFT_OPEN: usize = 20;

/// What must not grow.
#[derive(Debug)]
struct Look {
    threads: f64,
    descriptors: usize,
    resident_mib: f64,
    log_mib: f64,
    database_mib: f64,
}

/// Runs for `time` beyond the warm-up. True if all is back where it was.
pub fn run(folder: &Path, time: Duration) -> bool {
    let model = Server::model();
    let server = Server::widgetd(folder, "soak", model.address, 64);
    let data = folder.join("soak");
    let mut asked = load(&server, WARM_UP);
    let before = look(&server, &data);
    println!("after {} s of warm-up: {before:?}", WARM_UP.as_secs());
    let begun = Instant::now();
    while begun.elapsed() < time {
        asked += load(&server, (time / 4).min(Duration::from_mins(5)));
        println!("after {:.0} s: {asked} questions, {:?}", begun.elapsed().as_secs_f64(), look(&server, &data));
    }
    let after = look(&server, &data);
    println!("at the end: {asked} questions, {after:?}");
    println!("the database took {:.0} bytes for each", after.database_mib * 1024.0 * 1024.0 / asked as f64);
    let checks = [
        ("threads", after.threads <= before.threads),
        ("descriptors", after.descriptors <= before.descriptors),
        ("memory", after.resident_mib <= before.resident_mib + GROWTH_MIB),
        ("the database's log", after.log_mib <= 64.0),
    ];
    for (what, is_so) in checks {
        println!("{} {what}", if is_so { "back where it was:" } else { "NOT back where it was:" });
    }
    checks.iter().all(|(_, is_so)| *is_so)
}

/// Rounds of a second or so; returns how many questions were asked.
fn load(server: &Server, time: Duration) -> usize {
    let (begun, mut asked) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let tokens = server.tokens(30);
        let slots = tokens.iter().enumerate().map(|(n, token)| Slot {
            requests: vec![message(Some(token), "bench:40:10000:20000"); 2],
            delay: Duration::from_millis(n as u64 * 7),
            // A third hangs up, some before the first word and some in the middle.
            leave_after: (n % 3 == 0).then(|| Duration::from_millis(10 + n as u64 * 12)),
        });
        let slots: Vec<_> = slots.collect();
        asked += slots.iter().map(|slot| slot.requests.len()).sum::<usize>();
        client::stream(server.address, "\"text\":\"", slots);
        for (n, token) in tokens.iter().enumerate() {
            let bearer = format!("Authorization: Bearer {token}\r\n");
            client::once(server.address, &servers::post("/v1/widget/events", &bearer, r#"{"type":"dismiss"}"#));
            let lead = format!(r#"{{"email":"visitor{n}@example.com","name":"V"}}"#);
            client::once(server.address, &servers::post("/v1/widget/leads", &bearer, &lead));
            client::once(server.address, &servers::post("/v1/widget/leads", &bearer, "{broken"));
        }
        vanish(server);
    }
    asked
}

/// Connections that stop in the middle of a request, or never say a word, and go.
fn vanish(server: &Server) {
    let mut open: Vec<_> = (0..CONNECTIONS_LEFT_OPEN).filter_map(|_| TcpStream::connect(server.address).ok()).collect();
    let request = servers::init();
    for (n, socket) in open.iter_mut().enumerate() {
        let _ = socket.write_all(&request[..request.len() * n / CONNECTIONS_LEFT_OPEN]);
    }
}

/// Once what runs has ended.
fn look(server: &Server, data: &Path) -> Look {
    std::thread::sleep(Duration::from_secs(3));
    let mib = |name: &str| std::fs::metadata(data.join(name)).map_or(0.0, |file| file.len() as f64 / 1024.0 / 1024.0);
    Look {
        threads: server.threads(),
        descriptors: server.descriptors(),
        resident_mib: server.resident_mib(),
        log_mib: mib("widgetd.db-wal"),
        database_mib: mib("widgetd.db"),
    }
}
