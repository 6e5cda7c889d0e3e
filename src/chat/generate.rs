//! The heart: asks the model, relays its words, stores the answer.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::accept::Accepted;
use super::cost::Reserved;
use super::unknown::{is_unanswered, offers_lead};
use super::{Chat, Prices, Remaining};
use crate::clock;
use crate::domain::agent::Agent;
use crate::domain::conversation::{FinishReason, Question, Status, Usage};
use crate::domain::id::{ConversationId, MessageId};
use crate::domain::money::Charge;
use crate::domain::pieces::Pieces;
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::model::{Asked, Finished, Listener, ModelError, Update};
use crate::store::{Answer, Commit, StoreError};

/// What the caller is told while an answer is made. One `Started`, then `Text`s, then one `Done` or `Failed`; a `Tick`
/// comes at least each second, between `Text`s too. A failure to store the question comes as `Failed` without `Started`.
pub(crate) enum TurnEvent<'a> {
    /// The visitor's message is committed.
    Started(Started),
    /// Pieces of the answer that came together: at least one, of whole characters.
    Text(&'a Pieces),
    Tick,
    /// The answer is committed.
    Done(Done),
    Failed(Failure),
}

/// Takes an event; `Break` means that the client is gone, so that nothing more need be said or asked.
pub(crate) type Emit = Rc<dyn Fn(TurnEvent<'_>) -> ControlFlow<()>>;

#[derive(Clone, Copy)]
pub(crate) struct Started {
    pub(crate) conversation: ConversationId,
    pub(crate) question: Question,
    pub(crate) answer: MessageId,
}

pub(crate) struct Done {
    pub(crate) answer: MessageId,
    pub(crate) created_at: Timestamp,
    pub(crate) content: String,
    pub(crate) finish_reason: FinishReason,
    pub(crate) usage: Usage,
    pub(crate) remaining: Remaining,
    /// The answer says that its author does not know, and the agent has a form for that.
    pub(crate) offers_lead: bool,
}

/// Why an answer was not finished. What was said of it until then is stored as partial.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Model(ModelError),
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error(transparent)]
    Store(StoreError),
}

impl Chat {
    /// Answers an accepted message, on a thread of its own until the answer is stored.
    pub(crate) fn generate(&self, accepted: Accepted, emit: &Emit) {
        let Accepted { chain, prompt, speaker, question, answer_id, .. } = accepted;
        let turn = Rc::new(Turn {
            started: Started { conversation: speaker.conversation, question, answer: answer_id },
            commit: Cell::new(Some(accepted.commit)),
            text: RefCell::default(),
            spoke_at: Cell::new(None),
            ended: Cell::new(None),
            stopping: self.stopping.clone(),
            emit: emit.clone(),
        });
        let listener: Listener = {
            let turn = turn.clone();
            Rc::new(move |update| turn.hear(update))
        };
        let answer_tokens = u64::from(prompt.answer_tokens_max);
        let reserved = Reserved { input_tokens: accepted.input_tokens, answer_tokens };
        let asked = chain.ask(&prompt, &listener);
        // A chain that fails at once has said nothing: the question is committed and announced all the same. If it
        // cannot be, `ended` says so.
        let _ = turn.begin();
        let content = turn.text.take();
        let (outcome, usage, charge) = conclude(asked, turn.ended.take(), reserved, &accepted.prices);
        let charged = accepted.charged_before.plus(charge);
        let answer = Answer {
            conversation: speaker.conversation,
            agent: speaker.agent,
            question: question.id,
            id: answer_id,
            is_unanswered: outcome.is_ok() && is_unanswered(&accepted.agent, &content),
            first_token: turn.spoke_at.get().map(|at| at.saturating_sub(accepted.accepted_at)),
            content,
            status: if outcome.is_ok() { Status::Complete } else { Status::Partial },
            finish_reason: outcome.as_ref().map_or(FinishReason::Cancelled, |finished| finished.finish_reason),
            usage,
            model: outcome.as_ref().map_or_else(|_| String::new(), |finished| finished.model.clone()),
            created_at: clock::now(),
            charged,
            asked_on: accepted.asked_on,
            reserved: accepted.reserved,
            used: charge,
        };
        let stored = self.store.finish_answer(answer.clone(), accepted.subscribers).wait();
        if let Err(error) = &stored {
            tracing::warn!(%error, "an answer could not be stored");
        }
        metrics::turns().ended(counted_as(&outcome, &stored), answer.first_token, used(usage, charge));
        accepted.reservation.settle(charge);
        // Before the last event: who reads it may send the next message at once.
        drop(accepted.slot);
        let event = match (outcome, stored) {
            (Err(Ended::ClientLeft), _) => return,
            (Err(Ended::Failed(failure)), _) => TurnEvent::Failed(failure),
            (Ok(_), Err(error)) => TurnEvent::Failed(Failure::Store(error)),
            (Ok(_), Ok(())) => TurnEvent::Done(done(answer, &accepted.agent, accepted.tally.remaining(charged.tokens))),
        };
        // A client that left now has its answer stored; there is nothing left to stop.
        let _ = emit(event);
    }
}

/// How the metrics name the end of a turn.
fn counted_as(outcome: &Result<Finished, Ended>, stored: &Result<(), StoreError>) -> &'static str {
    match (outcome, stored) {
        (Err(Ended::ClientLeft), _) => "client_left",
        (Err(Ended::Failed(Failure::Model(_))), _) => "model_failed",
        (Err(Ended::Failed(Failure::ShuttingDown)), _) => "shutting_down",
        (Err(Ended::Failed(Failure::Store(_))), _) | (Ok(_), Err(_)) => "not_stored",
        (Ok(_), Ok(())) => "complete",
    }
}

fn used(usage: Usage, charge: Charge) -> metrics::Used {
    metrics::Used { input_tokens: usage.input_tokens, output_tokens: usage.output_tokens, nanos: charge.nanos }
}

fn done(answer: Answer, agent: &Agent, remaining: Remaining) -> Done {
    Done {
        answer: answer.id,
        created_at: answer.created_at,
        offers_lead: offers_lead(agent, &answer.content),
        content: answer.content,
        finish_reason: answer.finish_reason,
        usage: answer.usage,
        remaining,
    }
}

/// A turn under way, as the model's listener sees it.
struct Turn {
    started: Started,
    /// Until it is waited for.
    commit: Cell<Option<Commit<()>>>,
    /// What the model said.
    text: RefCell<String>,
    /// When it said its first word, by the clock that never steps.
    spoke_at: Cell<Option<Duration>>,
    /// Why this side ended it.
    ended: Cell<Option<Ended>>,
    stopping: Arc<AtomicBool>,
    emit: Emit,
}

enum Ended {
    ClientLeft,
    Failed(Failure),
}

impl Turn {
    fn hear(&self, update: Update<'_>) -> ControlFlow<()> {
        self.begin()?;
        if self.stopping.load(Ordering::Relaxed) {
            return self.end(Ended::Failed(Failure::ShuttingDown));
        }
        match update {
            Update::Waiting => self.tell(TurnEvent::Tick),
            Update::Thought(_) => ControlFlow::Continue(()),
            Update::Text(said) => {
                self.spoke_at.set(self.spoke_at.get().or_else(|| Some(clock::monotonic())));
                // First: of what a client that leaves has read in part, nothing may be missing.
                self.text.borrow_mut().push_str(said.text());
                self.tell(TurnEvent::Text(said))
            }
        }
    }

    /// Once: waits for the question's commit and announces the start.
    fn begin(&self) -> ControlFlow<()> {
        match self.commit.take().map(Commit::wait) {
            None => ControlFlow::Continue(()),
            Some(Ok(())) => self.tell(TurnEvent::Started(self.started)),
            Some(Err(error)) => self.end(Ended::Failed(Failure::Store(error))),
        }
    }

    fn tell(&self, event: TurnEvent<'_>) -> ControlFlow<()> {
        match (self.emit)(event) {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(()) => self.end(Ended::ClientLeft),
        }
    }

    fn end(&self, ended: Ended) -> ControlFlow<()> {
        self.ended.set(Some(ended));
        ControlFlow::Break(())
    }
}

/// What became of the turn, and what it took and cost of all the models that were asked.
fn conclude(
    asked: Asked,
    ended: Option<Ended>,
    reserved: Reserved,
    prices: &Prices,
) -> (Result<Finished, Ended>, Usage, Charge) {
    let reported = asked.answered.as_ref().ok().and_then(|finished| Some((finished, finished.usage?)));
    let believed = reported.map(|(finished, reported)| {
        let (believed, is_less) = reserved.believable(reported);
        if is_less {
            let (input, output) = (reported.input_tokens, reported.output_tokens);
            tracing::warn!(model = finished.model, input, output, "a model reports more tokens than it can have used");
        }
        (believed, prices.of(&finished.model, believed))
    });
    let (believed, known) = believed.unwrap_or_default();
    let estimated = reserved.estimate(asked.unreported);
    // Nobody tells which of the models it was, unless one alone was asked.
    let unknown = match &asked.answered {
        Ok(finished) if asked.unreported.calls == 1 && reported.is_none() => prices.of(&finished.model, estimated),
        _ => prices.at_most(estimated),
    };
    // What this side ended was not said whole, even if the model was done before.
    let outcome = match ended {
        Some(ended) => Err(ended),
        None => asked.answered.map_err(|error| Ended::Failed(Failure::Model(error))),
    };
    (outcome, believed.plus(estimated), known.plus(unknown))
}
