//! What the service manager is told, in systemd's words (sd_notify(3)): that the server is ready, reloads, stops, and that it
//! is alive. Without `NOTIFY_SOCKET` in the environment nobody is told anything.
//!
//! A watchdog restarts what a restart mends. Alive is: the intake turns, and if requests wait for a worker, workers take
//! some, and writes find a writer. A disk that stalls or is full is no reason: a new process would find the same disk, and
//! its visitors would have lost their answers; so while storage is at work, workers may wait. Nor are models that do not
//! answer: they are waited for elsewhere. A server that stops has the manager's own limit of time.

use std::io;

use sd_notify::NotifyState;

use crate::http::{FrontHandle, Signs};
use crate::store::Store;

/// Looks in the time after which the manager gives the process up: it is told at each that finds it alive, so that one
/// which comes late or finds it busy costs nothing.
const LOOKS: u32 = 4;

pub(crate) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// To be followed by [`ready`], whatever came of it.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        // Since version 253 systemd wants to know that this answers its own request, and none before.
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "the service manager was not told of the reload"),
    }
}

pub(crate) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Tells the manager that the server is alive, for as long as it is, on a thread of its own; if it wants to know.
pub(crate) fn watch(front: FrontHandle, store: Store) -> io::Result<()> {
    let Some(patience) = sd_notify::watchdog_enabled().filter(|patience| !patience.is_zero()) else {
        return Ok(());
    };
    std::thread::Builder::new().name("watchdog".into()).spawn(move || {
        let mut last = Look::now(&front, &store);
        let mut was_alive = true;
        loop {
            std::thread::sleep(patience / LOOKS);
            let look = Look::now(&front, &store);
            let is_alive = front.is_draining() || look.is_alive_since(&last);
            if is_alive {
                tell(&[NotifyState::Watchdog]);
            } else if was_alive {
                tracing::error!(?look, "nothing moves: the service manager will restart the server unless that ends");
            }
            (last, was_alive) = (look, is_alive);
        }
    })?;
    Ok(())
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, ?states, "the service manager was not told");
    }
}

/// What was seen of the server at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    signs: Signs,
    has_writer: bool,
    is_storing: bool,
}

impl Look {
    fn now(front: &FrontHandle, store: &Store) -> Self {
        // `close` keeps who asks for the writer waiting, and is called only by who drains.
        let has_writer = front.is_draining() || store.has_writer();
        Self { signs: front.signs(), has_writer, is_storing: store.is_at_work() }
    }

    fn is_alive_since(&self, last: &Self) -> bool {
        let intake_turns = self.signs.turns != last.signs.turns;
        let jobs_move = self.signs.waiting == 0 || self.signs.taken != last.signs.taken || self.is_storing;
        intake_turns && jobs_move && self.has_writer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Look = Look { signs: Signs { turns: 1, taken: 1, waiting: 0 }, has_writer: true, is_storing: false };

    fn is_alive(change: impl FnOnce(&mut Look)) -> bool {
        let mut look = IDLE;
        look.signs.turns += 1;
        change(&mut look);
        look.is_alive_since(&IDLE)
    }

    #[test]
    fn a_server_without_requests_is_alive_while_its_intake_turns() {
        assert!(is_alive(|_| {}));
        assert!(!is_alive(|look| look.signs.turns = IDLE.signs.turns));
    }

    #[test]
    fn requests_that_wait_are_alive_while_workers_take_some() {
        assert!(is_alive(|look| (look.signs.waiting, look.signs.taken) = (3, 2)));
        assert!(!is_alive(|look| look.signs.waiting = 3));
    }

    #[test]
    fn a_disk_that_stalls_is_no_reason_to_restart() {
        assert!(is_alive(|look| (look.signs.waiting, look.is_storing) = (3, true)));
    }

    #[test]
    fn a_writer_that_is_gone_is_one() {
        assert!(!is_alive(|look| look.has_writer = false));
    }
}
