//! The server, by the address that visitors use: is it there, is it this one, and is what it says heard by browsers.

use serde_json::Value;
use url::Url;

use super::clocks;
use super::fetch::{self, Answer, CallError, Caller};
use super::finding::{Finding, Report};
use super::tag::{Tag, origin};
use crate::config::Config;
use crate::domain::agent::Agent;
use crate::domain::origin::Origin;
use crate::widget;

/// What is looked at, and as whom.
pub(super) struct Subject<'a> {
    pub(super) caller: &'a Caller,
    pub(super) config: &'a Config,
    /// By which visitors reach it.
    pub(super) base: &'a Origin,
    pub(super) agent: &'a Agent,
    /// Of pages that may use the agent, by `widget.toml`.
    pub(super) origin: &'a Origin,
}

impl Subject<'_> {
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

/// What tells the running server to read `widget.toml` again.
fn reload(finding: Finding) -> Finding {
    finding.advise("It has not read widget.toml since, or another one. Reload it:").line("systemctl reload widgetd")
}

/// Whether it can be reached. If not, nothing else is worth a look.
pub(super) fn is_reached(subject: &Subject<'_>, report: &mut Report) -> bool {
    let url = subject.url("/healthz");
    let answer = match subject.caller.get(&url, &[]) {
        Ok(answer) => answer,
        Err(error) => {
            report.add(unreachable(subject, &error));
            return false;
        }
    };
    report.findings.extend(clocks::judge(answer.ahead_ms, subject.base.as_str()));
    match strange(subject, &url, &answer) {
        Some(finding) => report.add(finding),
        None => {
            report.fine(format!("the server answers at {}", subject.base));
            return true;
        }
    }
    false
}

fn unreachable(subject: &Subject<'_>, error: &CallError) -> Finding {
    let found = format!("The server cannot be reached at {}: {error}.", subject.base);
    let finding = Finding::error(if error.is_tls() { "server-tls" } else { "server-unreachable" }, found);
    let url = Url::parse(subject.base.as_str()).ok();
    let name = url.as_ref().and_then(Url::domain);
    match (error, name) {
        // Routers often lead nobody from inside back in.
        (CallError::Timeout(_), Some(name)) => finding
            .advise(
                "Start the web server there, and let its port through the firewall. If visitors do reach it, this machine \
                 alone cannot come by its own public address: let /etc/hosts lead it to the proxy, with the line:",
            )
            .line(format!("127.0.0.1 {name}")),
        _ if error.is_tls() => finding.advise(fetch::remedy(error)),
        _ => finding.advise(fetch::remedy(error)).line("systemctl status widgetd"),
    }
}

/// An answer to `/healthz` that is not widgetd's.
fn strange(subject: &Subject<'_>, url: &str, answer: &Answer) -> Option<Finding> {
    let (base, listen) = (subject.base, subject.config.http.listen);
    if let Some(next) = Url::parse(url).ok().and_then(|url| answer.redirect(&url)) {
        let next = next.map_or_else(|location| location, |next| origin(&next).to_string());
        let found = format!("{base} redirects to {next}: browsers let no page follow that with what it says.");
        let finding = Finding::error("server-redirects", found);
        return Some(if next == base.as_str() {
            finding.advise("Let the proxy pass every path on as it is, /healthz too.")
        } else {
            finding
                .advise("Write under [server], start widgetd again, and use that address in the tag:")
                .line(format!("public_url = \"{next}\""))
        });
    }
    let is_ours = answer.status == 200 && answer.json().is_some_and(|body| body["status"] == "ok");
    if is_ours {
        return None;
    }
    let status = answer.status;
    Some(match status {
        502..=504 => Finding::error(
            "server-bad-gateway",
            format!("The proxy at {base} answers {status}: it does not reach widgetd."),
        )
        .advise(format!("See that widgetd runs, and that the proxy passes on to {listen}:"))
        .line("systemctl status widgetd")
        .line(format!("proxy_pass http://{listen};")),
        _ => Finding::error("server-other", format!("What answers at {base} is not widgetd (/healthz: {status})."))
            .advise(format!(
                "{} public_url in widget.toml, or let the proxy pass every path on to {listen}, in nginx:",
                if subject.config.public_url.is_some() { "Correct" } else { "Set" }
            ))
            .line(format!("location / {{ proxy_pass http://{listen}; }}")),
    })
}

/// Is it ready, and this version?
pub(super) fn judge_state(subject: &Subject<'_>, report: &mut Report) {
    let get = |path: &str| subject.caller.get(&subject.url(path), &[]).ok();
    // A proxy may keep /readyz to itself.
    if let Some((status, ready)) = get("/readyz").and_then(|answer| Some((answer.status, answer.json()?))) {
        judge_readiness(subject, status, &ready, report);
    }
    let version = get("/openapi.json").and_then(|answer| Some(answer.json()?["info"]["version"].as_str()?.to_owned()));
    let here = env!("CARGO_PKG_VERSION");
    if let Some(version) = version.filter(|version| version != here) {
        let found = format!("The server runs version {version}, and this program is {here}.");
        report.add(
            Finding::warning("server-other-version", found)
                .advise("If you have updated, start it again:")
                .line("systemctl restart widgetd"),
        );
    }
}

fn judge_readiness(subject: &Subject<'_>, status: u16, ready: &Value, report: &mut Report) {
    if status == 503 && ready["status"] == "unavailable" {
        let why = if ready["draining"] == true { "it is stopping" } else { "its database is not usable" };
        report.add(
            Finding::error("server-not-ready", format!("The server is not ready: {why}."))
                .advise("Its log says more:")
                .line("journalctl --unit widgetd"),
        );
    }
    let lists =
        |list: &str, is_it: &dyn Fn(&Value) -> bool| ready[list].as_array().is_some_and(|all| all.iter().any(is_it));
    let id = subject.agent.id().as_str();
    if lists("paused_agents", &|paused| paused == id) {
        report.add(
            Finding::warning(
                "agent-paused",
                format!("Agent \"{id}\" is paused: the widget shows, and answers nobody."),
            )
            .advise("Let it answer again:")
            .line(format!("widgetd resume {id}")),
        );
    }
    for name in &subject.agent.models {
        if lists("models", &|model| model["name"] == name.as_str() && model["state"] == "skipped") {
            report.add(
                Finding::warning(
                    "model-skipped",
                    format!("Model \"{name}\" failed three times in a row, and is left out."),
                )
                .advise("The log says why:")
                .line("journalctl --unit widgetd"),
            );
        }
    }
}

/// Does the running server know the agent, and let pages of the origin use it? It tells without counting a refusal.
pub(super) fn knows(subject: &Subject<'_>, report: &mut Report) -> bool {
    let (id, page) = (subject.agent.id(), subject.origin);
    let url = subject.url(&format!("/v1/widget/check?agent_id={id}"));
    let Ok(answer) = subject.caller.get(&url, &[("Origin", page.as_str())]) else {
        return false;
    };
    match (answer.status, answer.json()) {
        (404, Some(problem)) if problem["code"] == "agent_not_found" => {
            let found = format!("The server that answers at {} has no agent \"{id}\".", subject.base);
            report.add(reload(Finding::error("server-other-agent", found)));
        }
        (200, Some(verdict)) if verdict["allowed"] == true => return true,
        (200, Some(_)) => {
            let found = format!("widget.toml allows {page} for agent \"{id}\", and the running server does not.");
            report.add(reload(Finding::error("server-stale", found)));
        }
        (429, _) => report.add(rate_limited()),
        (status, _) => {
            let found = format!("{url} answers {status}: what stands between does not pass the API on.");
            report.add(Finding::error("server-paths", found).advise("Let the proxy pass every path on, as it is."));
        }
    }
    false
}

pub(super) fn rate_limited() -> Finding {
    Finding::warning("rate-limited", "The server refuses further calls from this address for now (429).")
        .advise("Wait a minute, and run it again.")
}

/// Does a browser load the script, and run it?
pub(super) fn judge_script(subject: &Subject<'_>, tag: Option<&Tag>, report: &mut Report) {
    // A wrong path was told already.
    let of_tag =
        tag.filter(|tag| origin(&tag.url) == *subject.base && tag.has_right_path()).map(|tag| tag.url.to_string());
    let url = of_tag.unwrap_or_else(|| subject.url("/widget.js"));
    let answer = match subject.caller.get(&url, &[]) {
        Ok(answer) => answer,
        Err(error) => {
            report.add(
                Finding::error("script-missing", format!("{url} cannot be loaded: {error}."))
                    .advise(fetch::remedy(&error)),
            );
            return;
        }
    };
    let media_type = answer.media_type();
    let finding = match answer.status {
        200 if !media_type.ends_with("/javascript") && media_type != "application/ecmascript" => Finding::error(
            "script-type",
            format!("{url} comes as {media_type:?}: browsers run no script of that type."),
        )
        .advise("Let the proxy keep the server's Content-Type, text/javascript."),
        200 if answer.body != widget::SCRIPT => {
            Finding::warning("script-other", format!("{url} is not this version's script.")).advise(
                "Empty the caches between (a CDN's too), and let nothing rewrite it; or the server is another version.",
            )
        }
        200 => {
            report.fine("the script loads");
            return;
        }
        status => Finding::error("script-missing", format!("{url} answers {status}."))
            .advise("Correct the address in the tag, or let the proxy pass it on:")
            .line(widget::tag(subject.base.as_str(), subject.agent.id().as_str())),
    };
    report.add(finding);
}
