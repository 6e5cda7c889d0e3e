//! Erasure on a real file: what was said must not be found in any byte of it.

use std::time::Duration;

use crate::domain::conversation::{FinishReason, Page, Status, Usage};
use crate::domain::email::Email;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::id::{AgentId, ConversationId, LeadId, MessageId, VisitorId};
use crate::domain::lead::NewLead;
use crate::domain::money::Charge;
use crate::domain::scratch::Scratch;
use crate::domain::time::Timestamp;
use crate::domain::visitor::Erased;
use crate::domain::webhook::{Occasion, Subscribers};
use crate::store::{Answer, Enforced, Expired, NewQuestion, Resume, Retention, Settings, Speaker, Store};

const CHARGE: Charge = Charge { tokens: 10, nanos: 10 };
const DAY_MS: i64 = 86_400_000;
const NOW: Timestamp = Timestamp::from_ms(20_000 * DAY_MS);

fn open(scratch: &Scratch) -> Store {
    Store::open(&Settings { folder: scratch.path().join("data"), readers: 2, free_disk_floor_bytes: 0 }).unwrap()
}

fn speaker(visitor: VisitorId, at: Timestamp) -> Speaker {
    Speaker { agent: AgentId::parse("demo").unwrap(), visitor, conversation: ConversationId::new(at) }
}

/// A question with its answer, an event and a lead; each holds `word`.
fn speak(store: &Store, speaker: &Speaker, word: &str, at: Timestamp) {
    let question = MessageId::new(at);
    let asked = store.insert_question(NewQuestion {
        speaker: speaker.clone(),
        id: question,
        content: format!("a question about {word}"),
        client_message_id: None,
        page: Page { url: Some(format!("https://example.com/{word}")), ..Page::default() },
        created_at: at,
        reserved: CHARGE,
    });
    asked.wait().unwrap();
    let answer = Answer { question, created_at: at, ..answer(speaker, &format!("an answer about {word}")) };
    store.finish_answer(answer, Subscribers::default()).wait().unwrap();
    let event = NewEvent {
        event_type: EventType::parse("dismiss").unwrap(),
        client_id: None,
        client_time: None,
        props: Some(format!("{{\"about\":\"{word}\"}}")),
        page: Page::default(),
    };
    store.insert_events(speaker.clone(), vec![event], u64::MAX, at).unwrap().wait().unwrap();
}

fn answer(speaker: &Speaker, content: &str) -> Answer {
    Answer {
        conversation: speaker.conversation,
        agent: speaker.agent.clone(),
        question: MessageId::new(NOW),
        id: MessageId::new(NOW),
        content: content.to_owned(),
        status: Status::Complete,
        finish_reason: FinishReason::Stop,
        usage: Usage { input_tokens: 5, output_tokens: 5 },
        model: "m".into(),
        created_at: NOW,
        charged: CHARGE,
        asked_on: NOW.day(),
        reserved: CHARGE,
        used: CHARGE,
        first_token: None,
        is_unanswered: false,
    }
}

fn leave(store: &Store, speaker: &Speaker, name: Option<&str>, phone: Option<&str>) {
    leave_told(store, speaker, name, phone, Subscribers::default());
}

fn leave_told(store: &Store, speaker: &Speaker, name: Option<&str>, phone: Option<&str>, subscribers: Subscribers) {
    let lead = NewLead {
        email: Email::parse("ann@example.com").unwrap(),
        name: name.map(str::to_owned),
        phone: phone.map(str::to_owned),
        company: None,
        message: None,
        fields: [("topic".to_owned(), "kites".to_owned())].into(),
        consent: Some(true),
        consent_text: Some("You may write to me.".into()),
        source: None,
        page: Page::default(),
    };
    store.upsert_lead(speaker.clone(), LeadId::new(NOW), lead, subscribers, NOW).wait().unwrap();
}

/// As the job that feeds the search index does.
fn index_all(store: &Store) {
    let indexed = store.write(|connection| {
        connection.execute_batch(
            "insert into message_search (rowid, content) select seq, content from messages;
             insert into marks (name, seq) select 'message_search', max(seq) from messages;",
        )?;
        Ok(())
    });
    indexed.wait().unwrap();
}

fn holds(scratch: &Scratch, word: &str) -> Vec<String> {
    let files = std::fs::read_dir(scratch.path().join("data")).unwrap().map(|entry| entry.unwrap().path());
    let has = |path: &std::path::PathBuf| {
        std::fs::read(path).unwrap().windows(word.len()).any(|bytes| bytes.eq_ignore_ascii_case(word.as_bytes()))
    };
    files.filter(has).map(|path| path.display().to_string()).collect()
}

fn leads(store: &Store) -> Vec<(Option<String>, Option<String>, String)> {
    let read = store.read(|connection| {
        let mut statement = connection.prepare("select name, phone, fields from leads")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.unwrap()
}

#[test]
fn of_an_erased_visitor_no_word_is_left_in_any_file() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let gone = speaker(VisitorId::new(), NOW);
    let stays = speaker(VisitorId::new(), NOW);
    for n in 0..30 {
        speak(&store, &gone, "zebrafinch", NOW);
        speak(&store, &stays, &format!("bullfinch{n}"), NOW);
    }
    leave(&store, &gone, Some("Zebrafinch"), None);
    index_all(&store);
    // Not in the index yet.
    speak(&store, &gone, "zebrafinch", NOW);
    assert!(!holds(&scratch, "zebrafinch").is_empty(), "the test finds it while it is there");

    let erased = store.erase_visitor(gone.visitor).unwrap();
    assert_eq!(erased, Erased { conversations: 1, messages: 62, events: 31, leads: 1, leads_cleaned: 0 });
    assert_eq!(holds(&scratch, "zebrafinch"), Vec::<String>::new());
    assert!(!holds(&scratch, "bullfinch29").is_empty());
    let integrity = store.read(|connection| {
        let found: i64 =
            connection.query_row("select count(*) from message_search('bullfinch3')", [], |row| row.get(0))?;
        Ok((found, connection.query_row("pragma integrity_check", [], |row| row.get::<_, String>(0))?))
    });
    assert_eq!(integrity.unwrap(), (2, "ok".to_owned()));
    let consistent = store.write(|connection| {
        Ok(connection.execute("insert into message_search (message_search, rank) values ('integrity-check', 0)", [])?)
    });
    consistent.wait().expect("the index holds what it should");
    assert!(store.erase_visitor(gone.visitor).unwrap().is_nothing());
}

#[test]
fn a_reader_in_the_log_only_delays_its_emptying() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let gone = speaker(VisitorId::new(), NOW);
    let reading = store.0.readers.get().unwrap();
    reading.execute_batch("begin; select count(*) from messages;").unwrap();
    speak(&store, &gone, "zebrafinch", NOW);
    store.erase_visitor(gone.visitor).unwrap();
    reading.execute_batch("commit").unwrap();
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while !holds(&scratch, "zebrafinch").is_empty() {
        assert!(std::time::Instant::now() < end, "the log keeps it");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_another_visitor_left_in_a_lead_stays_there() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (ann, mallory) = (speaker(VisitorId::new(), NOW), speaker(VisitorId::new(), NOW));
    leave(&store, &ann, Some("Ann"), None);
    leave(&store, &mallory, Some("Mallory"), Some("666"));
    let erased = store.erase_visitor(mallory.visitor).unwrap();
    assert_eq!((erased.leads, erased.leads_cleaned), (0, 1));
    assert_eq!(leads(&store), [(Some("Ann".into()), None, r#"{"topic":"kites"}"#.into())]);
    assert_eq!(holds(&scratch, "mallory"), Vec::<String>::new(), "nor is it in the history");
}

#[test]
fn a_visitor_is_shown_what_it_left_and_nothing_of_others() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (ann, bob) = (speaker(VisitorId::new(), NOW), speaker(VisitorId::new(), NOW));
    speak(&store, &ann, "kites", NOW);
    leave(&store, &ann, Some("Ann"), Some("+1 23"));
    leave(&store, &bob, Some("Bob"), None);
    let record = store.visitor_record(bob.visitor, 1 << 20).unwrap().unwrap();
    let shown = serde_json::to_string(&record).unwrap();
    assert!(shown.contains("Bob") && !shown.contains("Ann\"") && !shown.contains("+1 23"), "{shown}");
    let record = store.visitor_record(ann.visitor, 1 << 20).unwrap().unwrap();
    assert_eq!(record.conversations.len(), 1);
    assert_eq!((record.conversations[0].messages.len(), record.conversations[0].events.len()), (2, 1));
    let Some(lead) = record.leads.first() else { panic!("no lead") };
    assert_eq!((lead.values.name.as_deref(), lead.values.phone.as_deref()), (Some("Ann"), Some("+1 23")));
    assert!(store.visitor_record(VisitorId::new(), 1 << 20).unwrap().is_none());
}

#[test]
fn each_text_that_is_agreed_to_has_its_version() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let version = |text: &str| {
        let text = text.to_owned();
        let agent = AgentId::parse("demo").unwrap();
        store.write(move |connection| super::super::consents::version(connection, &agent, &text, NOW)).wait().unwrap()
    };
    assert_eq!([version("a"), version("b"), version("a"), version("c")], [1, 2, 1, 3]);
}

#[test]
fn what_is_old_goes_in_batches_and_leads_outlive_their_conversation() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let days_ago = |days: i64| Timestamp::from_ms(NOW.ms() - days * DAY_MS);
    for n in 0..45 {
        let old = speaker(VisitorId::new(), days_ago(91));
        speak(&store, &old, "zebrafinch", days_ago(91));
        if n == 0 {
            leave(&store, &speaker(old.visitor, days_ago(91)), Some("Ann"), None);
        }
    }
    speak(&store, &speaker(VisitorId::new(), NOW), "young", days_ago(31));
    index_all(&store);
    let days = |days: u64| Some(Duration::from_hours(24 * days));
    let retention = Retention { conversations: days(90), events: days(30), leads: None };
    let mut expired = Expired::default();
    let mut batches = 0;
    while let Some(batch) = store.delete_expired(retention, NOW).wait().unwrap() {
        batches += 1;
        expired += batch;
    }
    store.note_enforced(Enforced { at: NOW, expired }).wait().unwrap();
    assert!(batches >= 3, "{batches}");
    assert_eq!(expired.conversations, 45);
    assert_eq!(store.enforced().unwrap(), Some(Enforced { at: NOW, expired }));
    assert_eq!(leads(&store).len(), 1, "leads are kept");
    let left = store.read(|connection| {
        let count = |table: &str| {
            connection.query_row(&format!("select count(*) from {table}"), [], |row| row.get::<_, i64>(0))
        };
        Ok((count("messages")?, count("events")?, count("visitors")?))
    });
    // The lead was left in a conversation of its own, of today.
    assert_eq!(left.unwrap(), (2, 0, 2));
    assert_eq!(holds(&scratch, "zebrafinch"), Vec::<String>::new());
    let _ = store.delete_expired(Retention { leads: days(30), ..retention }, days_ago(-40)).wait().unwrap();
    assert_eq!(leads(&store).len(), 0, "unless they are not to be");
}

fn told() -> Subscribers {
    Subscribers::new([("crm".to_owned(), Occasion::ALL.to_vec())])
}

#[test]
fn what_webhooks_are_told_of_a_lead_is_erased_with_each_who_left_it() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (ann, bob) = (speaker(VisitorId::new(), NOW), speaker(VisitorId::new(), NOW));
    leave_told(&store, &ann, Some("Zebrafinch"), None, told());
    leave_told(&store, &bob, None, Some("555"), told());
    assert!(!holds(&scratch, "zebrafinch").is_empty());
    store.erase_visitor(ann.visitor).unwrap();
    assert_eq!(holds(&scratch, "zebrafinch"), Vec::<String>::new(), "nor in what was told of Bob's change");
    assert_eq!(leads(&store), [(None, Some("555".into()), "{}".into())]);
    store.erase_visitor(bob.visitor).unwrap();
    assert_eq!(leads(&store).len(), 0, "what Bob left is still known as his");
}

#[test]
fn a_stranger_who_is_forgotten_takes_nobody_the_right_to_be_forgotten_too() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let [ann, mallory, cem] = [0; 3].map(|_| speaker(VisitorId::new(), NOW));
    leave(&store, &ann, Some("Ann"), None);
    leave(&store, &mallory, Some("Mallory"), None);
    leave(&store, &cem, None, Some("777"));
    store.erase_visitor(mallory.visitor).unwrap();
    let left = |speaker: &Speaker| store.visitor_record(speaker.visitor, 1 << 20).unwrap().unwrap().leads;
    assert_eq!(left(&ann)[0].values.name.as_deref(), Some("Ann"));
    assert_eq!(left(&cem)[0].values.phone.as_deref(), Some("777"));
    assert_eq!(left(&cem)[0].values.name, None);
    store.erase_visitor(ann.visitor).unwrap();
    assert_eq!(leads(&store)[0].1.as_deref(), Some("777"));
    assert_eq!(leads(&store)[0].0, None);
    store.erase_visitor(cem.visitor).unwrap();
    assert_eq!(leads(&store).len(), 0);
}

#[test]
fn an_answer_to_what_was_erased_is_paid_for_and_not_stored() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let gone = speaker(VisitorId::new(), NOW);
    let reserved = Charge { tokens: 1000, nanos: 9000 };
    let id = MessageId::new(NOW);
    let question = NewQuestion {
        speaker: gone.clone(),
        id,
        content: "zebrafinch".into(),
        client_message_id: None,
        page: Page::default(),
        created_at: NOW,
        reserved,
    };
    store.insert_question(question).wait().unwrap();
    store.erase_visitor(gone.visitor).unwrap();
    let answer =
        Answer { question: id, reserved, used: Charge { tokens: 30, nanos: 40 }, ..answer(&gone, "zebrafinch") };
    store.finish_answer(answer, told()).wait().unwrap();
    assert_eq!(holds(&scratch, "zebrafinch"), Vec::<String>::new());
    let charged = store.charged_in(crate::domain::time::Period::of_day(NOW.day())).unwrap();
    assert_eq!(charged[0].1, Charge { tokens: 30, nanos: 40 });
}

#[test]
fn a_visitor_whose_conversations_are_gone_still_finds_its_lead() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let ann = speaker(VisitorId::new(), NOW);
    speak(&store, &ann, "kites", NOW);
    leave(&store, &ann, Some("Ann"), None);
    assert!(store.delete_conversation(ann.conversation).unwrap());
    assert_eq!(store.resume(&ann.agent, ann.visitor, NOW).unwrap(), Resume::NoConversation);
    assert_eq!(store.visitor_record(ann.visitor, 1 << 20).unwrap().unwrap().leads.len(), 1);
    store.erase_visitor(ann.visitor).unwrap();
    assert_eq!(store.resume(&ann.agent, ann.visitor, NOW).unwrap(), Resume::UnknownVisitor);
}

#[test]
fn what_is_shown_of_a_visitor_has_a_limit_and_says_so() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let ann = speaker(VisitorId::new(), NOW);
    for _ in 0..20 {
        speak(&store, &ann, &"kites ".repeat(50), NOW);
    }
    let record = |bytes_max| store.visitor_record(ann.visitor, bytes_max).unwrap().unwrap();
    let all = record(1 << 20);
    assert!(all.is_whole);
    let some = record(5000);
    let shown = some.conversations[0].messages.len();
    assert!(!some.is_whole && (1..40).contains(&shown), "{shown}");
    assert_eq!(all.conversations[0].messages.len(), 40);
}

#[test]
fn the_index_is_tidied_to_its_end_and_finds_what_is_there() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (gone, stays) = (speaker(VisitorId::new(), NOW), speaker(VisitorId::new(), NOW));
    for n in 0..60 {
        speak(&store, &gone, &format!("zebrafinch{n}"), NOW);
        speak(&store, &stays, &format!("bullfinch{n}"), NOW);
        store.catch_up().unwrap();
    }
    store.erase_visitor(gone.visitor).unwrap();
    let mut is_first = true;
    let parts = (1..1000).find(|_| store.tidy_search(std::mem::take(&mut is_first)).wait().unwrap());
    assert!(parts.is_some(), "it never ends");
    let found = |word: &str| {
        let word = word.to_owned();
        let count = store.read(move |connection| {
            Ok(connection.query_row("select count(*) from message_search(?1)", [word], |row| row.get::<_, i64>(0))?)
        });
        count.unwrap()
    };
    assert_eq!((found("bullfinch59"), found("zebrafinch59")), (2, 0));
}
