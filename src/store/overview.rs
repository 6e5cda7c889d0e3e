//! What the owner sees at a glance, from the sums of each day: nothing here goes through messages or events.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use serde::Serialize;

use super::filter::Query;
use super::histogram::quantile_ms;
use super::{Store, StoreError, unsigned};
use crate::domain::id::{AgentId, ConversationId};
use crate::domain::time::Timestamp;

/// Refused origins that are told, those with most requests.
const ORIGINS_MAX: u32 = 50;
/// Questions without an answer that are told, the newest ones.
const UNANSWERED_MAX: u32 = 20;
/// Answers that are looked at for them: those of one agent may be rare among those of others.
const UNANSWERED_LOOKED_AT_MAX: u32 = 1000;
const TEXT_CHARS_MAX: u32 = 300;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Overview {
    /// One for each day, also without anything, oldest first.
    pub(crate) days: Vec<DayRow>,
    /// Of all these days.
    pub(crate) total: DaySums,
    pub(crate) funnel: Funnel,
    /// None: there was no answer.
    pub(crate) first_token: Option<FirstToken>,
    /// By the code of the API's error, most first.
    pub(crate) refused: Vec<Refusal>,
    pub(crate) refused_origins: Vec<RefusedOrigin>,
    /// Questions whose answer did not know, newest first.
    pub(crate) unanswered: Vec<UnansweredQuestion>,
    /// By type, most first.
    pub(crate) events: Vec<EventCount>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DayRow {
    /// When the UTC day begins.
    pub(crate) day: Timestamp,
    #[serde(flatten)]
    pub(crate) sums: DaySums,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct DaySums {
    /// In which the visitor wrote for the first time.
    pub(crate) conversations: u64,
    /// Of visitors.
    pub(crate) messages: u64,
    pub(crate) answers: u64,
    /// Answers that did not know.
    pub(crate) unanswered: u64,
    pub(crate) leads: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// What the ceilings go by: charged, or reserved for an answer that is being generated.
    pub(crate) cost_nanos: i64,
    /// Requests, for whatever reason.
    pub(crate) refused: u64,
}

/// Of how many visits what came of them. Each counts once in a conversation; leads count once in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Funnel {
    pub(crate) launcher_opened: u64,
    pub(crate) conversations: u64,
    pub(crate) lead_form_opened: u64,
    pub(crate) leads: u64,
}

/// From the acceptance of a question to the first word of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct FirstToken {
    pub(crate) answers: u64,
    pub(crate) median_ms: u64,
    pub(crate) p95_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RefusedOrigin {
    /// Empty: of a preflight, or of an agent that there is not.
    pub(crate) agent_id: String,
    /// Empty: the request named none. Else as it was sent, or `*` for all others of days that had very many.
    pub(crate) origin: String,
    pub(crate) count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct EventCount {
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct UnansweredQuestion {
    pub(crate) agent_id: String,
    pub(crate) conversation_id: ConversationId,
    pub(crate) question: String,
    pub(crate) answer: String,
    pub(crate) answered_at: Timestamp,
}

impl Store {
    /// The last `days` UTC days, `today` (see [`Timestamp::day`]) included, of one agent or of all. What happened in the
    /// last seconds may not be in it yet.
    pub(crate) fn overview(&self, agent: Option<&AgentId>, today: i64, days: u32) -> Result<Overview, StoreError> {
        let range = Range { agent, first: today.saturating_sub(i64::from(days.max(1)) - 1), last: today };
        self.read(|connection| {
            let mut gathered = Gathered::new(&range);
            range.counts(connection, |day, name, count| gathered.add(day, name, count))?;
            range.costs(connection, |day, nanos| gathered.add_cost(day, nanos))?;
            let origins = range.origins(connection)?;
            Ok(gathered.overview(origins, unanswered(connection, &range)?))
        })
    }
}

/// Which days, and whose.
struct Range<'a> {
    agent: Option<&'a AgentId>,
    first: i64,
    last: i64,
}

impl Range<'_> {
    fn query(&self, sql: &str) -> Query {
        let mut query = Query::new(sql, vec![self.first.into(), self.last.into()]);
        query.and_agent("agent_id", self.agent);
        query
    }

    fn counts(&self, connection: &Connection, mut add: impl FnMut(i64, &str, i64)) -> Result<(), StoreError> {
        let query = self.query("select day, name, count from day_counts where day between ? and ?");
        let mut statement = connection.prepare_cached(&query.sql)?;
        let mut rows = statement.query(params_from_iter(&query.values))?;
        while let Some(row) = rows.next()? {
            add(row.get(0)?, &row.get::<_, String>(1)?, row.get(2)?);
        }
        Ok(())
    }

    fn costs(&self, connection: &Connection, mut add: impl FnMut(i64, i64)) -> Result<(), StoreError> {
        let query = self.query("select day, cost_nanos from agent_days where day between ? and ?");
        let mut statement = connection.prepare_cached(&query.sql)?;
        let mut rows = statement.query(params_from_iter(&query.values))?;
        while let Some(row) = rows.next()? {
            add(row.get(0)?, row.get(1)?);
        }
        Ok(())
    }

    fn origins(&self, connection: &Connection) -> Result<Vec<RefusedOrigin>, StoreError> {
        let mut query = self
            .query("select agent_id, origin, sum(count) as total from day_refused_origins where day between ? and ?");
        query.sql.push_str(" group by agent_id, origin");
        let query = query.ordered("total desc, agent_id, origin", ORIGINS_MAX);
        let mut statement = connection.prepare_cached(&query.sql)?;
        let rows = statement.query_map(params_from_iter(&query.values), |row| {
            Ok(RefusedOrigin { agent_id: row.get(0)?, origin: row.get(1)?, count: unsigned(row.get(2)?) })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The counts, sorted out.
struct Gathered {
    days: Vec<DayRow>,
    funnel: Funnel,
    first_token: BTreeMap<i64, u64>,
    refused: BTreeMap<String, u64>,
    events: BTreeMap<String, u64>,
}

impl Gathered {
    fn new(range: &Range<'_>) -> Self {
        let days =
            (range.first..=range.last).map(|day| DayRow { day: Timestamp::of_day(day), sums: DaySums::default() });
        Self {
            days: days.collect(),
            funnel: Funnel::default(),
            first_token: BTreeMap::new(),
            refused: BTreeMap::new(),
            events: BTreeMap::new(),
        }
    }

    fn day(&mut self, day: i64) -> Option<&mut DaySums> {
        let first = self.days.first()?.day.day();
        let place = usize::try_from(day - first).ok()?;
        self.days.get_mut(place).map(|row| &mut row.sums)
    }

    fn add(&mut self, day: i64, name: &str, count: i64) {
        let count = unsigned(count);
        match name.split_once('.') {
            Some(("first_token", bound)) => {
                if let Ok(bound) = bound.parse() {
                    *self.first_token.entry(bound).or_default() += count;
                }
            }
            Some(("event", event_type)) => *self.events.entry(event_type.to_owned()).or_default() += count,
            Some(("funnel", "launcher_open")) => self.funnel.launcher_opened += count,
            Some(("funnel", "lead_form_open")) => self.funnel.lead_form_opened += count,
            Some(("refused", code)) => {
                *self.refused.entry(code.to_owned()).or_default() += count;
                if let Some(sums) = self.day(day) {
                    sums.refused += count;
                }
            }
            _ => {
                if let Some(sum) = self.day(day).and_then(|sums| sums.named(name)) {
                    *sum += count;
                }
            }
        }
    }

    fn add_cost(&mut self, day: i64, nanos: i64) {
        if let Some(sums) = self.day(day) {
            sums.cost_nanos = sums.cost_nanos.saturating_add(nanos);
        }
    }

    fn overview(self, refused_origins: Vec<RefusedOrigin>, unanswered: Vec<UnansweredQuestion>) -> Overview {
        let total = self.days.iter().fold(DaySums::default(), |total, day| total.plus(&day.sums));
        let classes: Vec<_> = self.first_token.into_iter().collect();
        let quantiles = quantile_ms(&classes, 0.5).zip(quantile_ms(&classes, 0.95));
        Overview {
            funnel: Funnel { conversations: total.conversations, leads: total.leads, ..self.funnel },
            total,
            days: self.days,
            first_token: quantiles.map(|(median_ms, p95_ms)| FirstToken {
                answers: classes.iter().map(|(_, count)| count).sum(),
                median_ms,
                p95_ms,
            }),
            refused: most_first(self.refused).map(|(code, count)| Refusal { code, count }).collect(),
            events: most_first(self.events).map(|(event_type, count)| EventCount { event_type, count }).collect(),
            refused_origins,
            unanswered,
        }
    }
}

impl DaySums {
    fn named(&mut self, name: &str) -> Option<&mut u64> {
        Some(match name {
            "conversations" => &mut self.conversations,
            "messages" => &mut self.messages,
            "answers" => &mut self.answers,
            "unanswered" => &mut self.unanswered,
            "leads" => &mut self.leads,
            "input_tokens" => &mut self.input_tokens,
            "output_tokens" => &mut self.output_tokens,
            _ => return None,
        })
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            conversations: self.conversations + other.conversations,
            messages: self.messages + other.messages,
            answers: self.answers + other.answers,
            unanswered: self.unanswered + other.unanswered,
            leads: self.leads + other.leads,
            input_tokens: self.input_tokens + other.input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            cost_nanos: self.cost_nanos.saturating_add(other.cost_nanos),
            refused: self.refused + other.refused,
        }
    }
}

fn most_first(counts: BTreeMap<String, u64>) -> impl Iterator<Item = (String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter()
}

fn unanswered(connection: &Connection, range: &Range<'_>) -> Result<Vec<UnansweredQuestion>, StoreError> {
    let values: Vec<Value> = vec![
        TEXT_CHARS_MAX.into(),
        TEXT_CHARS_MAX.into(),
        UNANSWERED_LOOKED_AT_MAX.into(),
        Timestamp::of_day(range.first).ms().into(),
        Timestamp::of_day(range.last.saturating_add(1)).ms().into(),
    ];
    let mut query = Query::new(
        "select c.agent_id, c.id, substr(q.content, 1, ?), substr(a.content, 1, ?), a.created_at_ms
         from (select * from messages where is_unanswered = 1 order by seq desc limit ?) a
         cross join messages q on q.id = a.question_id
         cross join conversations c on c.id = a.conversation_id
         where a.created_at_ms >= ? and a.created_at_ms < ?",
        values,
    );
    query.and_agent("c.agent_id", range.agent);
    let query = query.ordered("a.seq desc", UNANSWERED_MAX);
    let mut statement = connection.prepare_cached(&query.sql)?;
    let rows = statement.query_map(params_from_iter(&query.values), question)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn question(row: &Row<'_>) -> rusqlite::Result<UnansweredQuestion> {
    Ok(UnansweredQuestion {
        agent_id: row.get(0)?,
        conversation_id: ConversationId::from_bytes(row.get(1)?),
        question: row.get(2)?,
        answer: row.get(3)?,
        answered_at: Timestamp::from_ms(row.get(4)?),
    })
}
