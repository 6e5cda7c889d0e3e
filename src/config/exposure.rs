//! What `[server]` says of who reaches the server, and by whom: what cannot be meant so is warned of, at start, by
//! `widgetd check` and after a reload.

use crate::config::Surroundings;
use crate::config::section::Section;
use crate::domain::origin::Origin;
use crate::http;

pub(super) fn warn(server: &Section, http: &http::Settings, public_url: Option<&Origin>, surroundings: &Surroundings) {
    let warn = |key: &'static str, text: &str| surroundings.notes.warn(server.get(key).place(), text);
    let listen = http.listen.ip().to_canonical();
    let is_exposed = !listen.is_loopback();
    let proxies = &http.trusted_proxies;
    if public_url.is_none() && is_exposed {
        warn(
            "public_url",
            "not set, and the server listens beyond this machine: \"self\" in allowed_origins stands for no address \
             that visitors use; write the one that they see, such as \"https://chat.example.com\"",
        );
    } else if public_url.is_none() && !proxies.is_empty() {
        warn(
            "public_url",
            "not set, though a proxy stands before the server: \"self\" in allowed_origins stands for no address that \
             visitors use; write the one that they see, such as \"https://chat.example.com\"",
        );
    }
    if proxies.is_empty() {
        if is_exposed || public_url.is_some_and(|url| !url.is_loopback()) {
            warn(
                "trusted_proxies",
                "not set: if a reverse proxy stands before this server, all visitors share one address and its limits; \
                 write the proxy's, such as [\"127.0.0.1\"]",
            );
        }
        return;
    }
    if proxies.are_wide() {
        warn(
            "trusted_proxies",
            "holds more than your proxies can be: whoever is in such a network may be as many addresses as he likes, and \
             no limit by address binds him; write your proxies' own, such as [\"127.0.0.1\"]",
        );
    } else if is_exposed && proxies.are_loopback() {
        warn(
            "listen",
            "is reached from beyond this machine, though the only proxy that is trusted is on it: visitors can come past \
             it, without TLS; write listen = \"127.0.0.1:8080\", or into trusted_proxies where your proxies are",
        );
    } else if !is_exposed && !proxies.contain(listen) {
        warn(
            "trusted_proxies",
            &format!(
                "has no address of this machine, from where alone the server is reached: all visitors share one address \
                 and its limits; add \"{listen}\", or listen where your proxies reach it"
            ),
        );
    }
}
