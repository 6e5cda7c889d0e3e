//! The owner's page under `/admin`: pages that are rendered here, for a browser without scripts.
//!
//! It is off until a password is set (`widgetd admin set-password`): until then nothing under `/admin` exists. [`handle`]
//! is the only way in: session, form token and origin are checked there, so no page can forget to. A page is a file: it
//! reads its query or form, asks the store, and fills a template of `templates/`, which escapes whatever visitors wrote.
//! Not here: SQL, how a turn is made, what models are asked.

mod chart;
mod conversations;
mod download;
mod exports;
mod filter;
mod form;
mod leads;
mod login;
mod overview;
mod page;
mod password;
mod refusal;
mod refused;
mod retention;
mod routes;
mod scrape;
mod secure;
mod session;
mod show;
mod spending;
mod style;
mod webhooks;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use rouille::Response;

use crate::clock;
use crate::config::Config;
use crate::domain::id;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::export::ExportError;
use crate::http::{Permits, Request, Responder, Rest};
use crate::limiter::{Limiter, Rate};
use crate::metrics;
use crate::store::Store;
use download::Download;
use form::Form;
pub(crate) use password::{PasswordError, hash as hash_password};
use refusal::Refusal;
pub(crate) use scrape::{Scrape, is_served as are_metrics_served};
use session::Session;

/// Where everything of this room is.
pub(crate) const ROOT: &str = "/admin";

/// Attempts to log in that fail: of one address, and in all.
const LOGIN_WINDOW: Duration = Duration::from_mins(5);
const LOGINS_PER_ADDRESS: u32 = 5;
/// From all addresses: so many that a few strangers cannot keep the owner out.
const LOGINS: u32 = 200;
/// Addresses that are remembered at once.
const ADDRESSES_MAX: usize = 10_000;

/// What the pages work with. It lives as long as the process.
pub(crate) struct Admin {
    store: Store,
    failed_by_address: Limiter,
    failed: Limiter,
    /// For hashing a password, which takes 19 MiB.
    hashing: Permits,
    /// For an export, which keeps a thread for as long as the owner's line takes.
    exporting: Permits,
}

impl Admin {
    pub(crate) fn new(store: Store) -> Self {
        let rate = |requests| Rate { requests, window: LOGIN_WINDOW };
        Self {
            store,
            failed_by_address: Limiter::new(rate(LOGINS_PER_ADDRESS), ADDRESSES_MAX),
            failed: Limiter::new(rate(LOGINS), 1),
            hashing: Permits::new(1),
            exporting: Permits::new(1),
        }
    }

    /// Whether a password is set. A database that cannot tell is told of by the page.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.store.admin_password(), Ok(None))
    }
}

/// What is to be said against where the page is served: a password that goes over a network in plain text is no secret.
pub(crate) fn exposure(config: &Config) -> Option<String> {
    let listen = config.admin_listen.unwrap_or(config.http.listen);
    let is_public_tls = config.public_url.as_ref().is_some_and(|public| public.as_str().starts_with("https://"));
    let has_tls = !config.http.trusted_proxies.is_empty() && (is_public_tls || config.admin_listen.is_some());
    (!listen.ip().to_canonical().is_loopback() && !has_tls).then(|| {
        format!(
            "the admin page is served on {listen}, beyond this machine, and without TLS anybody on the way can read its \
             password: put a proxy with TLS before it (server.public_url, server.trusted_proxies), or write \
             listen = \"127.0.0.1:8081\" under [admin] and come by a tunnel"
        )
    })
}

/// The origin by which the page is reached, if that is known: an address of its own has none.
fn public(config: &Config) -> Option<&Origin> {
    config.public_url.as_ref().filter(|_| config.admin_listen.is_none())
}

/// Whether the request is for this room.
pub(crate) fn is_wanted(request: &Request) -> bool {
    let path = path(&request.http);
    path.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One request of a session, and all that its page may look at.
struct Ctx<'a> {
    admin: &'a Admin,
    config: &'a Config,
    session: &'a Session,
    /// The path below [`ROOT`], piece by piece.
    parts: &'a [&'a str],
    query: Form,
    /// Of a POST.
    form: Form,
    is_tls: bool,
    now: Timestamp,
}

/// What a page makes of a request.
enum Outcome {
    Answer(Response),
    /// An answer of any length, written while it is made: its head, and what writes the rest.
    Download(Response, Body),
}

type Body = Box<dyn FnOnce(&mut dyn Write) -> Result<u64, ExportError>>;

impl From<Response> for Outcome {
    fn from(response: Response) -> Self {
        Self::Answer(response)
    }
}

/// Answers one request, or says what is left to do for its answer.
pub(crate) fn handle(admin: &Arc<Admin>, config: &Config, request: &Request, responder: Responder) -> Option<Rest> {
    let reply = Reply { responder, received: request.received, method: request.http.method().to_owned() };
    let path = path(&request.http).to_owned();
    let parts: Vec<&str> =
        path.strip_prefix(ROOT).unwrap_or(&path).split('/').filter(|part| !part.is_empty()).collect();
    if let ("POST", ["login"]) = (request.http.method(), &parts[..]) {
        return login::attempt(admin, config, request, reply);
    }
    let page = routes::name(&parts);
    match answer(admin, config, request, &parts) {
        Ok(Outcome::Download(head, body)) if reply.method != "HEAD" => {
            return Some(Box::new(move || reply.download(page, head, body)));
        }
        Ok(Outcome::Answer(response) | Outcome::Download(response, _)) => reply.send(page, Ok(response)),
        Err(refusal) => reply.send(page, Err(refusal)),
    }
    None
}

/// As [`handle`], where nothing else is served but the metrics.
pub(crate) fn handle_alone(
    admin: &Arc<Admin>,
    config: &Config,
    metrics: &Scrape<'_>,
    request: &Request,
    responder: Responder,
) -> Option<Rest> {
    let reply = |responder| Reply { responder, received: request.received, method: request.http.method().to_owned() };
    // Before the database is asked for a password: it may stall.
    if path(&request.http) == scrape::PATH {
        reply(responder)
            .send_with(scrape::PATH, |request_id| Ok(scrape::answer(&request.http, config, metrics, request_id)));
        return None;
    }
    let is_on = admin.is_on();
    if is_on && is_wanted(request) {
        return handle(admin, config, request, responder);
    }
    if is_on && path(&request.http) == "/" {
        reply(responder).send("/", Ok(page::see_other(ROOT)));
    } else {
        reply(responder).send("other", Ok(Response::text("There is nothing here.\n").with_status_code(404)));
    }
    None
}

fn answer(admin: &Admin, config: &Config, request: &Request, parts: &[&str]) -> Result<Outcome, Refusal> {
    let http = &request.http;
    let is_post = http.method() == "POST";
    if let Some(file) = style::find(parts) {
        return if is_post { Err(Refusal::Method { allow: "GET, HEAD" }) } else { Ok(file.into()) };
    }
    let public = public(config);
    if is_post {
        secure::check_origin(http, public)?;
    }
    let (is_tls, now) = (secure::is_tls(http, public), clock::now());
    let session = session::find(http, is_tls, &admin.store, now)?;
    let Some(session) = session else {
        return Ok(login::ask(http, parts)?.into());
    };
    if let ["login"] = parts {
        return Ok(page::see_other(ROOT).into());
    }
    let endpoint = routes::find(http.method(), parts)?;
    let form = if is_post { Form::of_body(request)? } else { Form::default() };
    if is_post && !session.is_token(form.text("token")) {
        return Err(Refusal::Forged);
    }
    let query = Form::parse(http.raw_query_string().as_bytes());
    let ctx = Ctx { admin, config, session: &session, parts, query, form, is_tls, now };
    endpoint(&ctx)
}

/// A request that is still to be answered.
struct Reply {
    responder: Responder,
    received: Duration,
    method: String,
}

impl Reply {
    /// Answers, and writes the request's line in the log.
    fn send(self, page: &'static str, result: Result<Response, Refusal>) {
        self.send_with(page, |_| result);
    }

    /// The same with an answer that is made knowing the request's id.
    fn send_with(self, page: &'static str, result: impl FnOnce(&str) -> Result<Response, Refusal>) {
        let request_id = id::random_hex();
        let response = result(&request_id).unwrap_or_else(|refusal| {
            if let Some(cause) = refusal.cause() {
                tracing::warn!(%request_id, cause, "could not serve");
            }
            refusal.response(&request_id)
        });
        let response = secure::with_headers(response, &request_id);
        self.log(page, response.status_code, &request_id);
        self.responder.send(response);
    }

    /// Answers piece by piece. What fails in the middle is cut off, so that nobody takes a part for the whole.
    fn download(self, page: &'static str, head: Response, body: Body) {
        let request_id = id::random_hex();
        let head = secure::with_headers(head, &request_id);
        self.log(page, head.status_code, &request_id);
        let mut download = Download::new(self.responder.stream(head));
        if let Err(error) = body(&mut download).and_then(|_| Ok(download.finish()?)) {
            tracing::warn!(%request_id, %error, "an export was cut off");
        }
    }

    /// One line a request: with the page's name, since its path may hold an id.
    fn log(&self, page: &'static str, status: u16, request_id: &str) {
        let Self { received, method, .. } = self;
        let took = clock::monotonic().saturating_sub(*received);
        metrics::requests().answered(page, status, took);
        let ms = took.as_secs_f64() * 1000.0;
        // A scrape comes each few seconds, and would be most of the log.
        if page == scrape::PATH && status == 200 {
            tracing::debug!(%method, path = page, status, ms = format_args!("{ms:.1}"), %request_id);
        } else {
            tracing::info!(%method, path = page, status, ms = format_args!("{ms:.1}"), %request_id);
        }
    }
}

/// The path as it came, without its query.
fn path(http: &rouille::Request) -> &str {
    let url = http.raw_url();
    url.split_once('?').map_or(url, |(path, _)| path)
}
