//! Whole turns, with a real store and the builtin model.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::*;
use crate::clock;
use crate::domain::agent::sample;
use crate::domain::conversation::{FinishReason, Page, Role, Status};
use crate::domain::id::{ConversationId, VisitorId};
use crate::domain::scratch::Scratch;
use crate::model::Link;
use crate::store::{FaqIndex, Settings, Speaker};

struct Room {
    chat: Chat,
    store: Store,
    assistant: Assistant,
    faq: FaqIndex,
    speaker: Speaker,
    _scratch: Scratch,
}

impl Room {
    fn open(change: impl FnOnce(&mut Agent)) -> Self {
        let scratch = Scratch::new();
        let settings = Settings { folder: scratch.path().to_owned(), readers: 1, free_disk_floor_bytes: 0 };
        let store = Store::open(&settings).unwrap();
        let mut agent = sample();
        change(&mut agent);
        let agent = Arc::new(agent);
        let speaker = Speaker {
            agent: agent.id().clone(),
            visitor: VisitorId::new(),
            conversation: ConversationId::new(clock::now()),
        };
        Self {
            chat: Chat::new(store.clone(), clock::now()).unwrap(),
            faq: FaqIndex::build(std::slice::from_ref(&agent)).unwrap(),
            assistant: Assistant {
                agent,
                chain: Arc::new(Chain::new(vec![Arc::new(Link::builtin())])),
                context_tokens: 0,
                prices: Prices::default(),
                all_agents: Ceilings::default(),
                subscribers: Subscribers::default(),
            },
            store,
            speaker,
            _scratch: scratch,
        }
    }

    fn accept(&self, content: &str, client_id: Option<&str>) -> Result<Acceptance, Refusal> {
        let message = NewMessage {
            content: content.into(),
            client_message_id: client_id.map(str::to_owned),
            page: Page::default(),
        };
        self.chat.accept(&self.assistant, &self.faq, self.speaker.clone(), message, clock::now())
    }

    fn turn(&self, content: &str, client_id: Option<&str>) -> Box<Accepted> {
        match self.accept(content, client_id) {
            Ok(Acceptance::Turn(accepted)) => accepted,
            Ok(Acceptance::Replay(_)) => panic!("replayed"),
            Err(refusal) => panic!("{refusal}"),
        }
    }

    /// What the client is told, in short; it leaves when `leaves` says so.
    fn generate(&self, accepted: Accepted, leaves: impl Fn(&str) -> bool + 'static) -> Vec<String> {
        let told = Rc::new(RefCell::new(Vec::new()));
        let emit: Emit = {
            let told = told.clone();
            Rc::new(move |event| {
                let word = match event {
                    TurnEvent::Started(_) => "started".to_owned(),
                    TurnEvent::Text(said) => said.text().to_owned(),
                    TurnEvent::Tick => return ControlFlow::Continue(()),
                    TurnEvent::Done(done) => format!("done {}", done.remaining.messages_remaining),
                    TurnEvent::Failed(failure) => format!("failed: {failure}"),
                };
                let is_leaving = leaves(&word);
                told.borrow_mut().push(word);
                if is_leaving { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        self.chat.generate(accepted, &emit);
        drop(emit);
        Rc::into_inner(told).unwrap().into_inner()
    }

    fn messages(&self) -> Vec<(Role, String, Option<Status>)> {
        let messages = self.store.recent_messages(self.speaker.conversation, 30).unwrap();
        messages.into_iter().map(|message| (message.role, message.content, message.status)).collect()
    }
}

#[test]
fn a_turn_is_started_said_stored_and_done() {
    let room = Room::open(|_| {});
    let accepted = room.turn("What does it cost?", None);
    assert_eq!(room.generate(*accepted, |_| false), ["started", "Nothing.", "done 59"]);
    assert_eq!(
        room.messages(),
        [(Role::User, "What does it cost?".into(), None), (Role::Assistant, "Nothing.".into(), Some(Status::Complete)),]
    );
}

#[test]
fn a_conversation_is_answered_once_at_a_time_and_a_dropped_turn_gives_everything_back() {
    let room = Room::open(|agent| agent.budget.agent.day.tokens = Some(1000));
    let accepted = room.turn("one", None);
    assert!(matches!(room.accept("two", None), Err(Refusal::InProgress)));
    let elsewhere = Speaker { conversation: ConversationId::new(clock::now()), ..room.speaker.clone() };
    let message = NewMessage { content: "hi".into(), client_message_id: None, page: Page::default() };
    let refused = room.chat.accept(&room.assistant, &room.faq, elsewhere, message, clock::now());
    assert!(matches!(refused, Err(Refusal::AgentBudget { .. })), "the day's tokens are reserved");
    drop(accepted);
    room.turn("two", None);
}

#[test]
fn a_client_that_leaves_has_stored_what_it_was_told() {
    let room = Room::open(|agent| agent.faq[1].answer = "one two three four".into());
    let accepted = room.turn("What does it cost?", None);
    let said = "one two three four"; // of which the client may have read some before it left
    assert_eq!(room.generate(*accepted, move |word| word == said), ["started", said]);
    assert_eq!(room.messages()[1], (Role::Assistant, said.into(), Some(Status::Partial)));
    room.turn("and now?", None);
}

#[test]
fn the_same_client_id_is_answered_from_storage_and_another_content_is_refused() {
    let room = Room::open(|_| {});
    let accepted = room.turn("What does it cost?", Some("c1"));
    room.generate(*accepted, |_| false);
    let Ok(Acceptance::Replay(replay)) = room.accept("What does it cost?", Some("c1")) else { panic!("asked again") };
    assert_eq!((replay.answer.content.as_str(), replay.finish_reason), ("Nothing.", FinishReason::Stop));
    assert!(matches!(room.accept("something else", Some("c1")), Err(Refusal::Mismatch)));
}

#[test]
fn a_question_that_was_never_answered_is_asked_again_as_the_same_message() {
    let room = Room::open(|agent| agent.budget.messages = 1);
    let first = room.turn("What does it cost?", Some("c1"));
    let id = first.question.id;
    // It leaves before the first word: nothing is stored but the question.
    assert_eq!(room.generate(*first, |word| word == "started"), ["started"]);
    assert_eq!(room.messages().len(), 1);
    let again = room.turn("What does it cost?", Some("c1"));
    assert_eq!(again.question.id, id);
    assert_eq!(room.generate(*again, |_| false), ["started", "Nothing.", "done 0"]);
    assert!(matches!(room.accept("more", None), Err(Refusal::ConversationBudget { .. })));
}

#[test]
fn a_server_that_stops_ends_its_answers_and_says_so() {
    let room = Room::open(|agent| agent.faq[1].answer = "one two three".into());
    let accepted = room.turn("What does it cost?", None);
    room.chat.stop();
    assert_eq!(room.generate(*accepted, |_| false), ["started", "failed: the server is shutting down"]);
}

#[test]
fn a_message_that_cannot_be_stored_is_not_announced() {
    let room = Room::open(|_| {});
    room.store.close();
    let accepted = room.turn("What does it cost?", None);
    assert_eq!(room.generate(*accepted, |_| false), ["failed: the database is closed"]);
}
