//! A turn as Server-Sent Events (WHATWG HTML, "Server-sent events"): `start`, a `token` a piece, `done` or `error`.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use serde::Serialize;

use crate::api::error::{ApiError, whole_seconds};
use crate::api::limits::{self, Quota};
use crate::api::reply::{self, OpenStream, Reply};
use crate::chat::{Accepted, Chat, Done, Emit, Remaining, Replay, Started, TurnEvent};
use crate::domain::conversation::{FinishReason, Usage};
use crate::domain::id::{ConversationId, MessageId};
use crate::domain::pieces::Pieces;
use crate::http::ClientGone;

/// An event's data. It carries the name of the event too, for clients that read data lines alone.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Event<'a> {
    Start {
        conversation_id: ConversationId,
        user_message_id: MessageId,
        message_id: MessageId,
    },
    Token {
        text: &'a str,
    },
    Done {
        message_id: MessageId,
        finish_reason: FinishReason,
        usage: Usage,
        budget: Remaining,
        offer_lead: bool,
    },
    Error {
        code: &'static str,
        title: &'static str,
        detail: String,
        retryable: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    },
}

impl Event<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::Token { .. } => "token",
            Self::Done { .. } => "done",
            Self::Error { .. } => "error",
        }
    }
}

/// Asks the model and streams its answer.
pub(super) fn generate(chat: &Chat, accepted: Accepted, reply: Reply, quota: Quota) {
    let stream = Stream { quota, state: RefCell::new(State::Waiting(reply)) };
    let emit: Emit = Rc::new(move |event| stream.tell(event));
    chat.generate(accepted, &emit);
}

/// Streams a stored answer: as one piece, since it is there.
pub(super) fn replay(replay: Replay, conversation: ConversationId, reply: Reply, quota: Quota) {
    let stream = Stream { quota, state: RefCell::new(State::Waiting(reply)) };
    let started = Started { conversation, question: replay.question, answer: replay.answer.id };
    let done = Done {
        answer: replay.answer.id,
        created_at: replay.answer.created_at,
        finish_reason: replay.finish_reason,
        usage: replay.usage,
        remaining: replay.remaining,
        offers_lead: replay.offers_lead,
        content: String::new(),
    };
    // A client that leaves needs no more of it.
    let _ = stream
        .tell(TurnEvent::Started(started))
        .is_continue()
        .then(|| stream.tell(TurnEvent::Text(&Pieces::from(replay.answer.content.as_str()))))
        .filter(ControlFlow::is_continue)
        .map(|_| stream.tell(TurnEvent::Done(done)));
}

/// Turns the events of a turn into those of the stream. The head leaves with the start: until then a refusal is an
/// ordinary answer.
struct Stream {
    quota: Quota,
    state: RefCell<State>,
}

enum State {
    Waiting(Reply),
    Open(OpenStream),
    Over,
}

impl Stream {
    fn tell(&self, event: TurnEvent<'_>) -> ControlFlow<()> {
        let mut state = self.state.borrow_mut();
        let next = match (std::mem::replace(&mut *state, State::Over), event) {
            (State::Waiting(reply), TurnEvent::Started(started)) => {
                sent(reply.stream(limits::tell(reply::stream_head(), &[self.quota])), [start(started)])
            }
            (State::Waiting(reply), TurnEvent::Failed(failure)) => {
                reply.send(Err(failure.into()));
                State::Over
            }
            (State::Open(stream), TurnEvent::Text(said)) => sent(stream, said.iter().map(|text| Event::Token { text })),
            (State::Open(stream), TurnEvent::Tick) => match stream.events.tick() {
                Ok(()) => State::Open(stream),
                Err(ClientGone) => abandoned(stream),
            },
            (State::Open(stream), TurnEvent::Done(turn)) => ended(stream, &done(&turn)),
            (State::Open(stream), TurnEvent::Failed(failure)) => {
                let error = ApiError::from(failure);
                stream.explain(&error);
                ended(stream, &failed(&error))
            }
            // Nothing else comes: one start first, then texts, then one end.
            (state, _) => state,
        };
        *state = next;
        match *state {
            State::Over => ControlFlow::Break(()),
            State::Waiting(_) | State::Open(_) => ControlFlow::Continue(()),
        }
    }
}

/// The stream after `events`, which leave together, or its end if the client is gone.
fn sent<'a>(stream: OpenStream, events: impl IntoIterator<Item = Event<'a>>) -> State {
    for event in events {
        stream.events.queue(event.name(), &event);
    }
    match stream.events.flush() {
        Ok(()) => State::Open(stream),
        Err(ClientGone) => abandoned(stream),
    }
}

/// The end of the stream, with `event` as the last word.
fn ended(stream: OpenStream, event: &Event<'_>) -> State {
    stream.events.queue(event.name(), event);
    stream.finish();
    State::Over
}

fn abandoned(stream: OpenStream) -> State {
    stream.abandon();
    State::Over
}

fn start(started: Started) -> Event<'static> {
    Event::Start {
        conversation_id: started.conversation,
        user_message_id: started.question.id,
        message_id: started.answer,
    }
}

fn done(done: &Done) -> Event<'static> {
    Event::Done {
        message_id: done.answer,
        finish_reason: done.finish_reason,
        usage: done.usage,
        budget: done.remaining,
        offer_lead: done.offers_lead,
    }
}

fn failed(error: &ApiError) -> Event<'static> {
    let problem = error.problem();
    Event::Error {
        code: problem.code,
        title: problem.title,
        detail: problem.detail,
        retryable: error.is_retryable(),
        retry_after: error.wait().map(whole_seconds),
    }
}
