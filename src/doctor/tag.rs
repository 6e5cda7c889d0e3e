//! The tag by which a page includes the widget: is it there, does a browser run it, and is it right. Pure.
//!
//! What counts is what `src/widget/page.js` reads: the script's own address, `data-agent-id`, `?agent=`, `widgetdSettings`.

use url::Url;

use super::finding::{Finding, Severity};
use super::markup::{Markup, Place, Script};
use super::{integrity, local};
use crate::config::nearest;
use crate::domain::origin::Origin;
use crate::widget;

/// What the page is held against.
pub(super) struct Known<'a> {
    /// By which visitors reach the server, as far as is known.
    pub(super) server: &'a Origin,
    /// It is `public_url`; else it is a guess.
    pub(super) is_public: bool,
    /// All origins that are this server's.
    pub(super) own: &'a [Origin],
    /// In the file's order; never empty.
    pub(super) agents: Vec<&'a str>,
    /// The one that the page should have, if the caller said so.
    pub(super) wanted: Option<&'a str>,
}

impl Known<'_> {
    /// The line for the page.
    fn tag(&self, agent: Option<&str>) -> String {
        let first = self.agents.first().copied().unwrap_or_default();
        widget::tag(self.server.as_str(), agent.or(self.wanted).unwrap_or(first))
    }
}

/// A tag that a browser acts on.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    /// Where the script is.
    pub(super) url: Url,
    /// That the page asks for, if there is such a one.
    pub(super) agent: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) integrity: Option<String>,
    /// Which of the page's scripts it is.
    pub(super) index: usize,
}

impl Tag {
    /// It loads the script of the day, or this very one.
    pub(super) fn has_right_path(&self) -> bool {
        let path = self.url.path();
        path == "/widget.js" || pinned_hash(path) == Some(widget::hash())
    }
}

fn pinned_hash(path: &str) -> Option<&str> {
    path.strip_prefix("/w/")?.strip_suffix("/widget.js")
}

/// What tag managers are loaded from: what they insert is not in the page's text.
const TAG_MANAGERS: [&str; 7] = [
    "googletagmanager.com",
    "matomo",
    "tealiumiq.com",
    "assets.adobedtm.com",
    "cdn.segment.com",
    "piwik.pro",
    "cdn.commandersact.com",
];

/// Finds the tag, and what is wrong with it.
pub(super) fn judge(markup: &Markup, page: &Url, known: &Known<'_>, findings: &mut Vec<Finding>) -> Option<Tag> {
    let base = markup.base.as_deref().and_then(|base| page.join(base).ok()).unwrap_or_else(|| page.clone());
    let candidates: Vec<_> = markup
        .scripts
        .iter()
        .enumerate()
        .filter_map(|(index, script)| {
            let url = base.join(script.attribute("src")?.trim()).ok()?;
            is_ours(script, &url, known).then_some((index, script, url))
        })
        .collect();
    let live: Vec<_> = candidates.iter().filter(|(_, script, _)| script.place == Place::Page).collect();
    let Some(&&(index, script, ref url)) = live.first() else {
        findings.push(absent(markup, candidates.first().map(|(_, script, _)| script.place), known));
        return None;
    };
    if live.len() > 1 {
        findings.push(
            Finding::warning("tag-twice", format!("The page has {} tags: the first alone counts.", live.len()))
                .advise("Take the others out. A tag manager or a template often adds a second one."),
        );
    }
    let agent = agent(markup, index, script, url, known, findings);
    let tag = Tag {
        url: url.clone(),
        agent,
        nonce: script.attribute("nonce").map(str::to_owned),
        integrity: script.attribute("integrity").map(str::to_owned),
        index,
    };
    findings.extend(held_back(script, url));
    findings.extend(elsewhere(&tag, page, known).or_else(|| misplaced(&tag, known)));
    integrity::judge(&tag, script.attribute("crossorigin"), page, known.tag(tag.agent.as_deref()), findings);
    Some(tag)
}

/// Of a file's name that somebody may have meant for `widget.js`.
const NAME_BYTES_MAX: usize = 16;

/// Whether a script was meant to be the widget.
fn is_ours(script: &Script, url: &Url, known: &Known<'_>) -> bool {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    // What is much longer is far from it, and may be a whole script of data:.
    let is_near = name.len() <= NAME_BYTES_MAX
        && (strsim::damerau_levenshtein(name, "widget.js") <= 1 || name == "widget.min.js");
    let has_agent = url.query_pairs().any(|(key, _)| key == "agent");
    script.attribute("data-agent-id").is_some() || (is_near && (has_agent || known.own.contains(&origin(url))))
}

/// The origin of an `http` URL; of any other one that no server has.
pub(super) fn origin(url: &Url) -> Origin {
    Origin::of_page(url)
}

/// There is no tag that a browser would act on; `place` is where one stands all the same.
fn absent(markup: &Markup, place: Option<Place>, known: &Known<'_>) -> Finding {
    let hidden = |id, place: &str| {
        Finding::error(id, format!("The tag stands inside {place}, so no browser runs it."))
            .advise("Move it out of there, anywhere into the page:")
            .line(known.tag(None))
    };
    match place {
        Some(Place::Comment) => return hidden("tag-in-comment", "a comment (<!-- … -->)"),
        Some(Place::Noscript) => return hidden("tag-in-noscript", "<noscript>"),
        Some(Place::Template) => return hidden("tag-in-template", "<template>"),
        Some(Place::Page) | None => {}
    }
    if markup.scripts.iter().any(|script| script.place == Place::Page && inserts(script, known)) {
        return Finding::note("tag-inserted", "A script of the page seems to insert the tag when it runs.").advise(
            "That cannot be seen from here: open the page, and look for widget.js in the browser's list of requests. \
             This tag in the page's HTML is the sure way:",
        )
        .line(known.tag(None));
    }
    let manager = markup.scripts.iter().find_map(|script| {
        let src = script.attribute("src").unwrap_or_default();
        TAG_MANAGERS.into_iter().find(|name| src.contains(name) || script.text.contains(name))
    });
    match manager {
        Some(name) => Finding::warning(
            "tag-missing",
            format!(
                "The page's HTML has no tag. It has a tag manager ({name}), which may insert it when the page runs."
            ),
        )
        .advise("If the tag manager is to do it, see that the tag is published there; else add to the page:"),
        None => Finding::error("tag-missing", "The page's HTML has no tag of the widget.")
            .advise("Add it anywhere in the page, for example before </body>:"),
    }
    .line(known.tag(None))
}

/// Of a page of which only a part was seen, nobody can say that it has no tag.
pub(super) fn of_a_part(finding: &mut Finding) {
    if finding.id == "tag-missing" {
        finding.severity = Severity::Warning;
        "The part of the page that was seen has no tag of the widget.".clone_into(&mut finding.found);
        "If it is not further down, add it:".clone_into(&mut finding.advice);
    }
}

fn inserts(script: &Script, known: &Known<'_>) -> bool {
    let text = &script.text;
    let names_us = known.own.iter().any(|own| text.contains(own.as_str()));
    text.contains("widget.js") && (names_us || text.contains("agentId") || text.contains("data-agent-id"))
}

/// A script that a browser fetches and does not run, or not as is needed.
fn held_back(script: &Script, url: &Url) -> Option<Finding> {
    let kind = script.attribute("type").unwrap_or_default().trim().to_ascii_lowercase();
    let is_classic = kind.is_empty() || kind.ends_with("/javascript") || kind.ends_with("/ecmascript");
    if script.attribute("nomodule").is_some() {
        return Some(
            Finding::error("tag-nomodule", "The tag has nomodule: no browser that the widget works in runs it.")
                .advise("Take the word nomodule out of the tag."),
        );
    }
    match kind.as_str() {
        _ if is_classic => None,
        "module" if script.attribute("data-agent-id").is_some() => None,
        "module" => Some(
            Finding::error(
                "tag-module",
                format!(
                    "The tag has type=\"module\" and no data-agent-id: {} cannot know which tag is its own.",
                    url.path()
                ),
            )
            .advise("Take type=\"module\" out of the tag."),
        ),
        kind => Some(
            Finding::warning(
                "tag-held-back",
                format!("The tag has type=\"{kind}\": browsers do not run that, until a consent tool changes it."),
            )
            .advise("If visitors need not agree first, take the type out of the tag."),
        ),
    }
}

/// The agent that the tag asks for, in the order in which the widget looks for it.
fn agent(
    markup: &Markup,
    index: usize,
    script: &Script,
    url: &Url,
    known: &Known<'_>,
    findings: &mut Vec<Finding>,
) -> Option<String> {
    let of_query = || url.query_pairs().find(|(key, _)| key == "agent").map(|(_, value)| value.into_owned());
    let mut of_settings = || {
        let in_page = |(_, script): &(usize, &Script)| script.place == Place::Page;
        let all = markup.scripts.iter().enumerate().filter(in_page);
        let (at, agent) = all.filter_map(|(at, script)| Some((at, settings_agent(&script.text)?))).next()?;
        if at > index {
            findings.push(
                Finding::warning("settings-after-tag", "window.widgetdSettings is set after the tag: often too late.")
                    .advise("Move the script that sets it before the tag."),
            );
        }
        Some(agent)
    };
    let said = script.attribute("data-agent-id").map(str::to_owned).or_else(of_query).or_else(&mut of_settings);
    let Some(agent) = said.filter(|agent| !agent.is_empty()) else {
        findings.push(
            Finding::error("agent-missing", "The tag does not say which agent it wants.")
                .advise("Write the agent's id into it:")
                .line(known.tag(None)),
        );
        return None;
    };
    if !known.agents.contains(&agent.as_str()) {
        let meant = nearest(&agent, known.agents.iter().copied());
        let hint = match meant {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!("there is: {}.", known.agents.join(", ")),
        };
        findings.push(
            Finding::error("agent-unknown", format!("widget.toml has no agent {agent:?}; {hint}"))
                .advise("Write an agent that there is, in the page:")
                .line(known.tag(meant)),
        );
        return None;
    }
    if known.wanted.is_some_and(|wanted| wanted != agent) {
        let wanted = known.wanted.unwrap_or_default();
        findings.push(
            Finding::error("agent-other", format!("The page asks for agent {agent:?}, not for {wanted:?}."))
                .advise("If that is not meant, write in the page:")
                .line(known.tag(None)),
        );
    }
    Some(agent)
}

/// The text after `agentId:` or `agentId =` behind `widgetdSettings`. It is no parser: whoever computes it is not understood.
fn settings_agent(script: &str) -> Option<String> {
    let (_, rest) = script.split_once("widgetdSettings")?;
    let (_, rest) = rest.split_once("agentId")?;
    let rest = rest.trim_start_matches(['"', '\'', ']']).trim_start();
    let rest = rest.strip_prefix([':', '='])?.trim_start();
    let quote = rest.chars().next().filter(|quote| ['"', '\'', '`'].contains(quote))?;
    rest[1..].split_once(quote).map(|(agent, _)| agent.to_owned())
}

/// The script is not of this server, or cannot be loaded from there by this page.
fn elsewhere(tag: &Tag, page: &Url, known: &Known<'_>) -> Option<Finding> {
    let found = origin(&tag.url);
    let line = known.tag(tag.agent.as_deref());
    if local::is_loopback(&tag.url) && !local::is_loopback(page) {
        return Some(
            Finding::error("tag-on-loopback", format!("The tag loads {found}: each visitor's own machine."))
                .advise("Write the address that visitors reach the server by:")
                .line(line),
        );
    }
    if page.scheme() == "https" && tag.url.scheme() == "http" && !local::is_loopback(&tag.url) {
        return Some(
            Finding::error(
                "tag-mixed-content",
                format!(
                    "The page is https:// and the tag loads the script by http://, from {found}: browsers block that."
                ),
            )
            .advise("Load it by https://:")
            .line(line.replacen("http://", "https://", 1)),
        );
    }
    if found == *known.server || (!known.is_public && known.own.contains(&found)) {
        return None;
    }
    Some(if known.is_public {
        Finding::error("tag-other-server", format!("The tag loads the script from {found}, not from {}.", known.server))
            .advise("Write in the page (or correct public_url in widget.toml):")
            .line(line)
    } else {
        Finding::warning(
            "public-url-unknown",
            format!("The tag loads the script from {found}; widget.toml has no public_url."),
        )
        .advise("If that is this server, write under [server] in widget.toml, and start widgetd again:")
        .line(format!("public_url = \"{found}\""))
    })
}

/// The right server, and another path than the script's.
fn misplaced(tag: &Tag, known: &Known<'_>) -> Option<Finding> {
    if tag.has_right_path() {
        return None;
    }
    let path = tag.url.path();
    let agent = tag.agent.as_deref();
    match pinned_hash(path) {
        Some(_) => Some(
            Finding::error("tag-pinned-old", format!("The tag pins {path}, the script of another version of widgetd."))
                .advise("After an update the pinned tag is another one. Write in the page:")
                .line(widget::pinned_tag(known.server.as_str(), agent.unwrap_or_default())),
        ),
        None => Some(
            Finding::error("tag-path", format!("The tag loads {path}; the script is at /widget.js."))
                .advise("Write in the page:")
                .line(known.tag(agent)),
        ),
    }
}

#[cfg(test)]
mod tests;
