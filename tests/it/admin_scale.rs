//! The owner's pages over very many conversations. `SCALE=100000 cargo test --release --test it admin_scale -- --nocapture`
//! prints what each page takes, as a client sees it, and fails if one is slow; without `SCALE` there are few, and what is
//! looked at is that each page is there.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use crate::support::admin::Owner;
use crate::support::db;
use crate::support::site::Site;

/// What each page may take.
const MOST: Duration = Duration::from_millis(100);
const DAY_MS: i64 = 86_400_000;
const TOPICS: [&str; 5] =
    ["shipping to Norway", "the refund of an order", "kites for beginners", "an invoice", "opening hours"];

#[test]
fn with_very_many_conversations_no_page_is_slow() {
    let scale = std::env::var("SCALE").ok().map(|scale| scale.parse().expect("a number"));
    let conversations = scale.unwrap_or(300);
    let mut site = Site::start();
    let mut owner = Owner::of(&site);
    site.server.signal(rustix::process::Signal::TERM);
    site.server.wait();
    fill(&site.server.data(), conversations);
    site.server.start_again();
    owner.moves_to(site.address());
    let is_behind = "select count(*) from marks where seq < (select max(seq) from messages) and name like 'message%'";
    while db::count(&site.server.data(), is_behind) > 0 {
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut slowest = Duration::ZERO;
    for page in pages(&owner) {
        let mut times: Vec<Duration> = (0..11)
            .map(|_| {
                let begun = Instant::now();
                owner.page(&page);
                begun.elapsed()
            })
            .collect();
        times.sort();
        println!("{:>8.1?} median {:>8.1?} most  {page}", times[5], times[10]);
        slowest = slowest.max(times[5]);
    }
    assert!(scale.is_none() || slowest < MOST, "a page takes {slowest:?}");
}

fn pages(owner: &Owner) -> Vec<String> {
    let conversation = first(&owner.page("/admin/conversations"), "/admin/conversations/");
    let lead = first(&owner.page("/admin/leads"), "/admin/leads/");
    let queries = [
        "/admin?days=7",
        "/admin?days=30",
        "/admin?days=90&agent=demo",
        "/admin/conversations",
        "/admin/conversations?q=norway",
        "/admin/conversations?q=refund&agent=other&from=2020-01-01",
        "/admin/conversations?unanswered=1&lead=1",
        "/admin/conversations?q=nothing",
        "/admin/leads",
        "/admin/leads?q=nobody",
        "/admin/leads?status=won&agent=other",
        "/admin/webhooks",
        "/admin/retention",
    ];
    queries.into_iter().map(str::to_owned).chain([conversation, lead]).collect()
}

/// The first address in the page's list that begins so and ends in an id.
fn first(page: &str, path: &str) -> String {
    let list = page.split_once("<tbody>").expect("a list").1;
    let (_, rest) = list.split_once(&format!("href=\"{path}")).expect("a link");
    format!("{path}{}", rest.split('"').next().expect("an id"))
}

/// Conversations of two messages over the last ninety days; one in ten got no answer, one in twelve left an address.
fn fill(folder: &Path, conversations: i64) {
    let mut db = Connection::open(folder.join("widgetd.db")).expect("the database");
    let now_ms = now_ms_by_the_clock();
    let tx = db.transaction().expect("a transaction");
    for n in 0..conversations {
        let at = now_ms - 90 * DAY_MS + n * (89 * DAY_MS / conversations);
        let agent = if n % 3 == 0 { "other" } else { "demo" };
        let topic = TOPICS[usize::try_from(n).expect("a number") % TOPICS.len()];
        let id = |kind: u8| id(at, n, kind);
        tx.prepare_cached("insert into visitors (id, agent_id, created_at_ms) values (?1, ?2, ?3)")
            .and_then(|mut insert| insert.execute(params![id(1), agent, at]))
            .expect("a visitor");
        tx.prepare_cached(
            "insert into conversations (id, visitor_id, agent_id, created_at_ms, active_at_ms)
             values (?1, ?2, ?3, ?4, ?4)",
        )
        .and_then(|mut insert| insert.execute(params![id(2), id(1), agent, at]))
        .expect("a conversation");
        for (kind, role, text) in
            [(3, "user", format!("What about {topic}, number {n}?")), (4, "assistant", said(n, topic))]
        {
            tx.prepare_cached(
                "insert into messages (id, conversation_id, role, content, created_at_ms, charged_nanos, input_tokens,
                                       output_tokens, first_token_ms, is_unanswered, question_id)
                 values (?1, ?2, ?3, ?4, ?5, 1000, 100, 50, 700, ?6, ?7)",
            )
            .and_then(|mut insert| {
                let is_answer = kind == 4;
                let question = is_answer.then(|| id(3));
                insert.execute(params![id(kind), id(2), role, text, at, is_answer && n % 10 == 0, question])
            })
            .expect("a message");
        }
        if n % 12 == 0 {
            tx.prepare_cached(
                "insert into leads (id, agent_id, email, message, conversation_id, created_at_ms, updated_at_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            )
            .and_then(|mut insert| {
                let email = format!("visitor{n}@example.com");
                insert.execute(params![id(5), agent, email, "Please call me.", id(2), at])
            })
            .expect("a lead");
        }
    }
    tx.commit().expect("a commit");
}

fn said(n: i64, topic: &str) -> String {
    if n % 10 == 0 {
        "I don't know that.".into()
    } else {
        format!("About {topic}: {}", "it is a long story. ".repeat(12))
    }
}

/// A UUIDv7 by its first bytes, and different for each row and kind.
fn id(at_ms: i64, n: i64, kind: u8) -> [u8; 16] {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&at_ms.to_be_bytes()[2..]);
    id[6] = 0x70;
    id[7] = kind;
    id[8..].copy_from_slice(&n.to_be_bytes());
    id[8] = 0x80;
    id
}

fn now_ms_by_the_clock() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("a time")
}
