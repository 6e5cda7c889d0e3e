//! The contract: a complete, checked request comes in, an answer goes out.
//!
//! [`handle`] is the only wrapper around the endpoints: request id, route, endpoint, problem document, CORS, one line in
//! the log. An endpoint parses, decides and answers in plain sight; it gets a [`Ctx`] that holds one snapshot of the
//! configuration, so that a reload never changes a request halfway. Not here: SQL, sockets, the clock.

mod agent_config;
mod assets;
mod body;
mod check;
mod cors;
mod error;
mod etag;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod gate;
mod health;
mod init;
mod leads;
mod limits;
mod me;
mod messages;
mod places;
mod refused;
mod reply;
mod routes;
mod script;
mod stored;
mod stream_test;

use std::any::Any;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rouille::Response;

use crate::chat::{Assistant, Chat};
use crate::clock;
use crate::config::Config;
use crate::domain::id::{self, AgentId};
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::http::{Forwarded, FrontHandle, Permits, Request, Responder, Rest};
use crate::model::Link;
use crate::store::{FaqIndex, Store};
use crate::token::Tokens;
use error::ApiError;
pub(crate) use limits::Limits;
pub(crate) use places::Places;
use reply::Reply;

/// What the endpoints work with. It lives as long as the process.
pub(crate) struct App {
    /// Replaced whole by a reload.
    pub(crate) snapshot: RwLock<Arc<Snapshot>>,
    pub(crate) tokens: Tokens,
    pub(crate) chat: Chat,
    pub(crate) store: Store,
    /// For answers that are generated: each holds one.
    pub(crate) places: Places,
    /// For leads and events that wait for their commit: each holds one.
    pub(crate) commits: Permits,
    pub(crate) front: FrontHandle,
}

/// One configuration, and what was made of it.
pub(crate) struct Snapshot {
    pub(crate) config: Config,
    pub(crate) assistants: HashMap<AgentId, Arc<Assistant>>,
    pub(crate) faq: FaqIndex,
    /// What `"self"` stands for.
    pub(crate) own_origins: Vec<Origin>,
    pub(crate) limits: Arc<Limits>,
    /// Every model that some agent asks, for `/readyz`.
    pub(crate) links: Vec<Arc<Link>>,
}

/// One request and everything that its endpoint may look at.
struct Ctx<'a> {
    app: &'a Arc<App>,
    snapshot: &'a Snapshot,
    request: &'a rouille::Request,
    body: &'a [u8],
    forwarded: Forwarded,
    request_id: &'a str,
    now: Timestamp,
    monotonic: Duration,
    /// Whose turn it is, once the gate knows.
    agent: OnceCell<AgentId>,
}

impl Ctx<'_> {
    /// The client's address, after trusted proxies.
    fn client(&self) -> IpAddr {
        self.request.remote_addr().ip()
    }

    fn origin_header(&self) -> Option<&str> {
        self.request.header("Origin")
    }

    /// Whose page asks: what the header says, else this server's own if the browser says that it is. Browsers send no
    /// `Origin` with a GET to the page's own server (Fetch, "append a request `Origin` header"), but `Sec-Fetch-Site`, which
    /// no script can set. Like the header it could be forged by what is no browser, and it grants no more than that.
    fn origin(&self) -> Option<&str> {
        let is_own_page =
            || self.request.method() == "GET" && self.request.header("Sec-Fetch-Site") == Some("same-origin");
        self.origin_header().or_else(|| is_own_page().then(|| self.own_origin()).flatten())
    }

    /// Of this server's own origins the one by which this request came.
    fn own_origin(&self) -> Option<&str> {
        let own = &self.snapshot.own_origins;
        let host = self.request.header("Host").unwrap_or_default();
        let is_asked = |origin: &&Origin| origin.as_str().split_once("://").is_some_and(|(_, name)| name == host);
        own.iter().find(is_asked).or(own.first()).map(Origin::as_str)
    }
}

/// What an endpoint makes of a request.
enum Outcome {
    Answer(Response),
    /// The answer takes seconds: while it is made, others take the next requests. What bounds how many are made at once,
    /// it holds itself.
    Later(Box<dyn FnOnce(Reply)>),
}

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self::Answer(response)
    }
}

/// Answers one request, or says what is left to do for its answer.
pub(crate) fn handle(app: &Arc<App>, request: Request, responder: Responder) -> Option<Rest> {
    let snapshot = app.snapshot.read().clone();
    let request_id = id::random_hex();
    let reply = Reply::new(&snapshot, &request, request_id.clone(), responder);
    let ctx = Ctx {
        app,
        snapshot: &snapshot,
        request: &request.http,
        body: request.body(),
        forwarded: request.forwarded,
        request_id: &request_id,
        now: clock::now(),
        monotonic: clock::monotonic(),
        agent: OnceCell::new(),
    };
    // What an endpoint holds gives itself back when it unwinds; what it shares is behind locks that do not poison.
    match catch_unwind(AssertUnwindSafe(|| routes::answer(&ctx))) {
        Ok(Ok(Outcome::Answer(response))) => reply.send(Ok(response)),
        Ok(Ok(Outcome::Later(job))) => return Some(Box::new(move || job(reply))),
        Ok(Err(error)) => {
            refused::count(&ctx, &error);
            reply.send(Err(error));
        }
        Err(panic) => reply.send(Err(ApiError::Internal { cause: format!("panic: {}", said(&*panic)) })),
    }
    None
}

/// The message of a panic.
fn said(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
