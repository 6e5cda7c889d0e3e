//! The owner's pages over very many conversations. `SCALE=100000 cargo test --release --lib scale -- --nocapture` prints what
//! each takes; without `SCALE` there are few, and what is looked at is that each can be asked for at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::domain::lead::LeadStatus;

const WORDS: [&str; 16] = [
    "order", "refund", "shipping", "price", "invoice", "address", "delivery", "size", "colour", "warranty", "stock",
    "return", "account", "password", "discount", "opening",
];

/// Of ten visitors one writes; one in ten of these gets no answer, and one in twenty leaves an address.
fn fill(store: &Store, conversations: usize) {
    store
        .write(move |db| {
            for n in 0..conversations {
                one(db, n)?;
            }
            db.execute_batch(
                "insert into day_counts (agent_id, day, name, count)
                 with recursive days (day) as (select 19000 union all select day + 1 from days where day < 20000),
                      names (n) as (select 0 union all select n + 1 from names where n < 50)
                 select 'demo', day, 'first_token.' || n, 1 from days, names;",
            )?;
            Ok(())
        })
        .wait()
        .unwrap();
}

fn one(db: &Connection, n: usize) -> Result<(), StoreError> {
    let at = Timestamp::from_ms(NOW.ms() - 90 * DAY_MS + i64::try_from(n).unwrap() * 70_000);
    let speaker = Speaker {
        agent: agent(if n.is_multiple_of(3) { "other" } else { "demo" }),
        visitor: VisitorId::new(),
        conversation: ConversationId::new(at),
    };
    conversations::touch(db, &speaker, at)?;
    let word = |k: usize| WORDS[(n * 7 + k * 5 + n / 16) % WORDS.len()];
    for k in 0..6 {
        let is_question = k % 2 == 0;
        let text = format!(
            "Message {n}.{k} about the {} and the {}. {}",
            word(k),
            word(k + 1),
            "It goes on for a while, as people and models do. ".repeat(if is_question { 1 } else { 6 })
        );
        let unanswered = !is_question && n.is_multiple_of(10) && k == 5;
        db.prepare_cached(
            "insert into messages (id, conversation_id, role, content, created_at_ms, charged_nanos, input_tokens,
                                   output_tokens, first_token_ms, is_unanswered, question_id)
             values (?1, ?2, ?3, ?4, ?5, 1000, 100, 50, 700, ?6, ?7)",
        )?
        .execute(params![
            MessageId::new(at).as_bytes(),
            speaker.conversation.as_bytes(),
            if is_question { "user" } else { "assistant" },
            text,
            at.ms() + k as i64,
            (!is_question).then_some(unanswered),
            (!is_question).then(|| MessageId::new(at).as_bytes().to_vec()),
        ])?;
    }
    if n.is_multiple_of(20) {
        db.prepare_cached(
            "insert into leads (id, agent_id, email, name, message, conversation_id, created_at_ms, updated_at_ms)
             values (?1, ?2, ?3, 'Ann Example', 'Please call me about the order.', ?4, ?5, ?5)",
        )?
        .execute(params![
            LeadId::new(at).as_bytes(),
            speaker.agent.as_str(),
            format!("visitor{n}@example.com"),
            speaker.conversation.as_bytes(),
            at.ms(),
        ])?;
    }
    Ok(())
}

/// Prints the slowest of three times.
fn time<T>(what: &str, work: impl Fn() -> T) -> T {
    let timed = || {
        let start = Instant::now();
        let result = work();
        (start.elapsed(), result)
    };
    let (first, _) = timed();
    let (second, _) = timed();
    let (third, result) = timed();
    println!("{what:<40} {:>8.1} ms", first.max(second).max(third).as_secs_f64() * 1000.0);
    result
}

#[test]
fn every_page_of_the_owner_is_quick_at_any_scale() {
    let conversations = std::env::var("SCALE").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let scratch = Scratch::new();
    let store = open(&scratch);
    fill(&store, conversations);
    let start = Instant::now();
    let (mut batches, mut longest) = (0, Duration::ZERO);
    loop {
        let batch = Instant::now();
        let has_more = store.catch_up().unwrap();
        longest = longest.max(batch.elapsed());
        batches += 1;
        if !has_more {
            break;
        }
    }
    println!("{batches} batches behind the writes in {:?}, the longest {longest:?}", start.elapsed());
    let all = ConversationFilter::default();
    let search = |words: &str| ConversationFilter { search: Some(words.into()), ..all.clone() };
    let demo = Some(agent("demo"));
    for (what, filter) in [
        ("conversations", all.clone()),
        ("of an agent", ConversationFilter { agent: demo.clone(), ..all.clone() }),
        ("unanswered", ConversationFilter { unanswered: true, ..all.clone() }),
        ("unanswered of an agent", ConversationFilter { unanswered: true, agent: demo.clone(), ..all.clone() }),
        ("with a lead", ConversationFilter { with_lead: true, ..all.clone() }),
        ("search: a common word", search("refund")),
        ("search: a beginning", search("ref")),
        ("search: two common words", search("refund while")),
        ("search: a word of all", search("message")),
        ("search: a rare word", search("colours")),
        ("search: common, with a lead", ConversationFilter { with_lead: true, ..search("refund") }),
    ] {
        let page = time(what, || store.conversations(&filter, None, 50).unwrap());
        if let Some(next) = page.next {
            time(&format!("{what}: the next page"), || store.conversations(&filter, Some(next), 50).unwrap());
        }
    }
    let middle = crate::store::Period { since: None, until: Some(NOW.minus(Duration::from_secs(60 * 86_400))) };
    time("until a day", || {
        store.conversations(&ConversationFilter { period: middle, ..all.clone() }, None, 50).unwrap()
    });
    let id = store.conversations(&all, None, 1).unwrap().rows[0].id;
    assert_eq!(time("a conversation", || store.conversation(id).unwrap()).unwrap().messages.len(), 6);
    let leads = LeadFilter::default();
    time("leads", || store.leads(&leads, None, 50).unwrap());
    let of = |change: fn(&mut LeadFilter)| {
        let mut filter = leads.clone();
        change(&mut filter);
        filter
    };
    let won = of(|filter| filter.status = Some(LeadStatus::Won));
    assert!(time("leads: of a status that none has", || store.leads(&won, None, 50).unwrap()).rows.is_empty());
    let nobody = of(|filter| filter.search = Some("nobody".into()));
    assert!(time("leads: search in vain", || store.leads(&nobody, None, 50).unwrap()).rows.is_empty());
    for days in [30, 365] {
        time(&format!("overview of {days} days"), || store.overview(None, NOW.day(), days).unwrap());
    }
    time("overview of an agent", || store.overview(demo.as_ref(), NOW.day(), 30).unwrap());
}

#[test]
fn no_list_of_the_owner_sorts_or_reads_a_whole_table() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let all = ConversationFilter::default();
    let key = ConversationKey::parse(&format!("1.{}", ConversationId::new(NOW)));
    for (filter, index) in [
        (all.clone(), "conversations_by_beginning"),
        (ConversationFilter { agent: Some(agent("demo")), ..all.clone() }, "conversations_of_agent"),
        (ConversationFilter { unanswered: true, ..all.clone() }, "conversations_unanswered"),
    ] {
        for after in [None, key] {
            let query = conversation_list::list_query(&filter, after).unwrap();
            let query = query.ordered(conversation_list::NEWEST_FIRST, 51);
            let plan = store.read(|db| {
                let mut statement = db.prepare(&format!("explain query plan {}", query.sql))?;
                let steps =
                    statement.query_map(rusqlite::params_from_iter(&query.values), |row| row.get::<_, String>(3))?;
                Ok(steps.collect::<Result<Vec<_>, _>>()?.join("; "))
            });
            let plan = plan.unwrap();
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
        }
    }
}

/// How long each of the commits took that follow each other while `is_wanted`.
fn commits(store: &Store, is_wanted: impl Fn(usize) -> bool) -> Vec<Duration> {
    let mut took = Vec::new();
    while is_wanted(took.len()) {
        let begun = Instant::now();
        let note = "insert into marks values ('scale', 1) on conflict do update set seq = seq + 1";
        store.write(move |db| Ok(db.execute(note, [])?)).wait().unwrap();
        took.push(begun.elapsed());
    }
    took.sort();
    took
}

fn print_commits(when: &str, took: &[Duration]) {
    let at = |share: usize| took[(took.len() * share / 1000).min(took.len() - 1)].as_secs_f64() * 1000.0;
    println!("{} commits {when}: median {:.2}, p99 {:.2}, longest {:.2} ms", took.len(), at(500), at(990), at(1000));
}

#[test]
fn a_backup_holds_nobody_up_who_writes() {
    let conversations = std::env::var("SCALE").ok().and_then(|n| n.parse().ok()).unwrap_or(500);
    let scratch = Scratch::new();
    let store = open(&scratch);
    fill(&store, conversations);
    while store.catch_up().unwrap() {}
    print_commits("without a backup", &commits(&store, |count| count < conversations.min(2000) / 2));
    let (has_ended, begun) = (AtomicBool::new(false), Instant::now());
    let (during, holds, took) = std::thread::scope(|scope| {
        let backup = scope.spawn(|| {
            let holds = backup(&settings(&scratch), &scratch.path().join("backup.db"), false);
            has_ended.store(true, Ordering::Relaxed);
            (holds.unwrap(), begun.elapsed())
        });
        let during = commits(&store, |_| !has_ended.load(Ordering::Relaxed));
        let (holds, took) = backup.join().unwrap();
        (during, holds, took)
    });
    print_commits("during one", &during);
    println!("backup of {:.1} MB: {:.2} s", holds.bytes as f64 / 1e6, took.as_secs_f64());
    assert!(during.last() < Some(&LOCK_WAIT), "a commit waited for {:?}", during.last());
    store.close();
    let begun = Instant::now();
    let (target, file) = (scratch.path().join("elsewhere"), scratch.path().join("backup.db"));
    let restore = Restore::prepare(&Settings { folder: target, ..settings(&scratch) }, &file).unwrap();
    restore.put_in_place(NOW).unwrap();
    println!("restore of it: {:.2} s", begun.elapsed().as_secs_f64());
}
