//! What the suites stand on: the real binary in a scratch folder, a scripted model beside it, and a client that checks
//! every answer against the description of the API. No assertion about one feature of the product lives here.

pub(crate) mod admin;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod disk;
pub(crate) mod model;
pub(crate) mod nginx;
pub(crate) mod openapi;
pub(crate) mod proxy;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod sse;
pub(crate) mod terminal;
pub(crate) mod tokens;

use std::time::{Duration, Instant};

/// Against hangs alone: nothing that works comes near it.
pub(crate) const CEILING: Duration = Duration::from_secs(20);

/// The origin that the agents of the tests allow, unless a test says otherwise.
pub(crate) const ORIGIN: &str = "https://www.example.com";

/// Waits until `is_so`, and fails if it never is.
#[track_caller]
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + CEILING;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}: never came true");
        std::thread::sleep(Duration::from_millis(20));
    }
}
