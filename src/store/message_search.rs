//! `message_search`: the words of all messages, up to the mark. It is fed behind the writes, by [`Store::catch_up`]; what is
//! deleted leaves it before, in the same transaction.
//!
//! [`Store::catch_up`]: super::Store::catch_up

use rusqlite::{Connection, params};

use super::StoreError;
use super::day_counts::{mark, set_mark};
use crate::domain::id::ConversationId;

/// Messages with the words that are looked at, the newest ones: a bound on what a search for a common word costs.
pub(super) const MATCHES_MAX: u32 = 5_000;
/// Words that are searched for; more narrow nothing down.
const WORDS_MAX: usize = 16;
/// Of a shorter word the beginning alone would find too much.
const PREFIX_CHARS_MIN: usize = 3;
pub(super) const MARK: &str = "message_search";

/// Takes the next messages in, and says how many.
pub(super) fn index(connection: &Connection, limit: u32) -> Result<u32, StoreError> {
    let from = mark(connection, MARK)?;
    let (rows, last): (u32, Option<i64>) = connection
        .prepare_cached(
            "select count(*), max(seq) from (select seq from messages where seq > ?1 order by seq limit ?2)",
        )?
        .query_row(params![from, limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some(last) = last {
        connection
            .prepare_cached(
                "insert into message_search (rowid, content)
                 select seq, content from messages where seq > ?1 and seq <= ?2 order by seq",
            )?
            .execute([from, last])?;
        set_mark(connection, MARK, last)?;
    }
    Ok(rows)
}

/// Takes the words of the conversation's first `limit` messages out, which must still be there. What the mark has not come
/// to is not in it. Each takes a millisecond or two: the words are overwritten where they stood.
pub(super) fn leave(connection: &Connection, conversation: ConversationId, limit: u32) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "insert into message_search (message_search, rowid, content)
             select 'delete', seq, content
             from (select seq, content from messages where conversation_id = ?1 order by seq limit ?2)
             where seq <= (select seq from marks where name = 'message_search')",
        )?
        .execute(params![conversation.as_bytes(), limit])?;
    Ok(())
}

/// Writes a part of the index anew, and says whether that was the last: beginnings of words that are gone can stand between
/// its pages until then (the FTS5 page, "The 'merge' command").
pub(super) fn tidy(connection: &Connection, is_first: bool) -> Result<bool, StoreError> {
    const PAGES: i64 = 32;
    let changes = || connection.query_row("select total_changes()", [], |row| row.get::<_, i64>(0));
    let before = changes()?;
    connection
        .prepare_cached("insert into message_search (message_search, rank) values ('merge', ?1)")?
        .execute([if is_first { -PAGES } else { PAGES }])?;
    Ok(changes()? - before < 2)
}

/// What FTS5 is asked for: every word as a phrase in quotes, so that nothing in it is an operator. None: there is no word.
pub(super) fn phrase_query(text: &str) -> Option<String> {
    let words = text.split(|c: char| c.is_whitespace() || c == '"' || c == '\0');
    let phrases = words.filter(|word| word.chars().any(char::is_alphanumeric)).take(WORDS_MAX).map(|word| {
        let is_prefix = word.chars().filter(|c| c.is_alphanumeric()).count() >= PREFIX_CHARS_MIN;
        format!("\"{word}\"{}", if is_prefix { "*" } else { "" })
    });
    let query = phrases.collect::<Vec<_>>().join(" ");
    (!query.is_empty()).then_some(query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_phrases_and_nothing_is_an_operator() {
        for (text, expected) in [
            ("refund", Some("\"refund\"*")),
            ("to be", Some("\"to\" \"be\"")),
            ("a OR b", Some("\"a\" \"OR\" \"b\"")),
            ("NEAR(a b)", Some("\"NEAR(a\"* \"b)\"")),
            ("\"quoted\" content:x*", Some("\"quoted\"* \"content:x*\"*")),
            ("ann@example.com", Some("\"ann@example.com\"*")),
            ("preis für", Some("\"preis\"* \"für\"*")),
            ("", None),
            ("  ?! \"\" ", None),
            ("a\0b", Some("\"a\" \"b\"")),
        ] {
            assert_eq!(phrase_query(text).as_deref(), expected, "{text}");
        }
    }
}
