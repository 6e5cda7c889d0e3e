//! The log: one line an event on standard error, plain or JSON. Set up once, at start.
//!
//! Texts from outside are logged as quoted values, so that they cannot forge a line. At `info` and above no id of a
//! visitor or a conversation and no message text appears: who logs sees to it.

use tracing::level_filters::LevelFilter;

/// What is logged, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) level: LevelFilter,
    pub(crate) json: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: LevelFilter::INFO, json: false }
    }
}

/// The levels by their names in `widget.toml`.
pub(crate) const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// From here on, events go to standard error. A second call changes nothing.
pub(crate) fn start(settings: Settings) {
    let lines =
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(settings.level).with_target(false);
    if settings.json {
        let _ = tracing::subscriber::set_global_default(lines.json().flatten_event(true).finish());
    } else {
        let _ = tracing::subscriber::set_global_default(lines.finish());
    }
}
