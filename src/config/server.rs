//! The sections `[server]`, `[admin]`, `[log]`, `[storage]` and `[limits]`: defaults, bounds and the reason of each.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::config::section::Section;
use crate::config::value::Value;
use crate::config::{Limits, Surroundings, credential, exposure, urls};
use crate::domain::origin::Origin;
use crate::domain::secret::Secret;
use crate::http::{self, TrustedProxies};
use crate::limiter::Rate;
use crate::log;
use crate::store;

/// The contract's limit of a request body (section 2), so not a setting.
const BODY_BYTES_MAX: usize = 64 << 10;
const TRUSTED_PROXIES_MAX: usize = 100;
/// Nobody guesses them, however many they try.
const METRICS_TOKEN_CHARS_MIN: usize = 16;
const FORMATS: [(&str, bool); 2] = [("plain", false), ("json", true)];

pub(super) struct Server {
    pub(super) http: http::Settings,
    pub(super) public_url: Option<Origin>,
    pub(super) shutdown_grace: Duration,
}

pub(super) fn read(server: &Section, surroundings: &Surroundings) -> Server {
    let listen = server.get("listen").parse(parse_listen).unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080)));
    let public_url = server.get("public_url").parse(parse_public_url);
    // A descriptor each; the front lowers it to what the system allows.
    let connections_max = server.get("max_connections").integer(1..=100_000).unwrap_or(512);
    // Threads that never wait for anyone: a few for each core are all that help.
    let workers = server.get("workers").integer(1..=1024).unwrap_or(16);
    let http = http::Settings {
        listen: surroundings.overrides.listen.unwrap_or(listen),
        workers,
        // A thread of half a MiB of stack each, held while a model speaks.
        generations: server.get("generations").integer(1..=10_000).unwrap_or(64),
        // Enough that a burst on a slow disk is not refused.
        commits: 2 * workers,
        connections_max,
        connections_per_address_max: read_connections_per_address(
            &server.get("max_connections_per_address"),
            connections_max,
        ),
        trusted_proxies: read_trusted_proxies(&server.get("trusted_proxies")),
        head_timeout: timeout(&server.get("head_timeout"), 10),
        body_timeout: timeout(&server.get("body_timeout"), 20),
        idle_timeout: timeout(&server.get("idle_timeout"), 60),
        write_timeout: timeout(&server.get("write_timeout"), 10),
        body_bytes_max: BODY_BYTES_MAX,
    };
    // Longer than any supervisor waits before it kills is of no use.
    let shutdown_grace = server
        .get("shutdown_grace")
        .duration(Duration::ZERO..=Duration::from_mins(10))
        .unwrap_or(Duration::from_secs(20));
    exposure::warn(server, &http, public_url.as_ref(), surroundings);
    Server { http, public_url, shutdown_grace }
}

/// Of a connection. A client must be able to be slow, but not to stay for ever.
fn timeout(value: &Value, default_s: u64) -> Duration {
    value.duration(Duration::from_millis(100)..=Duration::from_hours(1)).unwrap_or(Duration::from_secs(default_s))
}

/// More than there are in all is a limit that never acts.
fn read_connections_per_address(value: &Value, connections_max: usize) -> usize {
    let per_address = value.integer(1..=100_000).unwrap_or(32);
    if value.is_present() && per_address > connections_max {
        value.complain(&format!("is more than max_connections; write at most {connections_max}"));
    }
    per_address.min(connections_max)
}

fn read_trusted_proxies(value: &Value) -> TrustedProxies {
    let mut proxies = TrustedProxies::default();
    for item in value.list(TRUSTED_PROXIES_MAX).unwrap_or_default() {
        item.parse(|text| {
            proxies
                .add(text)
                .map_err(|_| "is not an address or a network; write one like \"127.0.0.1\", \"10.0.0.0/8\" or \"::1\"")
        });
    }
    proxies
}

pub(super) struct Admin {
    pub(super) listen: Option<SocketAddr>,
    pub(super) metrics_token: Option<Secret>,
}

pub(super) fn read_admin(admin: &Section, main: SocketAddr, surroundings: &Surroundings) -> Admin {
    let value = admin.get("listen");
    let listen = value.parse(parse_listen);
    // Port 0 is a port of its own each time.
    if listen == Some(main) && main.port() != 0 {
        value.complain(
            "is where the server listens already; leave it out to have the admin page there, or write another port",
        );
    }
    Admin { listen, metrics_token: read_metrics_token(admin, listen, surroundings) }
}

fn read_metrics_token(admin: &Section, listen: Option<SocketAddr>, surroundings: &Surroundings) -> Option<Secret> {
    for wrong in ["metrics_token", "token"] {
        let text = "a token does not stand in this file; put it in a variable and write metrics_token_env = \
                    \"METRICS_TOKEN\", or in a file and write metrics_token_file = \"metrics.token\"";
        admin.refuse(wrong, text);
    }
    let token = credential::read(admin, "metrics_token_env", "metrics_token_file", surroundings);
    let Some((value, text)) = token else {
        let is_named = ["metrics_token_env", "metrics_token_file"].iter().any(|key| admin.get(key).is_present());
        if listen.is_some_and(|listen| !listen.ip().to_canonical().is_loopback()) && !is_named {
            surroundings.notes.warn(
                admin.get("metrics_token_env").place(),
                "not set, and [admin] listens beyond this machine: /metrics is served to nobody there; if you want it, \
                 write metrics_token_env = \"METRICS_TOKEN\", with what `openssl rand -hex 32` prints in that variable",
            );
        }
        return None;
    };
    // What a header can hold.
    let is_visible = text.bytes().all(|b| (0x20..=0x7e).contains(&b));
    if !is_visible || text.len() < METRICS_TOKEN_CHARS_MIN {
        value.complain(&format!(
            "gives a token that is no line of ASCII of at least {METRICS_TOKEN_CHARS_MIN} characters; make one with: \
             openssl rand -hex 32"
        ));
        return None;
    }
    if listen.is_none() {
        surroundings.notes.warn(
            value.place(),
            "opens nothing: /metrics is served on an address of its own alone; write listen = \"127.0.0.1:8081\" beside it",
        );
    }
    Some(Secret::new(text))
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = match text.parse::<IpAddr>() {
        Ok(host) => (Some(host), ""),
        Err(_) => {
            let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
            (host.parse().ok(), port)
        }
    };
    let host = host.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let port: u16 = port.parse().unwrap_or(8080);
    let meant = SocketAddr::new(host, port);
    Err(format!("is not an address and a port; write one like \"{meant}\" (\"0.0.0.0:{port}\" is every interface)"))
}

fn parse_public_url(text: &str) -> Result<Origin, String> {
    let origin = urls::exact_origin(text)?;
    if urls::is_http(origin.as_str()) {
        Ok(origin)
    } else {
        Err("is not reachable by a browser; write one that begins with https:// or http://".to_owned())
    }
}

pub(super) fn read_log(section: &Section, surroundings: &Surroundings) -> log::Settings {
    let defaults = log::Settings::default();
    let mut settings = log::Settings {
        level: section.get("level").choice(&log::LEVELS).unwrap_or(defaults.level),
        json: section.get("format").choice(&FORMATS).unwrap_or(defaults.json),
    };
    let wanted = surroundings.overrides.log.as_deref().unwrap_or_default();
    for word in wanted.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let level = log::LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let format = FORMATS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        match (level, format) {
            (Some((_, level)), _) => settings.level = *level,
            (_, Some((_, json))) => settings.json = *json,
            (None, None) => surroundings.notes.complain_of_override(
                "WIDGETD_LOG",
                format!(
                    "{word:?} is not known here; write off, error, warn, info, debug or trace, plain or json, or one of \
                     each with a comma between"
                ),
            ),
        }
    }
    settings
}

pub(super) fn read_storage(storage: &Section, surroundings: &Surroundings) -> store::Settings {
    // PATH_MAX of Linux.
    let folder = storage.get("folder").line(4096);
    let folder = surroundings.folder.join(folder.as_deref().unwrap_or("data"));
    store::Settings {
        folder: surroundings.overrides.data.clone().unwrap_or(folder),
        // More than there are cores to read with only hold memory.
        readers: storage.get("readers").integer(1..=64).unwrap_or(4),
        // 0 B switches the floor off.
        free_disk_floor_bytes: storage.get("free_disk_floor").bytes(0..=1 << 40).unwrap_or(256 << 20),
    }
}

pub(super) fn read_limits(limits: &Section) -> Limits {
    let rate_in = |key, requests, window| limits.get(key).rate().unwrap_or(Rate { requests, window });
    let rate = |key, requests_a_minute| rate_in(key, requests_a_minute, Duration::from_mins(1));
    Limits {
        init_per_address: rate("init_per_address", 60),
        // A page view costs one that no cache answers: an office shares an address.
        config_per_address: rate("config_per_address", 300),
        messages_per_address: rate("messages_per_address", 30),
        leads_per_token: rate("leads_per_token", 5),
        leads_per_address: rate("leads_per_address", 10),
        leads_per_agent: rate_in("leads_per_agent", 1000, Duration::from_hours(24)),
        events_per_token: rate("events_per_token", 600),
    }
}
