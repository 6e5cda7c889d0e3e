//! widgetd: the AI chat widget that a small team hosts itself.

mod clock;
mod domain;
