//! widgetd: the AI chat widget that a small team hosts itself.

mod admin;
mod api;
mod chat;
mod cli;
mod clock;
mod config;
mod doctor;
mod domain;
mod export;
mod faq_import;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod http;
mod janitor;
mod limiter;
mod log;
mod metrics;
mod model;
mod server;
mod store;
mod supervisor;
mod token;
mod webhook;
mod widget;

/// Runs the command of this process's arguments.
pub fn main() -> std::process::ExitCode {
    cli::main()
}
