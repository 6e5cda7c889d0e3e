//! What the suites stand on: the real binary in a scratch folder, a scripted model beside it, and a client that checks
//! every answer against the description of the API. No assertion about one feature of the product lives here.

pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod config;
pub(crate) mod db;
pub(crate) mod disk;
pub(crate) mod model;
pub(crate) mod openapi;
pub(crate) mod server;
pub(crate) mod site;
pub(crate) mod sse;
pub(crate) mod tokens;

use std::time::Duration;

/// Against hangs alone: nothing that works comes near it.
pub(crate) const CEILING: Duration = Duration::from_secs(20);

/// The origin that the agents of the tests allow, unless a test says otherwise.
pub(crate) const ORIGIN: &str = "https://www.example.com";
