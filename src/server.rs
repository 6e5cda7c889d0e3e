//! The one composition root: builds every room from the configuration, runs them, and stops them in order.
//!
//! Stopping: the front closes its listener and the idle connections; running answers have `shutdown_grace` to end; what
//! still runs then fails as shutting down and is stored as partial. The front returns when the last connection has gone,
//! so that who has sent a request gets its answer; slow clients are waited for a few seconds at most. Last, the writer
//! commits what has queued and closes.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::api::{self, App, Limits, Places, Snapshot};
use crate::chat::{Assistant, Chat};
use crate::clock;
use crate::config::{self, Complaints, Config};
use crate::domain::agent::Agent;
use crate::domain::origin::Origin;
use crate::http::{Front, Permits};
use crate::janitor::Janitor;
use crate::model::{self, Chain, Link};
use crate::store::{FaqIndex, Store, StoreError};
use crate::token::{KeyError, Tokens};

/// How long an answer that was told to stop may take to be stored.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// How long clients may take, once no answer is generated any more, to end their requests and to read what was answered.
/// Longer than a write waits for a lock on the database.
const CLIENT_GRACE: Duration = Duration::from_secs(3);

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
    shutdown_grace: Duration,
    /// Heard from the start: who reads that the server listens may signal it at once.
    signals: Signals,
}

impl Server {
    /// Opens the database, takes the port, starts the threads.
    pub(crate) fn start(config: Config, jwt_secret: Option<&str>) -> Result<Self, StartError> {
        let folder = config.storage.folder.clone();
        let storage = |error| StartError::Storage { folder: folder.clone(), error };
        let store = Store::open(&config.storage).map_err(storage)?;
        let keys = config::token_keys(jwt_secret, &folder)?;
        let tokens = Tokens::new(&keys)?;
        let chat = Chat::new(store.clone(), clock::now()).map_err(storage)?;
        let address = config.http.listen;
        let front = Front::bind(config.http.clone()).map_err(|error| StartError::Listen { address, error })?;
        let places = Places::new(config.http.generations);
        let commits = Permits::new(config.http.commits);
        let shutdown_grace = config.shutdown_grace;
        let own_origins = own_origins(&config, front.local_addr());
        let snapshot = snapshot(config, own_origins, None).map_err(storage)?;
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
        Ok(Self { front, app, shutdown_grace, signals })
    }

    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.front.local_addr()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.app.store.path().to_owned()
    }

    /// Serves until a signal says to stop and everything has ended.
    pub(crate) fn run(self, reload: Reload) -> io::Result<()> {
        let Self { front, app, shutdown_grace, signals } = self;
        std::thread::Builder::new().name("signals".into()).spawn({
            let app = app.clone();
            move || obey(signals, &app, &reload, shutdown_grace)
        })?;
        let janitor = Janitor::start(app.store.clone(), {
            let app = app.clone();
            Box::new(move || app.snapshot.read().config.retention)
        })?;
        front.run({
            let app = app.clone();
            move |request, responder| api::handle(&app, request, responder)
        })?;
        janitor.stop();
        app.store.close();
        tracing::info!("stopped");
        Ok(())
    }
}

/// What the signals ask for. The second that asks to stop is obeyed at once.
fn obey(mut signals: Signals, app: &Arc<App>, reload: &Reload, shutdown_grace: Duration) {
    let mut is_stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => reload_into(app, reload),
            _ if is_stopping => {
                tracing::warn!("stopped at once, by a second signal");
                std::process::exit(1);
            }
            _ => {
                is_stopping = true;
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

/// Takes a new configuration over whole, or stays with the old one.
fn reload_into(app: &App, reload: &Reload) {
    let config = match reload() {
        Ok(config) => config,
        Err(complaints) => {
            tracing::error!("widget.toml was not reloaded, the old configuration stays:\n{complaints}");
            return;
        }
    };
    let old = app.snapshot.read().clone();
    if config.http != old.config.http || config.storage != old.config.storage {
        tracing::warn!("[server] and [storage] are read at start only: restart for what was changed there");
    }
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    match snapshot(config, old.own_origins.clone(), Some(&old)) {
        Ok(new) => {
            let agents = new.config.agents.len();
            *app.snapshot.write() = Arc::new(new);
            tracing::info!(agents, "widget.toml reloaded");
        }
        Err(error) => {
            tracing::error!(%error, "widget.toml was not reloaded, the old configuration stays")
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
