//! The contract's nouns: what an agent, a visitor, a conversation, a message, a lead and an event are, and when a
//! text is one. A value of these types is valid; text becomes one at the edge (`parse`) or is refused with one sentence.
//!
//! Nothing here does I/O, reads a clock or knows HTTP or SQL. Named by every room; names only itself.

pub(crate) mod agent;
pub(crate) mod conversation;
pub(crate) mod email;
pub(crate) mod event;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
pub(crate) mod id;
pub(crate) mod lead;
pub(crate) mod lead_values;
pub(crate) mod money;
pub(crate) mod network;
pub(crate) mod origin;
pub(crate) mod pieces;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod secret;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod visitor;
pub(crate) mod webhook;
