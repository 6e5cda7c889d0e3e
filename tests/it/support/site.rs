//! A running server with a scripted model, and the visitors of its pages.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};

use serde_json::{Value, json};

use super::ORIGIN;
use super::client::{Connection, Request, Response};
use super::config::Config;
use super::disk::Disk;
use super::model::Model;
use super::server::{Folder, Server};
use super::sse::{EventStream, Turn};

/// A server, its model and its configuration, all of one test.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) model: Model,
    pub(crate) config: Config,
}

impl Site {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// Starts with a changed configuration.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::with_environment(&[], change)
    }

    /// Starts with a changed configuration and with variables of the environment.
    pub(crate) fn with_environment(environment: &[(&str, &str)], change: impl FnOnce(&mut Config)) -> Self {
        let model = Model::start();
        let mut config = Config::new(&model.url());
        change(&mut config);
        let server = Server::start(&config.to_toml(), environment);
        Self { server, model, config }
    }

    /// Starts with a changed configuration under a launcher: see [`Server::start_under`].
    pub(crate) fn under(launcher: &[&str], change: impl FnOnce(&mut Config)) -> Self {
        let model = Model::start();
        let mut config = Config::new(&model.url());
        change(&mut config);
        let server = Server::start_under(launcher, &config.to_toml());
        Self { server, model, config }
    }

    /// Starts with a changed configuration and with its data on a disk of so many KiB.
    pub(crate) fn on_disk(kib: u32, change: impl FnOnce(&mut Config)) -> (Self, Disk) {
        let model = Model::start();
        let mut config = Config::new(&model.url());
        change(&mut config);
        let folder = Folder::new();
        let disk = Disk::mount(&folder.path().join("data"), kib);
        let server = Server::start_in(folder, &config.to_toml(), &[]);
        (Self { server, model, config }, disk)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// One request on a connection of its own.
    pub(crate) fn call(&self, request: &Request) -> Response {
        self.connect().call(request)
    }

    pub(crate) fn get(&self, target: &str) -> Response {
        self.call(&Request::get(target))
    }

    /// A new visitor of a page that may use this agent.
    #[track_caller]
    pub(crate) fn init(&self, agent: &str) -> Visitor {
        self.init_with(agent, json!({}))
    }

    /// As [`Site::init`], with more members of the request.
    #[track_caller]
    pub(crate) fn init_with(&self, agent: &str, members: Value) -> Visitor {
        let origin = origin_of(agent);
        let answer = self.call(&init_request(agent, members).origin(origin)).expect(200);
        Visitor { address: self.address(), origin: Some(origin.to_owned()), agent: agent.to_owned(), answer }
    }

    /// This visitor comes back to the page.
    #[track_caller]
    pub(crate) fn resume(&self, visitor: &Visitor) -> Visitor {
        self.init_with(&visitor.agent, json!({"visitor_id": visitor.visitor_id()}))
    }

    /// Changes the configuration and has it read again.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config);
        self.server.reload(&self.config.to_toml());
    }

    /// Kills the server and starts it again on the same files.
    pub(crate) fn kill_and_restart(&mut self) {
        self.server.kill_and_restart();
    }
}

/// A request to `/init`, without an origin.
pub(crate) fn init_request(agent: &str, members: Value) -> Request {
    let mut body = json!({"agent_id": agent});
    let object = body.as_object_mut().expect("an object");
    object.extend(members.as_object().expect("an object").clone());
    Request::post("/v1/widget/init", &body)
}

/// The page on which the agents of the tests stand.
pub(crate) fn origin_of(agent: &str) -> &'static str {
    if agent == "other" { "https://other.example" } else { ORIGIN }
}

/// One person on one page, as `/init` received them.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    address: SocketAddr,
    origin: Option<String>,
    agent: String,
    /// What `/init` answered.
    pub(crate) answer: Value,
}

impl Visitor {
    pub(crate) fn token(&self) -> &str {
        self.answer["token"].as_str().expect("a token")
    }

    pub(crate) fn visitor_id(&self) -> &str {
        self.answer["visitor_id"].as_str().expect("a visitor id")
    }

    pub(crate) fn conversation_id(&self) -> &str {
        self.answer["conversation_id"].as_str().expect("a conversation id")
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.answer["resumed"].as_bool().expect("resumed")
    }

    /// The messages that `/init` gave back.
    pub(crate) fn messages(&self) -> &[Value] {
        self.answer["messages"].as_array().expect("messages")
    }

    /// The same visitor with another token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        let mut visitor = self.clone();
        visitor.answer["token"] = json!(token);
        visitor
    }

    /// The same visitor on another page; none: with a client that is no browser.
    pub(crate) fn at_origin(&self, origin: Option<&str>) -> Self {
        Self { origin: origin.map(str::to_owned), ..self.clone() }
    }

    /// The same visitor after the server was started again.
    pub(crate) fn at(&self, site: &Site) -> Self {
        Self { address: site.address(), ..self.clone() }
    }

    /// A request of this visitor, not sent yet.
    pub(crate) fn request(&self, path: &str, body: &Value) -> Request {
        let request = Request::post(path, body).bearer(self.token());
        match &self.origin {
            Some(origin) => request.origin(origin),
            None => request,
        }
    }

    /// None if nobody accepts.
    pub(crate) fn try_connect(&self) -> Option<Connection> {
        Connection::try_open(self.address)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Response {
        Connection::open(self.address).call(&self.request(path, body))
    }

    /// The synchronous endpoint.
    pub(crate) fn say(&self, content: &str) -> Response {
        self.post("/v1/widget/messages", &json!({"content": content}))
    }

    /// The stream, from its first event to its last.
    #[track_caller]
    pub(crate) fn ask(&self, content: &str) -> Turn {
        self.open(content).rest()
    }

    /// The stream, while it runs.
    #[track_caller]
    pub(crate) fn open(&self, content: &str) -> EventStream {
        self.stream(&json!({"content": content}))
            .unwrap_or_else(|response| panic!("no stream: {}\n{}", response.status, response.text()))
    }

    /// The stream of this body, or the refusal.
    pub(crate) fn stream(&self, body: &Value) -> Result<EventStream, Response> {
        Connection::open(self.address).stream(&self.request("/v1/widget/messages/stream", body))
    }

    /// The refusal of this body on the stream.
    #[track_caller]
    pub(crate) fn refused(&self, body: &Value) -> Response {
        self.stream(body).err().expect("a refusal")
    }

    pub(crate) fn lead(&self, body: &Value) -> Response {
        self.post("/v1/widget/leads", body)
    }

    pub(crate) fn event(&self, body: &Value) -> Response {
        self.post("/v1/widget/events", body)
    }
}

/// One site for the tests of a file that do not disturb each other. It goes when the last of them ends.
pub(crate) struct Shared {
    running: Mutex<Weak<Site>>,
    start: fn() -> Site,
}

impl Shared {
    pub(crate) const fn new(start: fn() -> Site) -> Self {
        Self { running: Mutex::new(Weak::new()), start }
    }

    pub(crate) fn get(&self) -> Arc<Site> {
        let mut running = self.running.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(site) = running.upgrade() {
            return site;
        }
        let site = Arc::new((self.start)());
        *running = Arc::downgrade(&site);
        site
    }
}
