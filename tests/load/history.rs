//! Whether a long history slows anything down: the same server beside itself with a million messages.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::client::{self, Seen, Slot};
use crate::servers::{self, Server, message};
use crate::stats::{median, row};

const CONVERSATIONS: u32 = 50_000;
/// Questions of each, every one with its answer.
const QUESTIONS: u32 = 10;

pub fn measure(folder: &Path, model: &Server, rounds: usize) {
    drop(Server::widgetd(folder, "history", model.address, 64)); // makes the schema
    fill(&folder.join("history/widgetd.db"));
    let fresh = Server::widgetd(folder, "no-history", model.address, 200);
    let old = Server::widgetd(folder, "history", model.address, 200);
    for (figure, measure) in [
        ("first token in ms, 50 streams", first_token as fn(&Server) -> f64),
        ("lag of a token in µs, 200 streams of 100 tokens/s", lag),
        ("tokens a second at full speed, 50 streams", full_speed),
        ("/init a second", inits),
        ("durable /events a second", events),
    ] {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            without.push(measure(&fresh));
            with.push(measure(&old));
        }
        let (without, with) = (median(&without), median(&with));
        let values = [
            ("without", format!("{without:.2}")),
            ("with", format!("{with:.2}")),
            ("ratio", format!("{:.2}", with / without)),
        ];
        row(&format!("a million messages in the database: {figure}"), "within a tenth", &values);
    }
    let values = [("without", fresh.started_in), ("with", old.started_in)];
    let values = values.map(|(name, time)| (name, format!("{:.0} ms", time.as_secs_f64() * 1e3)));
    row("a million messages in the database: start to first answer", "", &values);
}

/// The model's own 20 ms included.
fn first_token(server: &Server) -> f64 {
    median(&stream(server, 50, 11, "bench:20:25000:20000", 4).first_us) / 1e3
}

fn lag(server: &Server) -> f64 {
    median(&stream(server, 200, 5, "bench:300:10000:0", 1).lag_us)
}

fn full_speed(server: &Server) -> f64 {
    200_000.0 / stream(server, 50, 0, "bench:4000:0:0", 1).elapsed.as_secs_f64()
}

/// So many streams, each of which begins so many milliseconds after the one before it and asks so often.
fn stream(server: &Server, streams: u64, apart_ms: u64, directive: &str, asks: usize) -> Seen {
    let slots = (0..streams).map(|slot| Slot {
        requests: (0..asks).map(|_| message(Some(&server.token()), directive)).collect(),
        delay: Duration::from_millis(slot * apart_ms),
        leave_after: None,
    });
    let seen = client::stream(server.address, "\"text\":\"", slots.collect());
    assert_eq!(seen.failed, 0, "answers failed");
    seen
}

fn inits(server: &Server) -> f64 {
    client::repeat(server.address, &vec![servers::init(); 64], Duration::from_secs(3), Duration::ZERO).a_second()
}

fn events(server: &Server) -> f64 {
    let request = |token: &String| {
        servers::post("/v1/widget/events", &format!("Authorization: Bearer {token}\r\n"), r#"{"type":"dismiss"}"#)
    };
    let requests: Vec<_> = server.tokens(64).iter().map(request).collect();
    client::repeat(server.address, &requests, Duration::from_secs(3), Duration::ZERO).a_second()
}

fn fill(database: &Path) {
    let mut connection = Connection::open(database).expect("a database");
    let transaction = connection.transaction().expect("a transaction");
    let id = |kind: u8, n: u32| [&[kind; 12][..], &n.to_be_bytes()].concat();
    let text = "Some words as a visitor may write them, and as a model may answer. ".repeat(3);
    for n in 0..CONVERSATIONS {
        let at = 1_700_000_000_000_i64 + i64::from(n) * 1000;
        transaction
            .prepare_cached("insert into visitors (id, agent_id, created_at_ms) values (?1, 'demo', ?2)")
            .and_then(|mut insert| insert.execute(params![id(1, n), at]))
            .expect("a visitor");
        transaction
            .prepare_cached(
                "insert into conversations (id, visitor_id, agent_id, created_at_ms, active_at_ms) values (?1, ?2, 'demo', ?3, ?3)",
            )
            .and_then(|mut insert| insert.execute(params![id(2, n), id(1, n), at]))
            .expect("a conversation");
        for q in 0..QUESTIONS {
            let (question, answer) = (id(3, n * QUESTIONS + q), id(4, n * QUESTIONS + q));
            transaction
                .prepare_cached(
                    "insert into messages (id, conversation_id, role, content, created_at_ms, charged_tokens, charged_at_ms)
                     values (?1, ?2, 'user', ?3, ?4, 100, ?4)",
                )
                .and_then(|mut insert| insert.execute(params![question, id(2, n), text, at]))
                .expect("a question");
            transaction
                .prepare_cached(
                    "insert into messages (id, conversation_id, role, content, created_at_ms, question_id, status)
                     values (?1, ?2, 'assistant', ?3, ?4, ?5, 'complete')",
                )
                .and_then(|mut insert| insert.execute(params![answer, id(2, n), text, at, question]))
                .expect("an answer");
        }
    }
    transaction.commit().expect("a commit");
}
