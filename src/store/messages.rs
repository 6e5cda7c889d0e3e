//! `messages`: what was said, in order, and what it cost.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::conversations::{Speaker, touch};
use super::{Commit, Store, StoreError, budgets, pauses, signed, unsigned, webhooks};
use crate::domain::conversation::{FinishReason, Message, Page, Question, Role, Status, Usage};
use crate::domain::id::{AgentId, ConversationId, MessageId};
use crate::domain::money::Charge;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Occasion, Subscribers};

/// A visitor's message, to be stored with what is reserved for its answer.
#[derive(Clone, Debug)]
pub(crate) struct NewQuestion {
    pub(crate) speaker: Speaker,
    pub(crate) id: MessageId,
    pub(crate) content: String,
    pub(crate) client_message_id: Option<String>,
    pub(crate) page: Page,
    pub(crate) created_at: Timestamp,
    pub(crate) reserved: Charge,
}

/// How a question ended, to be stored. Without content there was no answer: only the cost is settled.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) conversation: ConversationId,
    pub(crate) agent: AgentId,
    pub(crate) question: MessageId,
    pub(crate) id: MessageId,
    pub(crate) content: String,
    pub(crate) status: Status,
    pub(crate) finish_reason: FinishReason,
    pub(crate) usage: Usage,
    /// The model that answered; empty: none did to the end.
    pub(crate) model: String,
    pub(crate) created_at: Timestamp,
    /// What the question has cost in all: replaces what was reserved for it.
    pub(crate) charged: Charge,
    /// Of this time alone: the day on which it was asked, what was reserved then and what was used.
    pub(crate) asked_on: i64,
    pub(crate) reserved: Charge,
    pub(crate) used: Charge,
    /// From the question's acceptance to the first word; none: there was no word.
    pub(crate) first_token: Option<Duration>,
    /// It says that it does not know.
    pub(crate) is_unanswered: bool,
}

/// A question that the client sent before, under the same id of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) question: Question,
    pub(crate) content: String,
    pub(crate) charged: Charge,
    /// None: its answer failed before the first word, or the server was killed.
    pub(crate) answer: Option<Answered>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) message: Message,
    pub(crate) finish_reason: FinishReason,
    pub(crate) usage: Usage,
}

/// What one question has cost, or may yet cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) question: MessageId,
    pub(crate) at: Timestamp,
    pub(crate) tokens: u64,
}

/// All that accepting a message needs to know of its conversation, as of one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConversationState {
    pub(crate) asked: Option<Asked>,
    /// One for each question after the window's start, oldest first. What a clock that stepped back left in the
    /// future counts too.
    pub(crate) spent: Vec<Spent>,
    /// The newest messages, oldest first.
    pub(crate) history: Vec<Message>,
    /// Its agent answers nobody for now.
    pub(crate) is_paused: bool,
}

impl Store {
    /// The newest `limit` messages, oldest first.
    pub(crate) fn recent_messages(&self, conversation: ConversationId, limit: u32) -> Result<Vec<Message>, StoreError> {
        self.read(|connection| recent(connection, conversation, limit))
    }

    /// The question with this client id, the costs since `window_start` and the newest `history_max` messages.
    pub(crate) fn conversation_state(
        &self,
        agent: &AgentId,
        conversation: ConversationId,
        client_message_id: Option<&str>,
        window_start: Timestamp,
        history_max: u32,
    ) -> Result<ConversationState, StoreError> {
        self.read(|connection| {
            Ok(ConversationState {
                asked: match client_message_id {
                    Some(client_id) => asked(connection, conversation, client_id)?,
                    None => None,
                },
                spent: spent(connection, conversation, window_start)?,
                history: recent(connection, conversation, history_max)?,
                is_paused: pauses::is_paused(connection, agent)?,
            })
        })
    }

    /// Stores a visitor's message, and its visitor and conversation if they are new.
    pub(crate) fn insert_question(&self, question: NewQuestion) -> Commit<()> {
        self.write(move |connection| {
            let NewQuestion { speaker, id, content, client_message_id, page, created_at, reserved } = question;
            touch(connection, &speaker, created_at)?;
            connection
                .prepare_cached(
                    "insert into messages (id, conversation_id, role, content, created_at_ms, client_message_id,
                                           charged_tokens, charged_nanos, charged_at_ms, page_url, page_title,
                                           page_referrer)
                     values (?1, ?2, 'user', ?3, ?4, ?5, ?6, ?7, ?4, ?8, ?9, ?10)",
                )?
                .execute(params![
                    id.as_bytes(),
                    speaker.conversation.as_bytes(),
                    content,
                    created_at.ms(),
                    client_message_id,
                    signed(reserved.tokens),
                    signed(reserved.nanos),
                    page.url,
                    page.title,
                    page.referrer,
                ])?;
            budgets::recharge(connection, &speaker.agent, created_at.day(), Charge::default(), reserved)
        })
    }

    /// Reserves once more for a question that was never answered.
    pub(crate) fn reask(&self, question: MessageId, agent: &AgentId, now: Timestamp, reserved: Charge) -> Commit<()> {
        let agent = agent.clone();
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "update messages set charged_tokens = charged_tokens + ?2,
                                         charged_nanos = coalesce(charged_nanos, 0) + ?3, charged_at_ms = ?4
                     where id = ?1",
                )?
                .execute(params![question.as_bytes(), signed(reserved.tokens), signed(reserved.nanos), now.ms()])?;
            budgets::recharge(connection, &agent, now.day(), Charge::default(), reserved)
        })
    }

    /// What the questions of a conversation have cost, and may yet cost.
    #[cfg(test)]
    pub(super) fn conversation_charge(&self, conversation: ConversationId) -> Result<Charge, StoreError> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "select coalesce(sum(charged_tokens), 0), coalesce(sum(charged_nanos), 0) from messages
                 where conversation_id = ?1 and role = 'user'",
            )?;
            Ok(statement.query_row([conversation.as_bytes()], |row| charge(row, 0))?)
        })
    }

    /// Stores an answer and settles what its question cost, on the day on which it was asked. The webhooks of
    /// `subscribers` are told of one that does not know.
    pub(crate) fn finish_answer(&self, answer: Answer, subscribers: Subscribers) -> Commit<()> {
        let bell = self.bell_for(&subscribers, &[Occasion::ConversationUnanswered]).filter(|_| answer.is_unanswered);
        let work = move |connection: &Connection| {
            let Some(asked) = asked_for(connection, &answer)? else {
                // It was erased meanwhile, and nothing is stored for it; but what it cost is still to be paid.
                return budgets::recharge(connection, &answer.agent, answer.asked_on, answer.reserved, answer.used);
            };
            if !answer.content.is_empty() {
                insert_answer(connection, &answer)?;
                webhooks::tell_of_unanswered(connection, &subscribers, &answer)?;
            }
            settle(connection, &answer, asked)
        };
        self.write(work).then_ring(bell)
    }
}

fn insert_answer(connection: &Connection, answer: &Answer) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into messages (id, conversation_id, role, content, created_at_ms, question_id, status,
                                   finish_reason, input_tokens, output_tokens, model, first_token_ms, is_unanswered)
             values (?1, ?2, 'assistant', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            answer.id.as_bytes(),
            answer.conversation.as_bytes(),
            answer.content,
            answer.created_at.ms(),
            answer.question.as_bytes(),
            match answer.status {
                Status::Complete => "complete",
                Status::Partial => "partial",
            },
            answer.finish_reason.as_str(),
            answer.usage.input_tokens,
            answer.usage.output_tokens,
            answer.model,
            answer.first_token.map(|wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
            answer.is_unanswered,
        ])?;
    connection
        .prepare_cached("update conversations set active_at_ms = ?2 where id = ?1")?
        .execute(params![answer.conversation.as_bytes(), answer.created_at.ms()])?;
    Ok(())
}

/// What the question is charged with so far, and when it was asked; none: it is gone.
fn asked_for(connection: &Connection, answer: &Answer) -> Result<Option<(Charge, Timestamp)>, StoreError> {
    Ok(connection
        .prepare_cached(
            "select coalesce(charged_tokens, 0), coalesce(charged_nanos, 0), coalesce(charged_at_ms, created_at_ms)
             from messages where id = ?1",
        )?
        .query_row([answer.question.as_bytes()], |row| Ok((charge(row, 0)?, Timestamp::from_ms(row.get(2)?))))
        .optional()?)
}

/// What was reserved gives way to what was used, on the question and in the agent's day.
fn settle(
    connection: &Connection,
    answer: &Answer,
    (reserved, asked_at): (Charge, Timestamp),
) -> Result<(), StoreError> {
    connection
        .prepare_cached("update messages set charged_tokens = ?2, charged_nanos = ?3 where id = ?1")?
        .execute(params![answer.question.as_bytes(), signed(answer.charged.tokens), signed(answer.charged.nanos)])?;
    budgets::recharge(connection, &answer.agent, asked_at.day(), reserved, answer.charged)
}

/// From two columns: tokens and nanos.
fn charge(row: &Row<'_>, column: usize) -> rusqlite::Result<Charge> {
    Ok(Charge { tokens: unsigned(row.get(column)?), nanos: unsigned(row.get(column + 1)?) })
}

fn asked(connection: &Connection, conversation: ConversationId, client_id: &str) -> Result<Option<Asked>, StoreError> {
    let found = connection
        .prepare_cached(
            "select id, created_at_ms, content, coalesce(charged_tokens, 0), coalesce(charged_nanos, 0) from messages
             where conversation_id = ?1 and client_message_id = ?2",
        )?
        .query_row(params![conversation.as_bytes(), client_id], |row| {
            Ok(Asked {
                question: Question {
                    id: MessageId::from_bytes(row.get(0)?),
                    created_at: Timestamp::from_ms(row.get(1)?),
                },
                content: row.get(2)?,
                charged: charge(row, 3)?,
                answer: None,
            })
        })
        .optional()?;
    let Some(mut asked) = found else {
        return Ok(None);
    };
    asked.answer = answer_to(connection, asked.question.id)?;
    Ok(Some(asked))
}

fn answer_to(connection: &Connection, question: MessageId) -> Result<Option<Answered>, StoreError> {
    let answer = connection
        .prepare_cached(
            "select id, role, content, status, created_at_ms, finish_reason, coalesce(input_tokens, 0),
                    coalesce(output_tokens, 0)
             from messages where question_id = ?1",
        )?
        .query_row([question.as_bytes()], |row| {
            Ok(Answered {
                message: message(row)?,
                finish_reason: FinishReason::parse(row.get_ref(5)?.as_str()?).unwrap_or(FinishReason::Stop),
                usage: Usage { input_tokens: row.get(6)?, output_tokens: row.get(7)? },
            })
        })
        .optional()?;
    Ok(answer)
}

fn spent(
    connection: &Connection,
    conversation: ConversationId,
    window_start: Timestamp,
) -> Result<Vec<Spent>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, charged_at_ms, coalesce(charged_tokens, 0) from messages
         where conversation_id = ?1 and role = 'user' and charged_at_ms > ?2 order by seq",
    )?;
    let rows = statement.query_map(params![conversation.as_bytes(), window_start.ms()], |row| {
        Ok(Spent {
            question: MessageId::from_bytes(row.get(0)?),
            at: Timestamp::from_ms(row.get(1)?),
            tokens: unsigned(row.get(2)?),
        })
    })?;
    let mut spent = rows.collect::<Result<Vec<Spent>, _>>()?;
    spent.sort_by_key(|spent| spent.at); // one that was asked again has moved
    Ok(spent)
}

fn recent(connection: &Connection, conversation: ConversationId, limit: u32) -> Result<Vec<Message>, StoreError> {
    let mut statement = connection.prepare_cached(
        "select id, role, content, status, created_at_ms from messages
         where conversation_id = ?1 order by seq desc limit ?2",
    )?;
    let rows = statement.query_map(params![conversation.as_bytes(), limit], message)?;
    let mut messages = rows.collect::<Result<Vec<_>, _>>()?;
    messages.reverse();
    Ok(messages)
}

/// From the columns id, role, content, status, created_at_ms.
fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    let role = match row.get_ref(1)?.as_str()? {
        "user" => Role::User,
        _ => Role::Assistant,
    };
    let status = match row.get_ref(3)?.as_str_or_null()? {
        None => None,
        Some("complete") => Some(Status::Complete),
        Some(_) => Some(Status::Partial),
    };
    Ok(Message {
        id: MessageId::from_bytes(row.get(0)?),
        role,
        content: row.get(2)?,
        status,
        created_at: Timestamp::from_ms(row.get(4)?),
    })
}
