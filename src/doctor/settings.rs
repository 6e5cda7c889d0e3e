//! What `widget.toml` allows and its owner probably does not want, as far as sites and their visitors are concerned. It needs no
//! network: `widgetd check` tells the same in the same words. Pure.

use url::Url;

use super::finding::Finding;
use super::{local, paths};
use crate::config::Config;
use crate::domain::agent::Agent;
use crate::domain::origin::Origin;

const ADDRESS_ADVICE: &str = "Write under [server] the address that visitors use, and start widgetd again:";
const ADDRESS_LINE: &str = "public_url = \"https://chat.example.com\"";

/// All of it.
pub(crate) fn findings(config: &Config) -> Vec<Finding> {
    let mut findings = of_server(config);
    findings.extend(config.agents.iter().flat_map(|agent| of_agent(agent)));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// How visitors reach the server.
pub(super) fn of_server(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_proxied = !config.http.trusted_proxies.is_empty();
    // Without a proxy, but beyond this machine, the reader of the file warns of it.
    if config.public_url.is_none() && is_proxied && config.http.listen.ip().to_canonical().is_loopback() {
        findings.push(
            Finding::warning(
                "public-url-missing",
                "trusted_proxies is set and public_url is not: the tags that are printed, and \"self\", name an address \
                 that no visitor can reach.",
            )
            .advise(ADDRESS_ADVICE)
            .line(ADDRESS_LINE),
        );
    }
    let is_beyond = |url: &&Origin| Url::parse(url.as_str()).is_ok_and(|url| !local::is_loopback(&url));
    let is_plain = |url: &&Origin| url.as_str().starts_with("http://");
    let mut sites = config.agents.iter().flat_map(|agent| &agent.allowed_origins.exact);
    if let Some(public) = config.public_url.as_ref().filter(is_plain).filter(is_beyond)
        && let Some(site) = sites.find(|site| site.as_str().starts_with("https://"))
    {
        findings.push(
            Finding::error(
                "public-url-not-https",
                format!("public_url is {public}, and {site} is https://: browsers load no http:// script there."),
            )
            .advise("Put a proxy with TLS before widgetd, write under [server], and start it again:")
            .line(format!("public_url = \"{}\"", public.as_str().replacen("http://", "https://", 1))),
        );
    }
    findings
}

/// For a site elsewhere, whose owner is to be given a tag: nothing, if it was told already.
pub(super) fn unknown_to_visitors(config: &Config) -> Option<Finding> {
    let is_told = of_server(config).iter().any(|finding| finding.id == "public-url-missing");
    let found = "widget.toml has no public_url: the tag that is printed names an address that visitors cannot reach.";
    (!is_told).then(|| Finding::warning("public-url-missing", found).advise(ADDRESS_ADVICE).line(ADDRESS_LINE))
}

/// Which sites and pages have the agent.
pub(super) fn of_agent(agent: &Agent) -> Vec<Finding> {
    let mut findings = Vec::new();
    let allowed = &agent.allowed_origins;
    let id = agent.id();
    let public = allowed.exact.iter().filter(|origin| local::is_public(origin));
    for origin in public {
        if let Some(twin) = local::scheme_twin(origin).filter(|_| origin.as_str().starts_with("http://")) {
            let https = if allowed.exact.contains(&twin) { "" } else { ", and its https:// twin is not" };
            let line = if https.is_empty() { String::new() } else { allowed.line_with(&twin) };
            let finding = Finding::warning(
                "origin-not-https",
                format!("Agent \"{id}\" allows {origin}{https}: what visitors say there can be read on the way."),
            )
            .advise("Let that site redirect to https://, and allow its https:// origin alone:");
            findings.push(if line.is_empty() { finding } else { finding.line(line) });
        }
        if let Some(twin) = local::www_twin(origin).filter(|twin| !allowed.exact.contains(twin)) {
            findings.push(
                Finding::note(
                    "origin-twin-missing",
                    format!("Agent \"{id}\" allows {origin} and not {twin}, which is another origin."),
                )
                .advise(format!("If {twin} shows pages, and does not redirect, write for the agent:"))
                .line(allowed.line_with(&twin)),
            );
        }
    }
    if let Some(pattern) = agent.appearance.restricted_paths.iter().find(|pattern| paths::matches_all(pattern)) {
        findings.push(
            Finding::error(
                "paths-all-restricted",
                format!(
                    "restricted_paths of agent \"{id}\" has \"{pattern}\", which is every page: the widget never shows."
                ),
            )
            .advise("Write for the agent:")
            .line(line_of_paths(agent, |other| !paths::matches_all(other))),
        );
    }
    findings
}

/// `restricted_paths` with those patterns that are kept.
pub(super) fn line_of_paths(agent: &Agent, is_kept: impl Fn(&str) -> bool) -> String {
    let kept = agent.appearance.restricted_paths.iter().filter(|pattern| is_kept(pattern));
    format!("restricted_paths = [{}]", kept.map(|pattern| format!("\"{pattern}\"")).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agent::sample;

    fn found(origins: &[&str], paths: &[&str]) -> Vec<(&'static str, Vec<String>)> {
        let mut agent = sample();
        agent.allowed_origins.exact = origins.iter().map(|origin| Origin::parse(origin).unwrap()).collect();
        agent.appearance.restricted_paths = paths.iter().map(|&path| path.to_owned()).collect();
        of_agent(&agent).into_iter().map(|finding| (finding.id, finding.lines)).collect()
    }

    #[test]
    fn twins_that_are_missing_are_told_with_the_whole_line() {
        assert_eq!(
            found(&["https://www.example.com"], &[]),
            [(
                "origin-twin-missing",
                vec!["allowed_origins = [\"https://www.example.com\", \"https://example.com\"]".to_owned()]
            )]
        );
        assert_eq!(found(&["https://www.example.com", "https://example.com"], &[]), []);
        assert_eq!(found(&["http://localhost:3000", "http://192.168.1.7", "https://shop.example.com"], &[]), []);
    }

    #[test]
    fn plain_http_of_a_public_site_is_told() {
        let ids = |origins: &[&str]| found(origins, &[]).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(&["http://shop.example.com"]), ["origin-not-https"]);
        assert_eq!(ids(&["http://shop.example.com", "https://shop.example.com"]), ["origin-not-https"]);
        assert_eq!(ids(&["http://shop.local"]), [""; 0]);
    }

    #[test]
    fn a_pattern_that_hides_the_widget_everywhere_is_told() {
        assert_eq!(
            found(&[], &["/checkout*", "/*"]),
            [("paths-all-restricted", vec!["restricted_paths = [\"/checkout*\"]".to_owned()])]
        );
        assert_eq!(found(&[], &["/checkout*"]), []);
    }
}
