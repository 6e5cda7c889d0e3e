//! The owner's own servers are told of leads and of questions that nobody could answer.
//!
//! What is to be told lies in the outbox, written in the transaction of what happened. One thread ([`Sender`]) posts it
//! ([`Target`]), signs it ([`signature`]), and tries again for about a day ([`schedule`]). A receiver is told at least
//! once: who was killed between a post and its note posts again, under the same ids. Order is not promised.
//!
//! A name that leads into a private network is refused after it was looked up, and the connection goes to the address
//! that was checked. Nothing here knows SQL or what a visitor is.

mod body;
mod schedule;
mod sender;
mod signature;
mod target;

use url::{Host, Url};

pub(crate) use sender::Sender;
pub(crate) use target::{Notice, Target};

use crate::domain::id::AgentId;
use crate::domain::network;
use crate::domain::secret::Secret;
use crate::domain::webhook::{Occasion, Subscribers};

/// One `[[webhook]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) name: String,
    pub(crate) url: String,
    /// What it is told of; at least one.
    pub(crate) events: Vec<Occasion>,
    /// Whose; empty: every agent's.
    pub(crate) agents: Vec<AgentId>,
    /// What signs. Without one nothing is signed.
    pub(crate) secret: Option<Secret>,
    pub(crate) format: Format,
    /// Whether it may be in a private network.
    pub(crate) allow_private: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// The event itself.
    Json,
    /// A message for people, as chat tools take it from Slack's webhooks.
    Slack,
}

/// Those of `webhooks` that are told of `agent`.
pub(crate) fn subscribers(webhooks: &[Settings], agent: &AgentId) -> Subscribers {
    let told = webhooks.iter().filter(|webhook| webhook.agents.is_empty() || webhook.agents.contains(agent));
    Subscribers::new(told.map(|webhook| (webhook.name.clone(), webhook.events.clone())))
}

/// Why a text is no URL of a webhook. Each is the end of a sentence that began with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("is not a URL")]
    NotAUrl,
    #[error("holds a user name or a password")]
    UserInfo,
    #[error("is not encrypted, which only a receiver in your own network may be")]
    Plain,
    #[error("is an address in a private network")]
    Private,
}

/// Checks a URL as far as it can be without a look-up, and gives its normal form.
pub(crate) fn parse_url(text: &str, allow_private: bool) -> Result<String, UrlError> {
    let url = Url::parse(text).map_err(|_| UrlError::NotAUrl)?;
    let address = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        Some(Host::Domain(_)) => None,
        None => return Err(UrlError::NotAUrl),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlError::NotAUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError::UserInfo);
    }
    if !allow_private && address.is_some_and(|address| !network::is_public(address)) {
        return Err(UrlError::Private);
    }
    if !allow_private && url.scheme() == "http" {
        return Err(UrlError::Plain);
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_address_is_found_however_it_is_written() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0177.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "http://192.168.1.1/",
        ] {
            assert_eq!(parse_url(url, false), Err(UrlError::Private), "{url}");
            assert!(parse_url(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_receiver_beyond_the_own_network_is_told_over_tls() {
        assert_eq!(parse_url("https://Hooks.Example.com", false), Ok("https://hooks.example.com/".to_owned()));
        assert_eq!(parse_url("http://hooks.example.com/x", false), Err(UrlError::Plain));
        assert!(parse_url("http://hooks.example.com/x", true).is_ok());
        assert_eq!(parse_url("https://ann:pw@hooks.example.com/", true), Err(UrlError::UserInfo));
        for url in ["", "hooks.example.com", "/hook", "ftp://hooks.example.com/", "https://", "file:///etc/passwd"] {
            assert_eq!(parse_url(url, true), Err(UrlError::NotAUrl), "{url}");
        }
    }

    #[test]
    fn a_webhook_is_told_of_its_own_agents_and_events_alone() {
        let webhook = |name: &str, events: &[Occasion], agents: &[&str]| Settings {
            name: name.to_owned(),
            url: "https://hooks.example.com/".to_owned(),
            events: events.to_vec(),
            agents: agents.iter().map(|id| AgentId::parse(id).unwrap()).collect(),
            secret: None,
            format: Format::Json,
            allow_private: false,
        };
        let webhooks = [
            webhook("all", &Occasion::ALL, &[]),
            webhook("leads", &[Occasion::LeadCaptured], &["shop"]),
            webhook("other", &Occasion::ALL, &["blog"]),
        ];
        let told = |agent: &str, occasion| {
            let subscribers = subscribers(&webhooks, &AgentId::parse(agent).unwrap());
            subscribers.of(occasion).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(told("shop", Occasion::LeadCaptured), ["all", "leads"]);
        assert_eq!(told("shop", Occasion::LeadUpdated), ["all"]);
        assert_eq!(told("blog", Occasion::ConversationUnanswered), ["all", "other"]);
        let nobody = Subscribers::default();
        assert!(nobody.is_empty_for(&Occasion::ALL));
    }
}
