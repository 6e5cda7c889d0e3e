//! Whether a visitor's message is taken, and what is held for it once it is.

use std::sync::Arc;
use std::time::Duration;

use super::budget;
use super::ledger::{Full, Reservation};
use super::slots::Slot;
use super::unknown::offers_lead;
use super::{Assistant, Chat, HISTORY_MESSAGES_MAX, PAUSED_WAIT, Prices, Remaining, prompt};
use crate::clock;
use crate::domain::agent::{Agent, Budget};
use crate::domain::conversation::{FinishReason, Message, Page, Question, Usage};
use crate::domain::id::{AgentId, MessageId};
use crate::domain::money::Charge;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Subscribers;
use crate::model::{Chain, Prompt};
use crate::store::{Asked, Commit, ConversationState, FaqIndex, NewQuestion, Speaker, Spent, StoreError};

/// What a visitor sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NewMessage {
    pub(crate) content: String,
    pub(crate) client_message_id: Option<String>,
    pub(crate) page: Page,
}

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("an earlier message of this conversation is being answered")]
    InProgress,
    #[error("this client_message_id was used for another content")]
    Mismatch,
    #[error("the conversation's budget is spent")]
    ConversationBudget { wait: Duration },
    /// `says`: what the agent's owner wants visitors to be told.
    #[error("a ceiling of the agent, or of all, is reached")]
    AgentBudget { wait: Duration, says: String },
    #[error("the agent is paused")]
    Paused { says: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(crate) enum Acceptance {
    /// The model is to be asked.
    Turn(Box<Accepted>),
    /// It was asked before: this is the stored answer.
    Replay(Box<Replay>),
}

/// A message that is taken: its slot and its reservation are given back when this is dropped.
pub(crate) struct Accepted {
    pub(super) agent: Arc<Agent>,
    pub(super) chain: Arc<Chain>,
    pub(super) subscribers: Subscribers,
    pub(super) prompt: Prompt,
    pub(super) speaker: Speaker,
    pub(super) question: Question,
    pub(super) answer_id: MessageId,
    pub(super) input_tokens: u64,
    pub(super) commit: Commit<()>,
    pub(super) tally: Tally,
    /// By the clock that never steps.
    pub(super) accepted_at: Duration,
    pub(super) prices: Prices,
    /// What this question was charged before, when it is asked again.
    pub(super) charged_before: Charge,
    /// What it may cost, and the day that it is reserved in.
    pub(super) reserved: Charge,
    pub(super) asked_on: i64,
    pub(super) reservation: Reservation,
    pub(super) slot: Slot,
}

/// A stored answer, and what is left of the budget.
pub(crate) struct Replay {
    pub(crate) question: Question,
    pub(crate) answer: Message,
    pub(crate) finish_reason: FinishReason,
    pub(crate) usage: Usage,
    pub(crate) remaining: Remaining,
    pub(crate) offers_lead: bool,
}

/// What the conversation has spent in its window, this turn included.
pub(super) struct Tally {
    budget: Budget,
    spent: Vec<Spent>,
    this: MessageId,
}

impl Tally {
    /// What remains when this turn has been charged `tokens` in all.
    pub(super) fn remaining(mut self, tokens: u64) -> Remaining {
        for spent in self.spent.iter_mut().filter(|spent| spent.question == self.this) {
            spent.tokens = tokens;
        }
        budget::remaining(&self.budget, &self.spent)
    }
}

impl Chat {
    /// Takes `message` into the conversation of `speaker`, or refuses it. What is taken is on its way to the disk when
    /// this returns, and is acknowledged only after its commit.
    pub(crate) fn accept(
        &self,
        assistant: &Assistant,
        faq: &FaqIndex,
        speaker: Speaker,
        message: NewMessage,
        now: Timestamp,
    ) -> Result<Acceptance, Refusal> {
        let budget = &assistant.agent.budget;
        let slot = self.slots.try_take(speaker.conversation).ok_or(Refusal::InProgress)?;
        let mut state = self.store.conversation_state(
            &speaker.agent,
            speaker.conversation,
            message.client_message_id.as_deref(),
            now.minus(budget.window),
            HISTORY_MESSAGES_MAX,
        )?;
        let unanswered = match state.asked.take() {
            None => None,
            Some(asked) if asked.content != message.content => return Err(Refusal::Mismatch),
            Some(Asked { question, charged, answer: None, .. }) => Some((question, charged)),
            Some(Asked { question, answer: Some(answer), .. }) => {
                return Ok(Acceptance::Replay(Box::new(Replay {
                    question,
                    offers_lead: offers_lead(&assistant.agent, &answer.message.content),
                    answer: answer.message,
                    finish_reason: answer.finish_reason,
                    usage: answer.usage,
                    remaining: budget::remaining(budget, &state.spent),
                })));
            }
        };
        let says = |key, wait| says(&assistant.agent, key, now.plus(wait));
        if state.is_paused {
            return Err(Refusal::Paused { says: says("agent_paused", PAUSED_WAIT) });
        }
        let is_stored = unanswered.is_some();
        let (question, charged_before) = unanswered.unwrap_or_else(|| (Question::new(now), Charge::default()));
        let (prompt, input_tokens) = ask(assistant, faq, &state, &message, question.id);
        let cost = assistant.prices.at_most(Usage {
            input_tokens: u32::try_from(input_tokens).unwrap_or(u32::MAX),
            output_tokens: budget.answer_tokens,
        });
        let tally = admitted(budget, state.spent, question, cost.tokens, now)?;
        let reservation = self
            .ledger
            .reserve(assistant.agent.id(), cost, &budget.agent, &assistant.all_agents, now)
            .map_err(|full| {
                warn_of(&full, assistant.agent.id(), now);
                Refusal::AgentBudget { wait: full.wait, says: says("agent_budget_exhausted", full.wait) }
            })?;
        let commit = self.enqueue(&speaker, question, is_stored, message, cost, now);
        Ok(Acceptance::Turn(Box::new(Accepted {
            agent: assistant.agent.clone(),
            chain: assistant.chain.clone(),
            subscribers: assistant.subscribers.clone(),
            prompt,
            speaker,
            question,
            answer_id: MessageId::new(now),
            input_tokens,
            commit,
            tally,
            accepted_at: clock::monotonic(),
            prices: assistant.prices.clone(),
            charged_before,
            reserved: cost,
            asked_on: now.day(),
            reservation,
            slot,
        })))
    }

    /// The question's row, with what is reserved for it; of one that was never answered only the reservation.
    fn enqueue(
        &self,
        speaker: &Speaker,
        question: Question,
        is_stored: bool,
        message: NewMessage,
        reserved: Charge,
        now: Timestamp,
    ) -> Commit<()> {
        if is_stored {
            return self.store.reask(question.id, &speaker.agent, now, reserved);
        }
        self.store.insert_question(NewQuestion {
            speaker: speaker.clone(),
            id: question.id,
            content: message.content,
            client_message_id: message.client_message_id,
            page: message.page,
            created_at: question.created_at,
            reserved,
        })
    }
}

/// The owner hears once a period that visitors are turned away.
fn warn_of(full: &Full, agent: &AgentId, now: Timestamp) {
    let until = now.plus(full.wait);
    if full.agents_is_new {
        tracing::warn!(%agent, %until, "a ceiling of the agent is reached: its visitors get no answers");
    }
    if full.alls_is_new {
        tracing::warn!(%until, "a ceiling of all agents together is reached: visitors get no answers");
    }
}

/// The widget's own words for this, which the owner may have changed; `{n}` stands for when it is over.
fn says(agent: &Agent, key: &str, end: Timestamp) -> String {
    agent.appearance.strings.get(key).map(|text| text.replace("{n}", &end.to_string())).unwrap_or_default()
}

/// The prompt, and an estimate of its tokens.
fn ask(
    assistant: &Assistant,
    faq: &FaqIndex,
    state: &ConversationState,
    message: &NewMessage,
    question: MessageId,
) -> (Prompt, u64) {
    const FAQ_HITS: usize = 5;
    let hits = faq.search(assistant.agent.id(), &message.content, FAQ_HITS);
    // A question that is asked again stands in the history already.
    let history: Vec<&Message> = state.history.iter().filter(|earlier| earlier.id != question).collect();
    let prompt = prompt::build(&assistant.agent, &history, &message.content, &hits, assistant.context_tokens);
    let input_tokens = prompt::input_tokens(&prompt);
    (prompt, input_tokens)
}

/// Checks the conversation's budget, and adds this turn to what is spent. A question that is asked again counts as the
/// one message that it is, and keeps what it was charged before.
fn admitted(
    budget: &Budget,
    mut spent: Vec<Spent>,
    question: Question,
    cost: u64,
    now: Timestamp,
) -> Result<Tally, Refusal> {
    let place = spent.iter().position(|spent| spent.question == question.id);
    let own = place.map(|place| spent.remove(place));
    let tokens = own.map_or(0, |own| own.tokens) + cost;
    budget::admit(budget, &spent, tokens, now).map_err(|wait| Refusal::ConversationBudget { wait })?;
    spent.push(Spent { question: question.id, at: now, tokens });
    Ok(Tally { budget: budget.clone(), spent, this: question.id })
}
