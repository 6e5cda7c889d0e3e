//! A turn as one JSON document.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use rouille::Response;
use serde::Serialize;

use crate::api::limits::{self, Quota};
use crate::api::reply::Reply;
use crate::chat::{Accepted, Chat, Done, Emit, Remaining, Replay, Started, TurnEvent};
use crate::domain::conversation::{FinishReason, Message, Question, Role, Status, Usage};
use crate::domain::id::MessageId;
use crate::domain::time::Timestamp;

#[derive(Serialize)]
struct Answer {
    message: Message,
    user_message: UserMessage,
    finish_reason: FinishReason,
    usage: Usage,
    budget: Remaining,
    offer_lead: bool,
}

#[derive(Serialize)]
struct UserMessage {
    id: MessageId,
    created_at: Timestamp,
}

impl From<Question> for UserMessage {
    fn from(question: Question) -> Self {
        Self { id: question.id, created_at: question.created_at }
    }
}

/// Asks the model and answers once it is done.
pub(super) fn generate(chat: &Chat, accepted: Accepted, reply: Reply, quota: Quota) {
    let waiting = RefCell::new((Some(reply), None::<Started>));
    let emit: Emit = Rc::new(move |event| {
        let (reply, started) = &mut *waiting.borrow_mut();
        match event {
            TurnEvent::Started(start) => *started = Some(start),
            TurnEvent::Text(_) => {}
            TurnEvent::Tick if reply.as_ref().is_some_and(Reply::is_client_gone) => {
                if let Some(reply) = reply.take() {
                    reply.abandon();
                }
                return ControlFlow::Break(());
            }
            TurnEvent::Tick => {}
            TurnEvent::Done(done) => {
                if let (Some(reply), Some(started)) = (reply.take(), started) {
                    reply.send(Ok(answer(done, started.question, quota)));
                }
            }
            TurnEvent::Failed(failure) => {
                if let Some(reply) = reply.take() {
                    reply.send(Err(failure.into()));
                }
            }
        }
        ControlFlow::Continue(())
    });
    chat.generate(accepted, &emit);
}

/// A stored answer.
pub(super) fn replay(replay: Replay, quota: Quota) -> Response {
    respond(
        &Answer {
            message: replay.answer,
            user_message: replay.question.into(),
            finish_reason: replay.finish_reason,
            usage: replay.usage,
            budget: replay.remaining,
            offer_lead: replay.offers_lead,
        },
        quota,
    )
}

fn answer(done: Done, question: Question, quota: Quota) -> Response {
    let message = Message {
        id: done.answer,
        role: Role::Assistant,
        content: done.content,
        status: Some(Status::Complete),
        created_at: done.created_at,
    };
    respond(
        &Answer {
            message,
            user_message: question.into(),
            finish_reason: done.finish_reason,
            usage: done.usage,
            budget: done.remaining,
            offer_lead: done.offers_lead,
        },
        quota,
    )
}

fn respond(answer: &Answer, quota: Quota) -> Response {
    limits::tell(Response::json(answer), &[quota])
}
