//! The one composition root: builds every room from the configuration, runs them, and stops them in order.
//!
//! Stopping: the front closes its listener and the idle connections; running answers have `shutdown_grace` to end; what
//! still runs then fails as shutting down and is stored as partial. The front returns when the last connection has gone,
//! so that who has sent a request gets its answer; slow clients are waited for a few seconds at most. The webhook that is
//! being told has a few seconds too. Last, the writer commits what has queued and closes.

mod readings;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::RwLock;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::admin::{self, Admin, Scrape};
use crate::api::{self, App, Limits, Places, Snapshot};
use crate::chat::{Assistant, Chat, Prices};
use crate::clock;
use crate::config::{self, Complaints, Config};
use crate::domain::agent::Agent;
use crate::domain::origin::Origin;
use crate::http::{self, Front, FrontHandle, Permits};
use crate::janitor::Janitor;
use crate::metrics;
use crate::model::{self, Chain, Link};
use crate::store::{FaqIndex, Store, StoreError};
use crate::supervisor;
use crate::token::{KeyError, Tokens};
use crate::webhook::{self, Sender};

/// How long an answer that was told to stop may take to be stored.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long clients may take, once no answer is generated any more, to end their requests and to read what was answered.
/// Longer than a write waits for a lock on the database.
const CLIENT_GRACE: Duration = Duration::from_secs(3);

/// What the admin page's own address is served with: the owner is few.
const ADMIN_WORKERS: usize = 4;
/// A password that is compared, and an export.
const ADMIN_RESTS: usize = 2;
const ADMIN_CONNECTIONS: usize = 64;

/// Reads the configuration again, as at start.
pub(crate) type Reload = Box<dyn Fn() -> Result<Config, Complaints> + Send>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(
        "cannot listen on {address}: {error}\nIs another program using that port? Choose another one with --listen"
    )]
    Listen { address: SocketAddr, error: io::Error },
    #[error("cannot open the database in {folder}: {error}")]
    Storage { folder: PathBuf, error: StoreError },
    #[error(transparent)]
    Secret(#[from] config::SecretError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

/// Everything that is open: ready to serve, not serving yet.
pub(crate) struct Server {
    front: Front,
    app: Arc<App>,
    admin: Arc<Admin>,
    /// The admin page's own, if it has one.
    admin_front: Option<Front>,
    sender: Arc<Sender>,
    shutdown_grace: Duration,
    /// Heard from the start: who reads that the server listens may signal it at once.
    signals: Signals,
}

impl Server {
    /// Opens the database, takes the port, starts the threads.
    pub(crate) fn start(config: Config, jwt_secret: Option<&str>) -> Result<Self, StartError> {
        metrics::start();
        let folder = config.storage.folder.clone();
        let storage = |error| StartError::Storage { folder: folder.clone(), error };
        let store = Store::open(&config.storage).map_err(storage)?;
        let keys = config::token_keys(jwt_secret, &folder)?;
        let tokens = Tokens::new(&keys)?;
        let chat = Chat::new(store.clone(), clock::now()).map_err(storage)?;
        let address = config.http.listen;
        let front = Front::bind(config.http.clone()).map_err(|error| StartError::Listen { address, error })?;
        let admin_front = config.admin_listen.map(|listen| bind_admin(listen, &config.http)).transpose()?;
        let places = Places::new(config.http.generations);
        let commits = Permits::new(config.http.commits);
        let shutdown_grace = config.shutdown_grace;
        let own_origins = own_origins(&config, front.local_addr());
        let sender = Arc::new(Sender::start(store.clone(), &config.webhooks)?);
        let snapshot = snapshot(config, own_origins, None).map_err(storage)?;
        let admin = Arc::new(Admin::new(store.clone()));
        let app = Arc::new(App {
            snapshot: RwLock::new(Arc::new(snapshot)),
            tokens,
            chat,
            store,
            places,
            commits,
            front: front.handle(),
        });
        let signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
        Ok(Self { front, app, admin, admin_front, sender, shutdown_grace, signals })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.front.local_addr()
    }

    /// Where the admin page is, and what is to be said against that; none while it has no password.
    pub(crate) fn admin_page(&self) -> Option<(String, Option<String>)> {
        if !self.admin.is_on() {
            return None;
        }
        let config = &self.app.snapshot.read().config;
        let address = self.admin_front.as_ref().map_or(self.local_addr(), Front::local_addr);
        Some((format!("http://{address}{}", admin::ROOT), admin::exposure(config)))
    }

    /// Where `/metrics` can be read, if anywhere.
    pub(crate) fn metrics(&self) -> Option<String> {
        let address = self.admin_front.as_ref().map(Front::local_addr)?;
        let is_served = admin::are_metrics_served(&self.app.snapshot.read().config, address);
        is_served.then(|| format!("http://{address}/metrics"))
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.app.store.path().to_owned()
    }

    /// Serves until a signal says to stop and everything has ended.
    pub(crate) fn run(self, reload: Reload) -> io::Result<()> {
        let Self { front, app, admin, admin_front, sender, shutdown_grace, signals } = self;
        let address = front.local_addr();
        std::thread::Builder::new().name("signals".into()).spawn({
            let (app, sender) = (app.clone(), sender.clone());
            move || obey(signals, &app, address, &sender, &reload, shutdown_grace)
        })?;
        let has_own_front = admin_front.is_some();
        let admin_running = admin_front.map(|front| run_admin(front, &admin, &app)).transpose()?;
        let janitor = Janitor::start(app.store.clone(), {
            let app = app.clone();
            Box::new(move || app.snapshot.read().config.retention)
        })?;
        supervisor::watch(front.handle(), app.store.clone())?;
        supervisor::ready(&status(&app, address));
        front.run({
            let app = app.clone();
            move |request, responder| {
                if !has_own_front && admin::is_wanted(&request) && admin.is_on() {
                    let snapshot = app.snapshot.read().clone();
                    admin::handle(&admin, &snapshot.config, &request, responder)
                } else {
                    api::handle(&app, request, responder)
                }
            }
        })?;
        sender.stop();
        // Last, so that the owner may watch how the rest ends.
        if let Some((handle, thread)) = admin_running {
            handle.drain();
            handle.close();
            let _ = thread.join();
        }
        janitor.stop();
        app.store.close();
        tracing::info!("stopped");
        Ok(())
    }
}

fn bind_admin(listen: SocketAddr, http: &http::Settings) -> Result<Front, StartError> {
    let settings = http::Settings {
        listen,
        workers: ADMIN_WORKERS,
        generations: ADMIN_RESTS,
        commits: 0,
        connections_max: ADMIN_CONNECTIONS,
        connections_per_address_max: ADMIN_CONNECTIONS,
        ..http.clone()
    };
    Front::bind(settings).map_err(|error| StartError::Listen { address: listen, error })
}

/// Serves the admin page and the metrics, and nothing else, on a thread of its own.
fn run_admin(front: Front, admin: &Arc<Admin>, app: &Arc<App>) -> io::Result<(FrontHandle, JoinHandle<()>)> {
    let handle = front.handle();
    let (admin, app) = (admin.clone(), app.clone());
    let listen = front.local_addr();
    let thread = std::thread::Builder::new().name("admin".into()).spawn(move || {
        let ended = front.run(move |request, responder| {
            let snapshot = app.snapshot.read().clone();
            let metrics = Scrape { listen, text: &|| readings::text(&app) };
            admin::handle_alone(&admin, &snapshot.config, &metrics, &request, responder)
        });
        if let Err(error) = ended {
            tracing::error!(%error, "the admin page is not served");
        }
    })?;
    Ok((handle, thread))
}

/// What the signals ask for. The second that asks to stop is obeyed at once.
fn obey(
    mut signals: Signals,
    app: &Arc<App>,
    address: SocketAddr,
    sender: &Sender,
    reload: &Reload,
    shutdown_grace: Duration,
) {
    let mut is_stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP if is_stopping => {
                reload_into(app, sender, reload);
            }
            SIGHUP => {
                supervisor::reloading();
                let note =
                    if reload_into(app, sender, reload) { "" } else { "; widget.toml was not reloaded, see the log" };
                supervisor::ready(&format!("{}{note}", status(app, address)));
            }
            _ if is_stopping => {
                tracing::warn!("stopped at once, by a second signal");
                std::process::exit(1);
            }
            _ => {
                is_stopping = true;
                supervisor::stopping(&format!("Stopping: running answers have {shutdown_grace:?} to end"));
                tracing::info!(
                    "stopping: running answers have {shutdown_grace:?} to end; a second signal stops at once"
                );
                app.front.drain();
                let app = app.clone();
                // The signals go on being heard here: this thread is the last that is ever started.
                let waiter = std::thread::Builder::new().name("shutdown".into());
                if let Err(error) = waiter.spawn(move || end_generations(&app, shutdown_grace)) {
                    tracing::error!(%error, "cannot wait for running answers");
                    std::process::exit(1);
                }
            }
        }
    }
}

/// Waits for the running answers, then ends those that remain, and last cuts off the clients that are slow. If there are
/// none, the front returns by itself, and the process ends before this does.
fn end_generations(app: &App, shutdown_grace: Duration) {
    let places = app.places.permits();
    if !places.wait_until_none_is_held(shutdown_grace) {
        tracing::warn!(running = places.held(), "ending the answers that are still running");
        app.chat.stop();
        places.wait_until_none_is_held(STOP_GRACE);
    }
    std::thread::sleep(CLIENT_GRACE);
    tracing::warn!("closing the connections of clients that are still sending or reading");
    app.front.close();
}

/// For the service manager's one line.
fn status(app: &App, address: SocketAddr) -> String {
    let config = &app.snapshot.read().config;
    let agents = config.agents.len();
    format!("Serving {agents} agent{} on http://{}/", if agents == 1 { "" } else { "s" }, address)
}

/// Takes a new configuration over whole, or stays with the old one and says false.
fn reload_into(app: &App, sender: &Sender, reload: &Reload) -> bool {
    let config = match reload() {
        Ok(config) => config,
        Err(complaints) => {
            tracing::error!("widget.toml was not reloaded, the old configuration stays:\n{complaints}");
            return false;
        }
    };
    let old = app.snapshot.read().clone();
    let admin_moved = config.admin_listen != old.config.admin_listen;
    let log_changed = config.log != old.config.log;
    if config.http != old.config.http || config.storage != old.config.storage || admin_moved || log_changed {
        tracing::warn!(
            "[server], [admin], [log] and [storage] are read at start only: restart for what was changed there"
        );
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    match snapshot(config, old.own_origins.clone(), Some(&old)) {
        Ok(new) => {
            let agents = new.config.agents.len();
            // First: what is written for a webhook that is new must not be taken for one of none.
            sender.configure(&new.config.webhooks);
            let names = new.config.models.iter().map(|model| model.name.as_str()).chain([model::BUILTIN]);
            metrics::models().keep(&names.collect::<Vec<_>>());
            *app.snapshot.write() = Arc::new(new);
            app.front.warn_again();
            tracing::info!(agents, "widget.toml reloaded");
            true
        }
        Err(error) => {
            tracing::error!(%error, "widget.toml was not reloaded, the old configuration stays");
            false
        }
    }
}

/// What a configuration comes to. Windows and models whose settings did not change are taken over with what they know.
fn snapshot(config: Config, own_origins: Vec<Origin>, old: Option<&Snapshot>) -> Result<Snapshot, StoreError> {
    let links = links(&config, old);
    let assistants =
        config.agents.iter().map(|agent| (agent.id().clone(), Arc::new(assistant(agent, &config, &links))));
    let limits = match old {
        Some(old) if *old.limits.rates() == config.limits => old.limits.clone(),
        _ => Arc::new(Limits::new(&config.limits)),
    };
    Ok(Snapshot {
        assistants: assistants.collect(),
        faq: FaqIndex::build(&config.agents)?,
        own_origins,
        limits,
        links: config.models.iter().filter_map(|model| links.get(model.name.as_str()).cloned()).collect(),
        config,
    })
}

fn links(config: &Config, old: Option<&Snapshot>) -> HashMap<String, Arc<Link>> {
    let known = |settings: &model::Settings| old?.links.iter().find(|link| link.has_settings(settings)).cloned();
    let models = config.models.iter().map(|settings| {
        let link =
            known(settings).unwrap_or_else(|| Arc::new(Link::open_ai(settings.clone(), config.http.generations)));
        (settings.name.clone(), link)
    });
    models.chain([(model::BUILTIN.to_owned(), Arc::new(Link::builtin()))]).collect()
}

fn assistant(agent: &Arc<Agent>, config: &Config, links: &HashMap<String, Arc<Link>>) -> Assistant {
    let settings = |name: &String| config.models.iter().find(|model| model.name == *name);
    let context_tokens = agent.models.iter().filter_map(settings).map(|model| model.context_tokens).min();
    Assistant {
        agent: agent.clone(),
        chain: Arc::new(Chain::new(agent.models.iter().filter_map(|name| links.get(name).cloned()).collect())),
        // The builtin model reads no prompt: without another one nothing need be put into it.
        context_tokens: context_tokens.unwrap_or(0),
        prices: Prices::new(config.prices.iter().filter(|(name, _)| agent.models.contains(name)).cloned().collect()),
        all_agents: config.all_agents,
        subscribers: webhook::subscribers(&config.webhooks, agent.id()),
    }
}

/// The origins that `"self"` stands for: the public one, and on loopback both names with the port that is listened on.
pub(crate) fn own_origins(config: &Config, listen: SocketAddr) -> Vec<Origin> {
    let mut own: Vec<Origin> = config.public_url.iter().cloned().collect();
    let port = listen.port();
    if listen.ip().is_loopback() || listen.ip().is_unspecified() {
        let names = [
            format!("http://localhost:{port}"),
            format!("http://{}:{port}", Ipv4Addr::LOCALHOST),
            format!("http://[::1]:{port}"),
        ];
        own.extend(names.iter().filter_map(|name| Origin::parse(name).ok()));
    } else {
        own.extend(Origin::parse(&format!("http://{listen}")).ok());
    }
    own
}
