//! Answers that wait for the disk: leads and events.
//!
//! A commit takes a millisecond or two, and the request waits for it where it runs: nothing is faster. When it takes
//! longer, because the disk stalls or another program holds the database, the wait goes on where answers of seconds are
//! made, so that requests that need no disk are served meanwhile. So many wait at once, the next one is refused before
//! anything is written.

use std::time::Duration;

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome};
use crate::http::Permit;
use crate::metrics;
use crate::store::Commit;

/// Longer than a disk takes that is well.
const PATIENCE: Duration = Duration::from_millis(50);

/// To be taken before anything is written.
pub(super) fn may_wait(ctx: &Ctx<'_>) -> Result<Permit, ApiError> {
    ctx.app.commits.try_take().ok_or_else(|| {
        metrics::requests().refused_place("commits_busy");
        ApiError::Overloaded { cause: "too many writes wait for the disk" }
    })
}

/// Answers when the commit is on the disk.
pub(super) fn answer<T: 'static>(
    permit: Permit,
    commit: Commit<T>,
    answer: impl FnOnce(T) -> Result<Response, ApiError> + 'static,
) -> Result<Outcome, ApiError> {
    match commit.wait_at_most(PATIENCE) {
        Ok(stored) => Ok(answer(stored?)?.into()),
        Err(commit) => Ok(Outcome::Later(Box::new(move |reply| {
            reply.send(commit.wait().map_err(ApiError::from).and_then(answer));
            drop(permit);
        }))),
    }
}
