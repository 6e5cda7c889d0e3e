//! The store on a real file.

mod webhooks;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::thread;

use rusqlite::params;

use super::pauses::PausedAgent;
use super::*;
use crate::domain::conversation::{FinishReason, Page, Role, Status, Usage};
use crate::domain::email::Email;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::id::{self, AgentId, ConversationId, LeadId, MessageId, VisitorId};
use crate::domain::lead::{NewLead, StoredLead};
use crate::domain::money::Charge;
use crate::domain::scratch::Scratch;
use crate::domain::time::{Period, Timestamp};
use crate::domain::webhook::Subscribers;

mod owner;
mod scale;

const DAY_MS: i64 = 86_400_000;
const NOW: Timestamp = Timestamp::from_ms(20_000 * DAY_MS + 1000);

fn settings(scratch: &Scratch) -> Settings {
    Settings { folder: scratch.path().join("data"), readers: 4, free_disk_floor_bytes: 0 }
}

fn open(scratch: &Scratch) -> Store {
    Store::open(&settings(scratch)).unwrap()
}

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).unwrap()
}

fn speaker() -> Speaker {
    Speaker { agent: agent("demo"), visitor: VisitorId::new(), conversation: ConversationId::new(NOW) }
}

fn question(speaker: &Speaker, content: &str, client_id: Option<&str>, at: Timestamp) -> NewQuestion {
    NewQuestion {
        speaker: speaker.clone(),
        id: MessageId::new(at),
        content: content.into(),
        client_message_id: client_id.map(str::to_owned),
        page: Page::default(),
        created_at: at,
        reserved: charge(1000),
    }
}

fn answer(speaker: &Speaker, question: MessageId, content: &str, charged_tokens: u64) -> Answer {
    Answer {
        conversation: speaker.conversation,
        agent: speaker.agent.clone(),
        question,
        id: MessageId::new(NOW),
        content: content.into(),
        status: Status::Complete,
        finish_reason: FinishReason::Stop,
        usage: Usage { input_tokens: 7, output_tokens: 3 },
        model: "m".into(),
        created_at: NOW,
        charged: charge(charged_tokens),
        asked_on: NOW.day(),
        reserved: Charge::default(),
        used: Charge::default(),
        first_token: Some(Duration::from_millis(1234)),
        is_unanswered: true,
    }
}

fn nobody() -> Subscribers {
    Subscribers::default()
}

fn lead(email: &str) -> NewLead {
    NewLead {
        email: Email::parse(email).unwrap(),
        name: None,
        phone: None,
        company: None,
        message: None,
        fields: BTreeMap::new(),
        consent: None,
        consent_text: None,
        source: None,
        page: Page::default(),
    }
}

fn event(client_id: Option<&str>) -> NewEvent {
    NewEvent {
        event_type: EventType::parse("launcher_open").unwrap(),
        client_id: client_id.map(str::to_owned),
        client_time: None,
        props: None,
        page: Page::default(),
    }
}

fn count(store: &Store, table: &str) -> i64 {
    store.read(|db| Ok(db.query_row(&format!("select count(*) from {table}"), [], |row| row.get(0))?)).unwrap()
}

/// So many tokens at ten nanos each.
fn charge(tokens: u64) -> Charge {
    Charge { tokens, nanos: 10 * tokens }
}

/// What was charged on that day, of one agent.
fn charged_on(store: &Store, day: i64) -> Charge {
    store.charged_in(Period::of_day(day)).unwrap().first().map_or(Charge::default(), |(_, charged)| *charged)
}

#[test]
fn the_file_is_its_owners_alone() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(store.path()), 0o600);
    assert_eq!(mode(store.path().parent().unwrap()), 0o700);
}

#[test]
fn what_was_committed_is_there_after_opening_again() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let question = question(&speaker, "hi", None, NOW);
    store.insert_question(question.clone()).wait().unwrap();
    store.close();
    assert!(matches!(store.insert_question(question).wait(), Err(StoreError::Closed)));
    assert!(matches!(Store::open(&settings(&scratch)).err(), Some(StoreError::Locked)), "it is still open");
    drop(store);
    let again = open(&scratch);
    assert_eq!(again.recent_messages(speaker.conversation, 30).unwrap()[0].content, "hi");
}

#[test]
fn a_database_that_is_newer_or_another_programs_is_refused() {
    let scratch = Scratch::new();
    let path = {
        let store = open(&scratch);
        store.close();
        store.path().to_owned()
    };
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = Store::open(&settings(&scratch)).err().unwrap();
    assert!(matches!(error, StoreError::TooNew { found: 99, known: 8 }), "{error}");

    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("data")).unwrap();
    let db = Connection::open(scratch.path().join("data").join(FILE_NAME)).unwrap();
    db.execute_batch("create table theirs (x)").unwrap();
    drop(db);
    assert!(matches!(Store::open(&settings(&scratch)), Err(StoreError::Foreign { .. })));

    let scratch = Scratch::new();
    std::fs::create_dir(scratch.path().join("data")).unwrap();
    std::fs::write(scratch.path().join("data").join(FILE_NAME), "not a database at all, but long enough").unwrap();
    assert!(matches!(Store::open(&settings(&scratch)), Err(StoreError::Corrupt(_))));
}

#[test]
fn a_commit_is_on_the_disk_when_it_is_answered() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let level = store.write(|db| Ok(db.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0))?));
    // A killed process loses nothing with less: only a power cut would tell.
    const FULL: i64 = 2;
    assert_eq!(level.wait().unwrap(), FULL);
}

#[test]
fn one_bad_job_fails_alone() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let good: Vec<_> = (0..20)
        .flat_map(|n| {
            let good = store.insert_question(question(&speaker, &n.to_string(), None, NOW));
            let _ = store.write(|db| Ok(db.execute("insert into nowhere values (1)", [])?));
            let _ = store.write(|_| -> Result<(), StoreError> { panic!("as the test wants it") });
            let half = store.write(|db| -> Result<(), StoreError> {
                db.execute("delete from messages", [])?;
                Err(StoreError::Busy)
            });
            [(good, half)]
        })
        .collect();
    for (good, half) in good {
        good.wait().unwrap();
        assert!(matches!(half.wait(), Err(StoreError::Busy)));
    }
    assert_eq!(count(&store, "messages"), 20);
}

#[test]
fn many_writers_share_commits() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    // The first job holds the writer up until all have queued.
    let (open_gate, gate) = std::sync::mpsc::channel::<()>();
    let first = store.write(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    let commits: Vec<_> =
        (0..200).map(|n| store.insert_question(question(&speaker, &n.to_string(), None, NOW))).collect();
    open_gate.send(()).unwrap();
    first.wait().unwrap();
    for commit in commits {
        commit.wait().unwrap();
    }
    assert_eq!(count(&store, "messages"), 200);
    // A commit of its own would cost each of them a page of the log at least.
    let log = std::fs::metadata(store.path().with_extension("db-wal")).unwrap();
    assert!(log.len() < 150 * 4096, "{} bytes", log.len());
}

#[test]
fn a_queue_that_is_full_refuses_at_once() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let (open_gate, gate) = std::sync::mpsc::channel::<()>();
    let first = store.write(move |_| {
        let _ = gate.recv();
        Ok(())
    });
    let commits: Vec<_> = (0..6000).map(|_| store.write(|_| Ok(()))).collect();
    open_gate.send(()).unwrap();
    first.wait().unwrap();
    let refused = commits.into_iter().filter_map(|commit| commit.wait().err()).collect::<Vec<_>>();
    assert!(!refused.is_empty() && refused.iter().all(|error| matches!(error, StoreError::Busy)));
}

#[test]
fn a_visitor_resumes_its_latest_conversation_with_its_own_agent() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let early = speaker();
    let late = Speaker { conversation: ConversationId::new(NOW), ..early.clone() };
    store.insert_question(question(&early, "a", None, NOW)).wait().unwrap();
    store.insert_question(question(&late, "b", None, NOW.plus(Duration::from_secs(5)))).wait().unwrap();
    let resume = |agent_id: &str, visitor, since: Timestamp| store.resume(&agent(agent_id), visitor, since).unwrap();
    assert_eq!(resume("demo", early.visitor, NOW), Resume::Conversation(late.conversation));
    assert_eq!(resume("demo", early.visitor, NOW.plus(Duration::from_secs(5))), Resume::NoConversation);
    assert_eq!(resume("other", early.visitor, NOW), Resume::UnknownVisitor);
    assert_eq!(resume("demo", VisitorId::new(), NOW), Resume::UnknownVisitor);
}

#[test]
fn messages_come_back_in_order_and_the_newest_are_kept() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    for n in 0..20 {
        let question = question(&speaker, &format!("q{n}"), None, NOW);
        let id = question.id;
        store.insert_question(question).wait().unwrap();
        store.finish_answer(answer(&speaker, id, &format!("a{n}"), 10), nobody()).wait().unwrap();
    }
    let messages = store.recent_messages(speaker.conversation, 30).unwrap();
    assert_eq!(messages.len(), 30);
    assert_eq!((messages[0].content.as_str(), messages[0].role, messages[0].status), ("q5", Role::User, None));
    let last = &messages[29];
    assert_eq!((last.content.as_str(), last.role, last.status), ("a19", Role::Assistant, Some(Status::Complete)));
}

#[test]
fn a_question_is_found_by_its_client_id_with_its_answer_or_without() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let question = question(&speaker, "hi", Some("c1"), NOW);
    store.insert_question(question.clone()).wait().unwrap();
    let state = |id: &str| {
        store
            .conversation_state(&agent("demo"), speaker.conversation, Some(id), NOW.minus(Duration::from_secs(1)), 10)
            .unwrap()
    };
    assert_eq!(state("c2").asked, None);
    let asked = state("c1").asked.unwrap();
    assert_eq!((asked.question.id, asked.charged, asked.answer.is_none()), (question.id, charge(1000), true));
    assert!(store.insert_question(question.clone()).wait().is_err(), "an id counts once");
    store.finish_answer(answer(&speaker, question.id, "yes", 10), nobody()).wait().unwrap();
    let answered = state("c1").asked.unwrap().answer.unwrap();
    assert_eq!(answered.message.content, "yes");
    assert_eq!(answered.usage, Usage { input_tokens: 7, output_tokens: 3 });
    let other = store.conversation_state(&agent("demo"), ConversationId::new(NOW), Some("c1"), NOW, 10).unwrap();
    assert_eq!(other.asked, None, "of this conversation alone");
}

#[test]
fn what_was_reserved_is_settled_on_the_question_and_in_the_agents_day() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let question = question(&speaker, "hi", None, NOW);
    store.insert_question(question.clone()).wait().unwrap();
    assert_eq!(charged_on(&store, NOW.day()), charge(1000));
    store.finish_answer(answer(&speaker, question.id, "", 0), nobody()).wait().unwrap();
    assert_eq!(
        (charged_on(&store, NOW.day()), count(&store, "messages")),
        (charge(0), 1),
        "an answer without a word is no answer"
    );
    store.reask(question.id, &speaker.agent, NOW, charge(1000)).wait().unwrap();
    assert_eq!(charged_on(&store, NOW.day()), charge(1000));
    store.finish_answer(answer(&speaker, question.id, "yes", 300), nobody()).wait().unwrap();
    assert_eq!(charged_on(&store, NOW.day()), charge(300));
    assert_eq!(store.conversation_charge(speaker.conversation).unwrap(), charge(300));
    assert_eq!(store.conversation_charge(ConversationId::new(NOW)).unwrap(), Charge::default());
    let state = store
        .conversation_state(&agent("demo"), speaker.conversation, None, NOW.minus(Duration::from_secs(1)), 10)
        .unwrap();
    assert_eq!(state.spent, [Spent { question: question.id, at: NOW, tokens: 300 }]);
    let later = store.conversation_state(&agent("demo"), speaker.conversation, None, NOW, 10).unwrap();
    assert!(later.spent.is_empty(), "it has left the window");
    let earlier = store
        .conversation_state(&agent("demo"), speaker.conversation, None, NOW.minus(Duration::from_secs(86_400)), 10)
        .unwrap();
    assert_eq!(earlier.spent.len(), 1, "what a clock that stepped back left in the future counts");
}

#[test]
fn a_question_that_is_asked_again_counts_on_the_day_and_in_the_window_of_the_asking() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let question = question(&speaker, "hi", None, NOW);
    store.insert_question(question.clone()).wait().unwrap();
    store.finish_answer(answer(&speaker, question.id, "", 20), nobody()).wait().unwrap();
    let tomorrow = NOW.next_day();
    store.reask(question.id, &speaker.agent, tomorrow, charge(1000)).wait().unwrap();
    store.finish_answer(answer(&speaker, question.id, "yes", 20 + 7), nobody()).wait().unwrap();
    let of_days = [NOW.day(), tomorrow.day()].map(|day| charged_on(&store, day));
    assert_eq!(of_days, [charge(20), charge(7)]);
    let both = Period { first_day: NOW.day(), next_day: tomorrow.day() + 1 };
    assert_eq!(store.charged_in(both).unwrap(), [(speaker.agent, charge(27))]);
    let state = store.conversation_state(&agent("demo"), speaker.conversation, None, NOW, 10).unwrap();
    assert_eq!(state.spent, [Spent { question: question.id, at: tomorrow, tokens: 27 }]);
}

#[test]
fn an_answer_is_stored_with_how_fast_it_came_and_whether_it_knew() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let question = question(&speaker, "hi", None, NOW);
    store.insert_question(question.clone()).wait().unwrap();
    store.finish_answer(answer(&speaker, question.id, "yes", 10), nobody()).wait().unwrap();
    let stored = store
        .read(|db| {
            let columns = "select first_token_ms, is_unanswered from messages where role = 'assistant'";
            Ok(db.query_row(columns, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))?)
        })
        .unwrap();
    assert_eq!(stored, (1234, true));
}

#[test]
fn an_agent_is_paused_for_all_who_have_the_file_open_until_it_is_resumed() {
    let scratch = Scratch::new();
    let server = open(&scratch);
    let other = Store::open_beside(&settings(&scratch)).unwrap();
    let is_paused =
        |id| server.conversation_state(&agent(id), ConversationId::new(NOW), None, NOW, 0).unwrap().is_paused;
    assert!(other.pause_agent(&agent("demo"), NOW).wait().unwrap());
    assert!(!other.pause_agent(&agent("demo"), NOW.next_day()).wait().unwrap(), "it was paused before");
    assert!(is_paused("demo") && !is_paused("other"));
    assert_eq!(server.paused_agents().unwrap(), [PausedAgent { id: agent("demo"), since: NOW }]);
    assert!(other.resume_agent(&agent("demo")).wait().unwrap());
    assert!(!other.resume_agent(&agent("demo")).wait().unwrap());
    assert!(!is_paused("demo"));
}

#[test]
fn a_look_at_who_is_paused_leaves_the_folder_as_it_was() {
    let scratch = Scratch::new();
    let folder = settings(&scratch).folder;
    assert_eq!(Store::paused_agents_in(&folder).unwrap(), []);
    assert!(!folder.exists());
    let store = open(&scratch);
    store.pause_agent(&agent("demo"), NOW).wait().unwrap();
    let paused = [PausedAgent { id: agent("demo"), since: NOW }];
    assert_eq!(Store::paused_agents_in(&folder).unwrap(), paused, "while it is open elsewhere");
    store.close();
    drop(store);
    assert_eq!(Store::paused_agents_in(&folder).unwrap(), paused);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [FILE_NAME]);
}

#[test]
fn a_lead_is_one_row_for_each_agent_and_address_however_many_come_at_once() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let stored: Vec<StoredLead> = thread::scope(|scope| {
        let threads: Vec<_> = (0..30)
            .map(|_| {
                scope.spawn(|| {
                    store
                        .upsert_lead(speaker(), LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW)
                        .wait()
                        .unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(count(&store, "leads"), 1);
    assert_eq!(stored.iter().filter(|lead| lead.created).count(), 1);
    assert!(stored.iter().all(|lead| lead.id == stored[0].id));
    let other = Speaker { agent: agent("other"), ..speaker() };
    assert!(store.upsert_lead(other, LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap().created);
}

#[test]
fn an_update_overwrites_what_it_brings_keeps_what_it_does_not_and_is_remembered() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let fields = |list: &[(&str, &str)]| list.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let first = NewLead {
        name: Some("Ann".into()),
        phone: Some("1".into()),
        consent: Some(true),
        fields: fields(&[("size", "5"), ("plan", "a")]),
        ..lead("ann@example.com")
    };
    let second = NewLead { phone: Some("2".into()), fields: fields(&[("plan", "b")]), ..lead("ann@example.com") };
    store.upsert_lead(speaker(), LeadId::new(NOW), first, nobody(), NOW).wait().unwrap();
    let later = NOW.plus(Duration::from_secs(9));
    let stored = store.upsert_lead(speaker(), LeadId::new(later), second, nobody(), later).wait().unwrap();
    assert_eq!((stored.created, stored.created_at, stored.updated_at), (false, NOW, later));
    let row = store
        .read(|db| {
            Ok(db.query_row(
                "select name, phone, consent, fields, (select old from lead_history) from leads",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, String>(3)?, row.get::<_, String>(4)?)),
            )?)
        })
        .unwrap();
    let (name, phone, consent, fields, old): (String, String, bool, String, String) = row;
    assert_eq!((name.as_str(), phone.as_str(), consent), ("Ann", "2", true));
    assert_eq!(fields, r#"{"plan":"b","size":"5"}"#);
    assert!(old.contains(r#""phone":"1""#), "{old}");
}

#[test]
fn a_repeated_event_counts_once_and_a_batch_is_stored_whole_or_not_at_all() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = speaker();
    let insert = |events: Vec<NewEvent>, bytes_max| {
        store.insert_events(speaker.clone(), events, bytes_max, NOW).unwrap().wait().unwrap()
    };
    assert_eq!(insert(vec![event(Some("a")), event(Some("a")), event(None), event(None)], 10_000), Stored::Accepted(4));
    assert_eq!(insert(vec![event(Some("a"))], 10_000), Stored::Accepted(1));
    assert_eq!(count(&store, "events"), 3);
    assert_eq!(insert(vec![event(None); 50], 1000), Stored::DailyAllowanceSpent);
    assert_eq!(count(&store, "events"), 3);
}

#[test]
fn below_the_floor_of_disk_space_events_are_refused_and_messages_are_not() {
    let scratch = Scratch::new();
    let store = Store::open(&Settings { free_disk_floor_bytes: u64::MAX, ..settings(&scratch) }).unwrap();
    let refused = store.insert_events(speaker(), vec![event(None)], 10_000, NOW);
    assert!(matches!(refused, Err(StoreError::DiskFloor)));
    store.insert_question(question(&speaker(), "hi", None, NOW)).wait().unwrap();
}

#[test]
fn no_query_of_a_request_reads_a_whole_table() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let id = [0_u8; 16];
    for query in [
        "select c.id from visitors v left join conversations c on c.visitor_id = v.id
         where v.id = ?1 and v.agent_id = ?2 order by c.active_at_ms desc limit 1",
        "select id from messages where conversation_id = ?1 order by seq desc limit ?2",
        "select id from messages where conversation_id = ?1 and role = 'user' and charged_at_ms > ?2 order by seq",
        "select id from messages where conversation_id = ?1 and client_message_id = ?2",
        "select id from messages where question_id = ?1 and ?2",
        "update messages set charged_tokens = ?2 where id = ?1",
        "select sum(charged_nanos) from messages where conversation_id = ?1 and role = 'user' and ?2",
        "select 1 from paused_agents where agent_id = ?1 and ?2",
        "select id from leads where agent_id = ?1 and email = ?2",
        "select event_bytes from agent_days where agent_id = ?1 and day = ?2",
    ] {
        let plan = store
            .read(|db| {
                let mut statement = db.prepare(&format!("explain query plan {query}"))?;
                let steps = statement.query_map(params![id, "x"], |row| row.get::<_, String>(3))?;
                Ok(steps.collect::<Result<Vec<_>, _>>()?.join("; "))
            })
            .unwrap();
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{query}: {plan}");
    }
}
