//! What the owner is shown: sums, lists, search, and what deleting leaves.

use super::*;
use crate::domain::lead::LeadStatus;

/// A conversation with one question and its answer.
fn talk(store: &Store, agent_id: &str, at: Timestamp, said: &str, answered: &str) -> Speaker {
    let speaker = Speaker { agent: agent(agent_id), visitor: VisitorId::new(), conversation: ConversationId::new(at) };
    let question = question(&speaker, said, None, at);
    store.insert_question(question.clone()).wait().unwrap();
    let answer = Answer { created_at: at, is_unanswered: false, ..answer(&speaker, question.id, answered, 10) };
    store.finish_answer(answer, nobody()).wait().unwrap();
    speaker
}

fn catch_up(store: &Store) {
    while store.catch_up().unwrap() {}
}

fn execute(store: &Store, sql: &'static str) {
    store.write(move |db| Ok(db.execute_batch(sql)?)).wait().unwrap();
}

fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

fn found(store: &Store, filter: &ConversationFilter) -> Vec<ConversationId> {
    store.conversations(filter, None, 50).unwrap().rows.iter().map(|row| row.id).collect()
}

fn searched(store: &Store, text: &str) -> usize {
    found(store, &ConversationFilter { search: Some(text.into()), ..Default::default() }).len()
}

#[test]
fn days_add_up_what_was_stored_once_however_often_they_are_caught_up_with() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let first = talk(&store, "demo", NOW, "hi", "hello");
    talk(&store, "demo", NOW, "hi", "I don't know");
    talk(&store, "demo", NOW.next_day(), "hi", "hello");
    talk(&store, "other", NOW, "hi", "hello");
    store.insert_question(question(&first, "more", None, NOW)).wait().unwrap();
    execute(&store, "update messages set first_token_ms = 400 where role = 'assistant'");
    execute(&store, "update messages set is_unanswered = 1 where content = 'I don''t know'");
    execute(&store, "update agent_days set cost_nanos = 5");
    store.upsert_lead(first.clone(), LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap();
    store.upsert_lead(first.clone(), LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap();
    let opened = NewEvent { event_type: EventType::parse("launcher_open").unwrap(), ..event(None) };
    store.insert_events(first, vec![opened.clone(), opened], 10_000, NOW).unwrap().wait().unwrap();
    catch_up(&store);
    catch_up(&store);
    let overview = store.overview(Some(&agent("demo")), NOW.day() + 1, 3).unwrap();
    let [before, today, tomorrow] = overview.days.as_slice() else { panic!("{:?}", overview.days) };
    assert_eq!(before.sums, DaySums::default());
    let sums = DaySums {
        conversations: 2,
        messages: 3,
        answers: 2,
        unanswered: 1,
        leads: 1,
        input_tokens: 14,
        output_tokens: 6,
        cost_nanos: 5,
        refused: 0,
    };
    assert_eq!((today.day.day(), today.sums), (NOW.day(), sums));
    assert_eq!((tomorrow.sums.conversations, tomorrow.sums.leads), (1, 0));
    let funnel = Funnel { launcher_opened: 1, conversations: 3, lead_form_opened: 0, leads: 1 };
    assert_eq!(overview.funnel, funnel);
    assert_eq!(overview.events, [EventCount { event_type: "launcher_open".into(), count: 2 }]);
    let first_token = overview.first_token.unwrap();
    assert_eq!(first_token.answers, 3);
    assert!((350..450).contains(&first_token.median_ms), "{first_token:?}");
    assert_eq!(overview.unanswered[0].question, "hi");
    assert_eq!(store.overview(None, NOW.day(), 1).unwrap().total.conversations, 3);
}

#[test]
fn a_row_that_takes_the_number_of_a_deleted_one_is_counted_and_found_too() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    talk(&store, "demo", NOW, "one", "uno");
    let last = talk(&store, "demo", NOW, "two", "dos");
    store.insert_events(last.clone(), vec![event(None)], 10_000, NOW).unwrap().wait().unwrap();
    catch_up(&store);
    assert!(store.delete_conversation(last.conversation).unwrap());
    let next = talk(&store, "demo", NOW, "three", "tres");
    store.insert_events(next, vec![event(None)], 10_000, NOW).unwrap().wait().unwrap();
    catch_up(&store);
    let total = store.overview(None, NOW.day(), 1).unwrap();
    assert_eq!((total.total.conversations, total.total.answers, total.events[0].count), (3, 3, 2));
    assert_eq!([searched(&store, "two"), searched(&store, "three"), searched(&store, "one")], [0, 1, 1]);
}

#[test]
fn deleting_leaves_the_search_index_whole_whatever_was_in_it() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let old = talk(&store, "demo", NOW, "alpha", "beta");
    catch_up(&store);
    let new = talk(&store, "demo", NOW, "gamma", "delta");
    assert!(store.delete_conversation(old.conversation).unwrap());
    assert!(store.delete_conversation(new.conversation).unwrap());
    assert!(!store.delete_conversation(new.conversation).unwrap(), "it is gone");
    execute(&store, "insert into message_search (message_search, rank) values ('integrity-check', 1)");
    talk(&store, "demo", NOW, "alpha", "omega");
    catch_up(&store);
    execute(&store, "insert into message_search (message_search, rank) values ('integrity-check', 1)");
    assert_eq!((searched(&store, "alpha"), searched(&store, "gamma"), count(&store, "messages")), (1, 0, 2));
}

#[test]
fn pages_follow_each_other_without_a_gap_or_a_repetition() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    // Many of one moment: the order among them is by id.
    let mut all: Vec<_> = (0..25).map(|n| talk(&store, "demo", later(n / 5), "hi", "hello").conversation).collect();
    talk(&store, "other", NOW, "hi", "hello");
    let filter = ConversationFilter { agent: Some(agent("demo")), ..Default::default() };
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.conversations(&filter, after, 7).unwrap();
        seen.extend(page.rows.iter().map(|row| row.id));
        assert!(page.rows.len() <= 7);
        let Some(next) = page.next else { break };
        after = Some(ConversationKey::parse(&next.to_string()).unwrap());
        assert_eq!(after, Some(next));
    }
    all.sort();
    all.reverse();
    assert!(seen.is_sorted_by(|a, b| a > b));
    assert_eq!(seen, all);
}

#[test]
fn a_list_has_only_what_was_asked_for() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let a = talk(&store, "demo", later(1), "Where is my REFUND?", "I don't know").conversation;
    let lead_speaker = talk(&store, "demo", later(2), "Grüße aus Köln", "hello");
    let b = lead_speaker.conversation;
    let c = talk(&store, "other", later(3), "refunds", "hello").conversation;
    let silent = Speaker { conversation: ConversationId::new(later(9)), ..speaker() };
    store.insert_events(silent, vec![event(None)], 10_000, later(9)).unwrap().wait().unwrap();
    store.upsert_lead(lead_speaker, LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap();
    execute(
        &store,
        "update messages set is_unanswered = 1 where content = 'I don''t know';
         update conversations set is_unanswered = 1 where id in
             (select conversation_id from messages where is_unanswered = 1);",
    );
    catch_up(&store);
    let all = ConversationFilter::default();
    let search = |text: &str| ConversationFilter { search: Some(text.into()), ..all.clone() };
    let period = |since: u64, until: u64| crate::store::Period { since: Some(later(since)), until: Some(later(until)) };
    for (filter, expected) in [
        (all.clone(), vec![c, b, a]),
        (ConversationFilter { agent: Some(agent("demo")), ..all.clone() }, vec![b, a]),
        (ConversationFilter { unanswered: true, ..all.clone() }, vec![a]),
        (ConversationFilter { with_lead: true, ..all.clone() }, vec![b]),
        (ConversationFilter { period: period(2, 3), ..all.clone() }, vec![b]),
        (search("refund"), vec![c, a]),
        (search("my refund"), vec![a]),
        (search("koln"), vec![b]),
        (search("hello AND refund"), vec![]),
        (search("\"' OR 1=1 --"), vec![]),
        (search("?!"), vec![]),
        (ConversationFilter { with_lead: true, ..search("hello") }, vec![b]),
        (ConversationFilter { with_lead: true, ..search("refund") }, vec![]),
        (ConversationFilter { agent: Some(agent("other")), unanswered: true, ..search("refund") }, vec![]),
    ] {
        assert_eq!(found(&store, &filter), expected, "{filter:?}");
    }
    let row = &store.conversations(&search("koln"), None, 1).unwrap().rows[0];
    assert_eq!((row.messages, row.first_question.as_str(), row.input_tokens), (2, "Grüße aus Köln", 7));
    assert_eq!(row.lead_email.as_deref(), Some("ann@example.com"));
}

#[test]
fn a_conversation_is_shown_with_all_that_belongs_to_it() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let speaker = talk(&store, "demo", NOW, "hi", "hello");
    store.insert_events(speaker.clone(), vec![event(None)], 10_000, NOW).unwrap().wait().unwrap();
    store.upsert_lead(speaker.clone(), LeadId::new(NOW), lead("ann@example.com"), nobody(), NOW).wait().unwrap();
    let view = store.conversation(speaker.conversation).unwrap().unwrap();
    assert_eq!(view.visitor_id, speaker.visitor);
    let said: Vec<_> = view.messages.iter().map(|message| (message.role, message.content.as_str())).collect();
    assert_eq!(said, [(Role::User, "hi"), (Role::Assistant, "hello")]);
    assert_eq!((view.input_tokens, view.events.len(), view.leads[0].email.as_str()), (7, 1, "ann@example.com"));
    assert!(store.conversation(ConversationId::new(NOW)).unwrap().is_none());
}

#[test]
fn leads_are_listed_newest_first_and_carry_the_owners_words() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let add = |email: &str, seconds: u64, name: &str| {
        let new = NewLead { name: Some(name.into()), ..lead(email) };
        store.upsert_lead(speaker(), LeadId::new(later(seconds)), new, nobody(), later(seconds)).wait().unwrap().id
    };
    let ann = add("ann@example.com", 1, "Ann");
    let bob = add("bob@example.com", 2, "Özdemir 100%");
    let cid = add("cid@example.org", 3, "Cid");
    assert!(store.set_lead_status_and_note(bob, LeadStatus::Won, "called".into()).wait().unwrap());
    assert!(!store.set_lead_status_and_note(LeadId::new(NOW), LeadStatus::Won, String::new()).wait().unwrap());
    let all = LeadFilter::default();
    let search = |text: &str| LeadFilter { search: Some(text.into()), ..all.clone() };
    let ids = |filter: &LeadFilter| -> Vec<_> {
        store.leads(filter, None, 50).unwrap().rows.iter().map(|row| row.id).collect()
    };
    let period = crate::store::Period { since: Some(later(2)), until: Some(later(3)) };
    for (filter, expected) in [
        (all.clone(), vec![cid, bob, ann]),
        (LeadFilter { status: Some(LeadStatus::Won), ..all.clone() }, vec![bob]),
        (LeadFilter { agent: Some(agent("other")), ..all.clone() }, vec![]),
        (LeadFilter { period, ..all.clone() }, vec![bob]),
        (search("EXAMPLE.COM"), vec![bob, ann]),
        (search("özdemir"), vec![bob]),
        (search("100%"), vec![bob]),
        (search("%"), vec![bob]),
        (search("_"), vec![]),
    ] {
        assert_eq!(ids(&filter), expected, "{filter:?}");
    }
    let page = store.leads(&all, None, 2).unwrap();
    assert_eq!((page.rows.len(), page.next), (2, Some(bob)));
    let rest = store.leads(&all, page.next, 2).unwrap();
    assert_eq!((rest.rows.len(), rest.rows[0].id, rest.next), (1, ann, None));
    let row = store.lead(bob).unwrap().unwrap();
    assert_eq!((row.status, row.note.as_str()), (LeadStatus::Won, "called"));
}

#[test]
fn refusals_are_counted_by_code_and_origin_and_survive_a_failed_write() {
    let scratch = Scratch::new();
    let store = open(&scratch);
    let demo = agent("demo");
    for number in 0..300 {
        store.refusals().count(Some(&demo), NOW.day(), "origin_not_allowed");
        store.refusals().count_origin(Some(&demo), NOW.day(), &format!("https://{}.example", number % 250));
    }
    store.refusals().count(None, NOW.day(), "agent_not_found");
    catch_up(&store);
    store.refusals().count_origin(Some(&demo), NOW.day(), "https://late.example");
    catch_up(&store);
    let overview = store.overview(None, NOW.day(), 1).unwrap();
    let refused: Vec<_> = overview.refused.iter().map(|refusal| (refusal.code.as_str(), refusal.count)).collect();
    assert_eq!(refused, [("origin_not_allowed", 300), ("agent_not_found", 1)]);
    assert_eq!(overview.refused_origins[0].origin, "*");
    assert_eq!(count(&store, "day_refused_origins"), 201);
    store.close();
    store.refusals().count(None, NOW.day(), "agent_not_found");
    assert!(matches!(store.catch_up(), Err(StoreError::Closed)));
    assert!(!store.refusals().take().is_empty());
}
