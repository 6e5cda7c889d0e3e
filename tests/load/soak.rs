//! Mixed load with clients that vanish, for as long as one likes; then everything must be back where it was, and the database
//! as large as what was said.

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
/// Of that in the last quarter, when the caches are full.
const LATE_GROWTH_MIB: f64 = 2.0;
/// What the log keeps when it has been folded back (`journal_size_limit`), and a quarter of it for what came while a reader
/// was in it: that is given back with the next commit.
const LOG_MIB: f64 = 16.0 + 4.0;
/// A question, its answer of 40 tokens, a third of an event and its conversation's share: some 0.9 KiB.
const DATABASE_BYTES_A_QUESTION: f64 = 2048.0;
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
    load(&server, WARM_UP);
    let mut looks = vec![look(&server, &data)];
    println!("after {} s of warm-up: {:?}", WARM_UP.as_secs(), looks[0]);
    let (begun, mut asked) = (Instant::now(), 0);
    for quarter in 1..=4 {
        let end = time * quarter / 4;
        while begun.elapsed() < end {
            asked += load(&server, end.saturating_sub(begun.elapsed()).min(Duration::from_mins(5)));
            let look = look(&server, &data);
            println!("after {:.0} s: {asked} questions, {look:?}", begun.elapsed().as_secs_f64());
            looks.push(look);
        }
    }
    judge(&looks, asked)
}

/// Says of each thing whether it is as it should be; true if all are.
fn judge(looks: &[Look], asked: usize) -> bool {
    let (before, after) = (&looks[0], &looks[looks.len() - 1]);
    let late = after.resident_mib - looks[(looks.len() - 1) * 3 / 4].resident_mib;
    let bytes = (after.database_mib - before.database_mib) * 1024.0 * 1024.0 / asked as f64;
    let checks = [
        ("threads", after.threads <= before.threads),
        ("descriptors", after.descriptors <= before.descriptors),
        ("memory", after.resident_mib <= before.resident_mib + GROWTH_MIB),
        (&format!("memory in the last quarter ({late:+.1} MiB)"), late <= LATE_GROWTH_MIB),
        ("the database's log", after.log_mib <= LOG_MIB),
        (&format!("the database ({bytes:.0} bytes a question)"), bytes < DATABASE_BYTES_A_QUESTION),
    ];
    for (what, is_so) in checks {
        println!("{} {what}", if is_so { "as it should be:" } else { "NOT as it should be:" });
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
