//! `admin_password` and `admin_sessions`: who may see the admin page. What is stored of either lets nobody in.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::{Commit, Store, StoreError};
use crate::domain::time::Timestamp;

impl Store {
    /// The password's hash in PHC form, if one was set.
    pub(crate) fn admin_password(&self) -> Result<Option<String>, StoreError> {
        self.read(password)
    }

    /// Sets the password and ends every session.
    pub(crate) fn set_admin_password(&self, hash: String, now: Timestamp) -> Commit<()> {
        self.write(move |connection| {
            connection
                .prepare_cached(
                    "insert into admin_password (id, hash, changed_at_ms) values (1, ?1, ?2)
                     on conflict (id) do update set hash = excluded.hash, changed_at_ms = excluded.changed_at_ms",
                )?
                .execute(params![hash, now.ms()])?;
            connection.prepare_cached("delete from admin_sessions")?.execute([])?;
            Ok(())
        })
    }

    /// Begins a session, unless the password has changed since it was compared with `password_hash`: says whether it
    /// did. Sessions that are over go.
    pub(crate) fn begin_admin_session(
        &self,
        token_hash: [u8; 32],
        password_hash: String,
        now: Timestamp,
        lifetime: Duration,
    ) -> Commit<bool> {
        self.write(move |connection| {
            connection.prepare_cached("delete from admin_sessions where expires_at_ms <= ?1")?.execute([now.ms()])?;
            if password(connection)? != Some(password_hash) {
                return Ok(false);
            }
            connection
                .prepare_cached(
                    "insert into admin_sessions (token_hash, created_at_ms, seen_at_ms, expires_at_ms)
                     values (?1, ?2, ?2, ?3)",
                )?
                .execute(params![token_hash, now.ms(), now.plus(lifetime).ms()])?;
            Ok(true)
        })
    }

    /// When the session was last seen, if it has not reached its end and was seen after `seen_since`.
    pub(crate) fn admin_session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
        seen_since: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.read(|connection| {
            let seen_at = connection
                .prepare_cached(
                    "select seen_at_ms from admin_sessions
                     where token_hash = ?1 and expires_at_ms > ?2 and seen_at_ms > ?3",
                )?
                .query_row(params![token_hash, now.ms(), seen_since.ms()], |row| Ok(Timestamp::from_ms(row.get(0)?)))
                .optional()?;
            Ok(seen_at)
        })
    }

    /// Notes that the session is in use.
    pub(crate) fn see_admin_session(&self, token_hash: [u8; 32], now: Timestamp) -> Commit<()> {
        self.write(move |connection| {
            connection
                .prepare_cached("update admin_sessions set seen_at_ms = ?2 where token_hash = ?1")?
                .execute(params![token_hash, now.ms()])?;
            Ok(())
        })
    }

    pub(crate) fn end_admin_session(&self, token_hash: [u8; 32]) -> Commit<()> {
        self.write(move |connection| {
            connection.prepare_cached("delete from admin_sessions where token_hash = ?1")?.execute([token_hash])?;
            Ok(())
        })
    }
}

fn password(connection: &Connection) -> Result<Option<String>, StoreError> {
    Ok(connection.prepare_cached("select hash from admin_password")?.query_row([], |row| row.get(0)).optional()?)
}
