//! What was refused, counted in memory and stored behind the requests: who floods the server with refused requests must not
//! make it write. No address of a client is among it.

use std::collections::HashMap;

use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::StoreError;
use super::day_counts::Sums;
use crate::domain::id::AgentId;

/// Origins of an agent that are told apart in a day; the rest counts as [`OTHERS`].
const ORIGINS_MAX: u32 = 200;
const ORIGIN_CHARS_MAX: usize = 200;
pub(crate) const OTHERS: &str = "*";
/// Refused origins are kept for so many days.
const ORIGINS_KEPT_DAYS: i64 = 90;

/// The refusals since they were last stored.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<Refused>);

#[derive(Clone, Default)]
pub(super) struct Refused {
    /// By agent (empty: of none that there is), day and code. All are of small sets.
    codes: HashMap<(String, i64, &'static str), i64>,
    /// By agent and day.
    origins: HashMap<(String, i64), HashMap<String, i64>>,
}

impl Refusals {
    /// Counts a refusal of a request to `agent`, if it was to one, on `day`.
    pub(crate) fn count(&self, agent: Option<&AgentId>, day: i64, code: &'static str) {
        let agent = agent.map_or("", AgentId::as_str).to_owned();
        *self.0.lock().codes.entry((agent, day, code)).or_default() += 1;
    }

    /// Remembers which origin was refused; empty: the request named none. Before a preflight's request is made it is not
    /// known to which agent it would go.
    pub(crate) fn count_origin(&self, agent: Option<&AgentId>, day: i64, origin: &str) {
        let agent = agent.map_or("", AgentId::as_str).to_owned();
        self.0.lock().add_origin((agent, day), cut(origin), 1);
    }

    pub(super) fn take(&self) -> Refused {
        std::mem::take(&mut self.0.lock())
    }

    /// They could not be stored.
    pub(super) fn give_back(&self, refused: Refused) {
        let mut now = self.0.lock();
        for (key, count) in refused.codes {
            *now.codes.entry(key).or_default() += count;
        }
        for (key, origins) in refused.origins {
            origins.into_iter().for_each(|(origin, count)| now.add_origin(key.clone(), origin, count));
        }
    }
}

impl Refused {
    pub(super) fn is_empty(&self) -> bool {
        self.codes.is_empty() && self.origins.is_empty()
    }

    fn add_origin(&mut self, key: (String, i64), origin: String, count: i64) {
        let origins = self.origins.entry(key).or_default();
        let told_apart = origins.len() - usize::from(origins.contains_key(OTHERS));
        let has_room = told_apart < ORIGINS_MAX as usize || origins.contains_key(&origin);
        *origins.entry(if has_room { origin } else { OTHERS.into() }).or_default() += count;
    }
}

fn cut(origin: &str) -> String {
    origin.chars().take(ORIGIN_CHARS_MAX).collect()
}

/// Adds the codes to the sums, and stores the origins.
pub(super) fn store(connection: &Connection, refused: &Refused, sums: &mut Sums) -> Result<(), StoreError> {
    for ((agent, day, code), count) in &refused.codes {
        sums.add(agent, *day, format!("refused.{code}"), *count);
    }
    for ((agent, day), origins) in &refused.origins {
        for (origin, count) in origins {
            store_origin(connection, agent, *day, origin, *count)?;
        }
        connection
            .prepare_cached("delete from day_refused_origins where agent_id = ?1 and day < ?2")?
            .execute(params![agent, day - ORIGINS_KEPT_DAYS])?;
    }
    Ok(())
}

fn store_origin(connection: &Connection, agent: &str, day: i64, origin: &str, count: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into day_refused_origins (agent_id, day, origin, count)
             select ?1, ?2, case when o.known or o.all_of_day < ?5 then ?3 else ?6 end, ?4
             from (select exists (select 1 from day_refused_origins
                                  where agent_id = ?1 and day = ?2 and origin = ?3) as known,
                          (select count(*) from day_refused_origins where agent_id = ?1 and day = ?2 and origin <> ?6) as all_of_day) o
             where true
             on conflict (agent_id, day, origin) do update set count = count + excluded.count",
        )?
        .execute(params![agent, day, origin, count, ORIGINS_MAX, OTHERS])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_origins_in_a_day_the_rest_counts_as_one() {
        let agent = AgentId::parse("demo").unwrap();
        let refusals = Refusals::default();
        for number in 0..1000 {
            refusals.count_origin(Some(&agent), 7, &format!("https://{number}.example"));
        }
        refusals.count_origin(Some(&agent), 7, "https://3.example");
        refusals.count_origin(Some(&agent), 7, &"x".repeat(1000));
        let refused = refusals.take();
        let origins = &refused.origins[&("demo".to_owned(), 7)];
        assert_eq!(origins.len(), 201);
        assert_eq!(origins["https://3.example"], 2);
        assert_eq!(origins[OTHERS], 801);
        assert!(refusals.take().is_empty());
        refusals.give_back(refused);
        assert_eq!(refusals.take().origins[&("demo".to_owned(), 7)][OTHERS], 801);
    }

    #[test]
    fn an_origin_is_cut() {
        assert_eq!(cut(&"é".repeat(300)).chars().count(), 200);
    }
}
