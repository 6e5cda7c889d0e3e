//! A fixed pool of threads for two kinds of work: short jobs, of which few run at once, and the long rest that some of
//! them end with.
//!
//! A rest runs on the thread of its job, which hands its place on first: short jobs never wait behind long ones, and a
//! request that becomes an answer of seconds changes no thread. Whoever rested last is woken first: its stack and its
//! memory are still at hand, and threads that are never needed cost none. A job that panics is a line in the log; its
//! thread goes on.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

use parking_lot::Mutex;

use crate::metrics::Level;

/// What a job leaves to be done that takes long.
pub(crate) type Rest = Box<dyn FnOnce()>;

type Job = Box<dyn FnOnce() -> Option<Rest> + Send>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// In all: short jobs never wait for a rest while there are so many more threads than `jobs` as rests may run.
    pub(super) threads: usize,
    /// Short jobs that run at once.
    pub(super) jobs: usize,
    /// Short jobs that wait, beside those that run.
    pub(super) waiting: usize,
}

/// Threads that live until the process ends. Clones are the same ones.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    sizes: Sizes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    /// Short jobs that run.
    running: usize,
    /// Short jobs that were taken, ever.
    taken: u64,
    /// Threads without work; the one that rested last is the last.
    resting: Vec<Arc<Seat>>,
}

/// Where a thread rests.
struct Seat {
    thread: Thread,
    is_called: AtomicBool,
}

impl Pool {
    pub(super) fn start(sizes: Sizes, stack_bytes: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared { sizes, state: Mutex::default() });
        for _ in 0..sizes.threads {
            let shared = shared.clone();
            thread::Builder::new().name("worker".into()).stack_size(stack_bytes).spawn(move || shared.work())?;
        }
        Ok(Self(shared))
    }

    /// Whether as many jobs run and wait as may: then the next one is to be refused.
    pub(super) fn is_full(&self) -> bool {
        let Shared { sizes, state } = &*self.0;
        let state = state.lock();
        // Counting only what waits would refuse a burst that finds every thread free.
        state.running + state.queue.len() >= sizes.jobs + sizes.waiting
    }

    /// Short jobs that run, and those that wait.
    pub(super) fn load(&self) -> [Level; 2] {
        let Shared { sizes, state } = &*self.0;
        let state = state.lock();
        let [running, waiting] = [state.running, state.queue.len()];
        [Level { used: running, max: sizes.jobs }, Level { used: waiting, max: sizes.waiting }]
    }

    /// How many jobs were taken until now, and how many wait.
    pub(super) fn progress(&self) -> (u64, usize) {
        let state = self.0.state.lock();
        (state.taken, state.queue.len())
    }

    /// Runs `job` on one of the threads, in its turn.
    pub(super) fn spawn(&self, job: impl FnOnce() -> Option<Rest> + Send + 'static) {
        let mut state = self.0.state.lock();
        state.queue.push_back(Box::new(job));
        let seat = state.seat_to_call(&self.0.sizes);
        drop(state);
        call(seat);
    }
}

impl State {
    /// A thread for the next job, if it may run now and somebody rests. Else the next thread that is done takes it.
    fn seat_to_call(&mut self, sizes: &Sizes) -> Option<Arc<Seat>> {
        if self.running < sizes.jobs && !self.queue.is_empty() { self.resting.pop() } else { None }
    }
}

fn call(seat: Option<Arc<Seat>>) {
    if let Some(seat) = seat {
        seat.is_called.store(true, Ordering::Release);
        seat.thread.unpark();
    }
}

impl Shared {
    fn work(&self) {
        let seat = Arc::new(Seat { thread: thread::current(), is_called: AtomicBool::new(false) });
        loop {
            let job = self.next_job(&seat);
            // What a job held was given back as it unwound.
            let rest = catch_unwind(AssertUnwindSafe(job));
            self.hand_place_on(matches!(rest, Ok(Some(_))));
            let ended = match rest {
                Ok(Some(rest)) => catch_unwind(AssertUnwindSafe(rest)),
                Ok(None) => Ok(()),
                Err(panic) => Err(panic),
            };
            if ended.is_err() {
                tracing::error!("a job panicked; its thread goes on");
            }
        }
    }

    /// Waits for a job, and takes a place for it.
    fn next_job(&self, seat: &Arc<Seat>) -> Job {
        loop {
            let mut state = self.state.lock();
            if state.running < self.sizes.jobs
                && let Some(job) = state.queue.pop_front()
            {
                state.running += 1;
                state.taken += 1;
                return job;
            }
            state.resting.push(seat.clone());
            drop(state);
            // A thread may be woken for no reason; who called it has taken it off the list.
            while !seat.is_called.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }

    /// The place is free. This thread takes the next job itself, unless it goes on with a rest.
    fn hand_place_on(&self, goes_on: bool) {
        let mut state = self.state.lock();
        state.running -= 1;
        let seat = if goes_on { state.seat_to_call(&self.sizes) } else { None };
        drop(state);
        call(seat);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::time::Duration;

    use super::*;

    const HANG: Duration = Duration::from_secs(20);
    const STACK: usize = 256 * 1024;

    fn gate() -> (Sender<()>, Arc<Mutex<Receiver<()>>>) {
        let (open, gate) = mpsc::channel();
        (open, Arc::new(Mutex::new(gate)))
    }

    #[test]
    fn a_burst_fills_every_place_that_runs_and_waits() {
        let pool = Pool::start(Sizes { threads: 2, jobs: 2, waiting: 3 }, STACK).unwrap();
        let (open, gate) = gate();
        let (done, results) = mpsc::channel();
        for _ in 0..5 {
            assert!(!pool.is_full());
            let (gate, done) = (gate.clone(), done.clone());
            pool.spawn(move || {
                let _ = gate.lock().recv();
                done.send(()).unwrap();
                None
            });
        }
        assert!(pool.is_full());
        drop(open);
        for _ in 0..5 {
            results.recv_timeout(HANG).unwrap();
        }
    }

    #[test]
    fn short_jobs_do_not_wait_for_rests() {
        let pool = Pool::start(Sizes { threads: 4, jobs: 1, waiting: 9 }, STACK).unwrap();
        let (open, gate) = gate();
        let (done, results) = mpsc::channel();
        for _ in 0..3 {
            let (gate, done) = (gate.clone(), done.clone());
            let job = move || {
                let rest: Rest = Box::new(move || {
                    let _ = gate.lock().recv();
                    done.send("rest").unwrap();
                });
                Some(rest)
            };
            pool.spawn(job);
        }
        for _ in 0..5 {
            let done = done.clone();
            let job = move || {
                done.send("job").unwrap();
                None
            };
            pool.spawn(job);
            assert_eq!(results.recv_timeout(HANG), Ok("job"));
        }
        drop(open);
        for _ in 0..3 {
            assert_eq!(results.recv_timeout(HANG), Ok("rest"));
        }
    }

    #[test]
    fn a_panic_costs_neither_a_thread_nor_a_place() {
        let pool = Pool::start(Sizes { threads: 2, jobs: 2, waiting: 100 }, STACK).unwrap();
        for n in 0..10 {
            let job = move || {
                assert!(n % 2 == 0, "as the test wants it");
                let rest: Rest = Box::new(|| panic!("as the test wants it"));
                Some(rest)
            };
            pool.spawn(job);
        }
        let (sender, results) = mpsc::channel();
        let barrier = Arc::new(Barrier::new(2)); // both threads must be there
        for _ in 0..2 {
            let (sender, barrier) = (sender.clone(), barrier.clone());
            let job = move || {
                barrier.wait();
                sender.send(()).unwrap();
                None
            };
            pool.spawn(job);
        }
        for _ in 0..2 {
            results.recv_timeout(HANG).unwrap();
        }
    }
}
