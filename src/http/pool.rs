//! Fixed pools of threads, and the permits that bound what they are given.
//!
//! A permit counts work that runs and work that waits: counting only what waits would refuse a burst that finds every
//! thread free. A job that panics is a line in the log; its thread goes on.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

type Job = Box<dyn FnOnce() + Send>;

/// Threads that run jobs, in order. They live until the process ends.
pub(crate) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    has_work: Condvar,
    is_idle: Condvar,
    permits: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Permits that are held: running and waiting.
    busy: usize,
}

/// The right to have one job run. Given back when dropped.
pub(crate) struct Permit(Arc<Shared>);

impl Pool {
    /// Starts `threads` threads, for as many jobs as there are `permits`.
    pub(crate) fn new(name: &'static str, threads: usize, permits: usize, stack_bytes: usize) -> io::Result<Self> {
        let shared =
            Arc::new(Shared { state: Mutex::default(), has_work: Condvar::new(), is_idle: Condvar::new(), permits });
        for _ in 0..threads {
            let shared = shared.clone();
            thread::Builder::new().name(name.into()).stack_size(stack_bytes).spawn(move || shared.work(name))?;
        }
        Ok(Self(shared))
    }

    /// A permit, if one is free.
    pub(crate) fn try_permit(&self) -> Option<Permit> {
        let mut state = self.0.state.lock();
        if state.busy == self.0.permits {
            return None;
        }
        state.busy += 1;
        Some(Permit(self.0.clone()))
    }

    /// Runs `job` on one of the threads; the permit is given back when it has ended.
    pub(crate) fn spawn(&self, permit: Permit, job: impl FnOnce() + Send + 'static) {
        let job = move || {
            job();
            drop(permit);
        };
        self.0.state.lock().queue.push_back(Box::new(job));
        self.0.has_work.notify_one();
    }

    /// Jobs that run or wait.
    pub(crate) fn busy(&self) -> usize {
        self.0.state.lock().busy
    }

    /// Waits until no permit is held, at most `timeout`; says whether that came true.
    pub(crate) fn wait_idle(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut state = self.0.state.lock();
        while state.busy > 0 {
            if self.0.is_idle.wait_until(&mut state, deadline).timed_out() {
                return state.busy == 0;
            }
        }
        true
    }
}

impl Shared {
    fn work(&self, name: &'static str) {
        loop {
            let mut state = self.state.lock();
            while state.queue.is_empty() {
                self.has_work.wait(&mut state);
            }
            let job = state.queue.pop_front();
            drop(state);
            // What a job held was given back as it unwound.
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(job)).is_err()
            {
                tracing::error!(pool = name, "a job panicked; its thread goes on");
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.busy -= 1;
        if state.busy == 0 {
            self.0.is_idle.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const HANG: Duration = Duration::from_secs(20);

    fn pool(threads: usize, permits: usize) -> Pool {
        Pool::new("test", threads, permits, 256 * 1024).unwrap()
    }

    #[test]
    fn of_a_burst_of_thirty_on_twelve_places_exactly_eighteen_are_refused() {
        let pool = pool(12, 12);
        let (open, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let mut refused = 0;
        for _ in 0..30 {
            let Some(permit) = pool.try_permit() else {
                refused += 1;
                continue;
            };
            let gate = gate.clone();
            pool.spawn(permit, move || {
                let _ = gate.lock().recv();
            });
        }
        assert_eq!(refused, 18);
        drop(open);
        assert!(pool.wait_idle(HANG));
        assert_eq!(pool.busy(), 0);
    }

    #[test]
    fn a_panic_costs_neither_a_thread_nor_a_permit() {
        let pool = pool(2, 2);
        for _ in 0..10 {
            let permits = [pool.try_permit(), pool.try_permit()];
            for permit in permits.into_iter().flatten() {
                pool.spawn(permit, || panic!("as the test wants it"));
            }
            assert!(pool.wait_idle(HANG));
        }
        let (sender, results) = mpsc::channel();
        let permits = [pool.try_permit(), pool.try_permit()];
        let barrier = Arc::new(std::sync::Barrier::new(2)); // both threads must be there
        for permit in permits.into_iter().flatten() {
            let (sender, barrier) = (sender.clone(), barrier.clone());
            pool.spawn(permit, move || {
                barrier.wait();
                sender.send(()).unwrap();
            });
        }
        for _ in 0..2 {
            results.recv_timeout(HANG).unwrap();
        }
    }
}
