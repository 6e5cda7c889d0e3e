//! Whether a long history slows anything down: the same server beside itself with a million messages.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::client::{self, Slot};
use crate::servers::{self, Server, message};
use crate::stats::{median, quantile, row};

const CONVERSATIONS: u32 = 50_000;
/// Questions of each, every one with its answer.
const QUESTIONS: u32 = 10;

pub fn measure(folder: &Path, model: &Server, rounds: usize) {
    drop(Server::widgetd(folder, "history", model.address, 64)); // makes the schema
    fill(&folder.join("history/widgetd.db"));
    let fresh = Server::widgetd(folder, "no-history", model.address, 200);
    let old = Server::widgetd(folder, "history", model.address, 200);
    for (figure, measure) in [
        ("first token, 50 streams", first_token as fn(&Server) -> f64),
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

/// Milliseconds, the model's own 20 included.
fn first_token(server: &Server) -> f64 {
    let slots = (0..50).map(|slot| Slot {
        requests: (0..4).map(|_| message(Some(&server.token()), "bench:20:25000:20000")).collect(),
        delay: Duration::from_millis(slot * 11),
        leave_after: None,
    });
    quantile(&client::stream(server.address, "\"text\":\"", slots.collect()).first_us, 0.5) / 1e3
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
