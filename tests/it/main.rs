//! The black-box tests: the real binary, over real sockets, with a scripted model beside it. One file a section of the
//! contract, then one a threat. See `support` for what they stand on.

#![allow(clippy::unwrap_used, clippy::expect_used)] // all of this crate is test code

#[path = "../fake_model/mod.rs"]
mod fake_model;
mod support;

// The contract, section by section.
mod agent_config;
mod budgets;
mod ceilings;
mod check;
mod cors;
mod demo_page;
mod events;
mod health;
mod idempotency;
mod init;
mod leads;
mod limits;
mod me;
mod messages;
mod origins;
mod overload;
mod resume;
mod script;
mod stream;
mod stream_test;
mod tls;
mod tokens;

// For the owner.
mod admin;
mod admin_login;
mod admin_scale;
mod metrics;
mod webhooks;

// What can go wrong.
mod backup;
mod behind_caddy;
mod behind_nginx;
mod behind_proxy;
mod clients_vanish;
mod clock;
mod connections;
mod disk_full;
mod durability;
mod front;
mod http_ambiguity;
mod http_torture;
mod kill;
mod model_breaker;
mod model_faults;
mod old_defects;
mod proxy_warnings;
mod regression;
mod retention;
mod secrets;
mod shutdown;
mod stopping;
mod systemd;
mod upgrade;

// What the owner sees.
mod owner_lists;

// The program and its source.
mod cli;
mod completions;
mod doctor;
mod first_steps;
mod import_faq;
mod install;
mod pause;
mod tidy;
