//! Whether an agent may be on a page: its origin, and its path. Pure.

use url::Url;

use super::finding::Finding;
use super::{local, paths, settings};
use crate::config::Config;
use crate::domain::agent::Agent;
use crate::domain::origin::{Origin, Received};

/// Nothing, if pages of this origin may use the agent; `own` are the server's own origins.
pub(crate) fn origin(agent: &Agent, origin: &Origin, own: &[Origin], config: &Config) -> Option<Finding> {
    let allowed = &agent.allowed_origins;
    if allowed.allow(&Received::Origin(origin.clone()), own) {
        return None;
    }
    let alike = allowed.exact.iter().find_map(|listed| Some((listed, difference(listed, origin)?)));
    let alike = alike.map_or_else(String::new, |(listed, difference)| {
        format!(" {listed} is allowed, which differs {difference}: to browsers that is another one.")
    });
    let id = agent.id();
    let advice = format!(
        "Add \"{origin}\" to allowed_origins of [[agent]] \"{id}\" in {}, then reload:",
        config.source.display()
    );
    let found = format!("Pages on {origin} may not use agent \"{id}\".{alike}");
    Some(Finding::error("origin-not-allowed", found).advise(advice).line(allowed.line_with(origin)))
}

/// In what two origins differ that people take for one.
fn difference(listed: &Origin, found: &Origin) -> Option<&'static str> {
    let parts = |origin: &Origin| {
        let url = Url::parse(origin.as_str()).ok()?;
        Some((url.scheme().to_owned(), url.host_str()?.to_owned(), url.port_or_known_default()))
    };
    let ((scheme, host, port), (other_scheme, other_host, other_port)) = (parts(listed)?, parts(found)?);
    if host == other_host && scheme != other_scheme {
        return Some("by its scheme (http, https)");
    }
    if host == other_host && port != other_port {
        return Some("by its port");
    }
    if local::www_twin(listed).as_ref() == Some(found) || local::www_twin(found).as_ref() == Some(listed) {
        return Some("by www.");
    }
    if host.trim_end_matches('.') == other_host.trim_end_matches('.') {
        return Some("by the dot at its end");
    }
    (strsim::damerau_levenshtein(&host, &other_host) <= 1).then_some("by a letter")
}

/// Nothing, if the agent's `restricted_paths` let the widget be on this page.
pub(super) fn path(agent: &Agent, page: &Url) -> Option<Finding> {
    let path = page.path();
    let restricted = &agent.appearance.restricted_paths;
    let pattern = restricted.iter().find(|pattern| paths::matches(pattern, path))?;
    // Told for the whole file.
    if paths::matches_all(pattern) {
        return None;
    }
    let found =
        format!("restricted_paths of agent \"{}\" has \"{pattern}\", which hides the widget on {path}.", agent.id());
    Some(
        Finding::error("path-restricted", found)
            .advise("If it is to show here, write for the agent:")
            .line(settings::line_of_paths(agent, |other| !paths::matches(other, path))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_told_apart() {
        let origin = |text| Origin::parse(text).unwrap();
        for (listed, found, expected) in [
            ("https://example.com", "http://example.com", Some("by its scheme (http, https)")),
            ("https://example.com", "https://example.com:8443", Some("by its port")),
            ("https://example.com", "https://www.example.com", Some("by www.")),
            ("https://www.example.com", "https://example.com", Some("by www.")),
            ("https://example.com", "https://example.com.", Some("by the dot at its end")),
            ("https://example.com", "https://exmaple.com", Some("by a letter")),
            ("https://example.com", "https://example.org", None),
        ] {
            assert_eq!(difference(&origin(listed), &origin(found)), expected, "{listed} {found}");
        }
    }
}
