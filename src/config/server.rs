//! `[server]`, `[log]`, `[storage]` and `[limits]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::section::Section;
use super::{Limits, Overrides};
use crate::domain::origin::Origin;
use crate::limiter::Rate;
use crate::{http, log, store};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// `[server]`, as far as it is not the front's.
pub(super) struct Server {
    pub(super) http: http::Settings,
    pub(super) public_url: Option<Origin>,
    pub(super) shutdown_grace: Duration,
}

pub(super) fn server(root: &Section<'_>, overrides: &Overrides) -> Server {
    let section = root.section("server");
    let listen = section.text("listen", 100).and_then(|text| {
        text.parsed(|text| {
            text.parse::<SocketAddr>().map_err(
                |_| "is no address with a port: write \"127.0.0.1:8080\", or \"[::1]:8080\"",
            )
        })
    });
    let public_url = section.text("public_url", 300).and_then(|text| {
        text.parsed(|text| {
            let origin = Origin::parse(text)
                .map_err(|error| format!("{error}: write \"https://chat.example.com\""));
            origin.and_then(|origin| match origin.as_str().starts_with("http") {
                true => Ok(origin),
                false => Err("is no web address: write \"https://chat.example.com\"".to_owned()),
            })
        })
    });
    let brief = SECOND / 100..=HOUR;
    let server = Server {
        http: http::Settings {
            listen: overrides
                .listen
                .or(listen)
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            workers: section.count_or("workers", 16, 1..=256),
            generations: section.count_or("generations", 64, 1..=10_000),
            connections_max: section.count_or("max_connections", 512, 16..=100_000),
            connections_per_address_max: section.count_or(
                "max_connections_per_address",
                32,
                1..=100_000,
            ),
            trusted_proxies: trusted_proxies(&section),
            head_timeout: section.duration_or("head_timeout", SECOND * 10, brief.clone()),
            body_timeout: section.duration_or("body_timeout", SECOND * 20, brief.clone()),
            idle_timeout: section.duration_or("idle_timeout", SECOND * 60, brief.clone()),
            write_timeout: section.duration_or("write_timeout", SECOND * 10, brief),
            body_bytes_max: 64 * 1024,
        },
        public_url,
        shutdown_grace: section.duration_or("shutdown_grace", SECOND * 20, Duration::ZERO..=HOUR),
    };
    section.finish();
    server
}

fn trusted_proxies(section: &Section<'_>) -> http::TrustedProxies {
    let mut proxies = http::TrustedProxies::default();
    for text in section.texts("trusted_proxies", 100, 100) {
        text.parsed(|text| {
            proxies
                .add(text)
                .map_err(|error| format!("{error}: write one of these"))
        });
    }
    proxies
}

pub(super) fn log(root: &Section<'_>, overrides: &Overrides) -> log::Settings {
    let section = root.section("log");
    let defaults = log::Settings::default();
    let mut settings = log::Settings {
        level: section
            .choice("level", &log::LEVELS)
            .unwrap_or(defaults.level),
        json: section
            .choice("format", &[("plain", false), ("json", true)])
            .unwrap_or(defaults.json),
    };
    for word in overrides
        .log
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|word| !word.is_empty())
    {
        match (word, log::LEVELS.iter().find(|(name, _)| *name == word)) {
            (_, Some((_, level))) => settings.level = *level,
            ("plain", _) => settings.json = false,
            ("json", _) => settings.json = true,
            _ => root.complain(
                "",
                format!("--log or WIDGETD_LOG: {word:?} is not known: write a level (off, error, warn, info, debug, trace), a format (plain, json), or both: \"debug,json\""),
            ),
        }
    }
    section.finish();
    settings
}

/// `home` is the folder of the file: relative paths begin there.
pub(super) fn storage(root: &Section<'_>, overrides: &Overrides, home: &Path) -> store::Settings {
    let section = root.section("storage");
    let folder = home.join(section.string_or("folder", "data", 4000));
    let settings = store::Settings {
        folder: overrides
            .data
            .clone()
            .unwrap_or_else(|| PathBuf::from(&folder)),
        readers: u32::try_from(section.count_or("readers", 4, 1..=64)).unwrap_or(4),
        free_disk_floor_bytes: section.size_or("free_disk_floor", 256 << 20),
    };
    section.finish();
    settings
}

pub(super) fn limits(root: &Section<'_>) -> Limits {
    let section = root.section("limits");
    let a_minute = |requests| Rate {
        requests,
        window: MINUTE,
    };
    let limits = Limits {
        init_per_address: section.rate_or("init_per_address", a_minute(60)),
        messages_per_address: section.rate_or("messages_per_address", a_minute(30)),
        leads_per_token: section.rate_or("leads_per_token", a_minute(5)),
        leads_per_address: section.rate_or("leads_per_address", a_minute(10)),
        events_per_token: section.rate_or("events_per_token", a_minute(600)),
    };
    section.finish();
    limits
}

pub(super) fn resume_window(root: &Section<'_>) -> Duration {
    let section = root.section("conversation");
    let window = section.duration_or("resume_window", HOUR * 24, Duration::ZERO..=HOUR * 24 * 365);
    section.finish();
    window
}
