//! widgetd: the AI chat widget that a small team hosts itself.

#![allow(dead_code)] // until the rooms that call these are here

mod clock;
mod domain;
mod http;
mod limiter;
mod log;
mod model;
mod store;
mod token;
