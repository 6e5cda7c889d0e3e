//! Whether browsers let a page read what the server answers (the Fetch standard, "CORS protocol"): what proxies do to it.

use serde_json::Value;

use super::fetch::Answer;
use super::finding::{Finding, Report};
use super::server::{Subject, rate_limited};

const ALLOW: &str = "access-control-allow-origin";

/// The two calls that a page begins with.
pub(super) fn judge(subject: &Subject<'_>, report: &mut Report) {
    let before = report.findings.len();
    let origin = subject.origin.as_str();
    let config = subject.url(&format!("/v1/widget/config?agent_id={}", subject.agent.id()));
    if let Ok(answer) = subject.caller.get(&config, &[("Origin", origin)]) {
        match answer.status {
            200 => {
                report.findings.extend(readable(&answer, origin, "the agent's looks"));
                report.findings.extend(differs(subject, &answer));
            }
            429 => report.add(rate_limited()),
            status => report.add(
                Finding::error("config-refused", format!("{config} answers {status}, so the widget does not appear."))
                    .advise("Let the proxy pass it on as it is, with the Origin header."),
            ),
        }
    }
    let stream = subject.url("/v1/widget/messages/stream");
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type"),
    ];
    if let Ok(answer) = subject.caller.call("OPTIONS", &stream, &headers, "") {
        report.findings.extend(preflight(&answer, origin));
    }
    // The same of both calls is told once.
    let mut ids = Vec::new();
    let mut index = 0;
    report.findings.retain(|finding| {
        index += 1;
        let is_new = index <= before || !ids.contains(&finding.id);
        ids.push(finding.id);
        is_new
    });
    if report.findings.len() == before {
        report.fine("pages may read what it answers (CORS)");
    }
}

/// The running server serves another agent of that name.
fn differs(subject: &Subject<'_>, answer: &Answer) -> Option<Finding> {
    let here: Value = serde_json::from_str(subject.agent.published.get()).ok()?;
    let found = format!("The running server's agent \"{}\" is not as widget.toml has it.", subject.agent.id());
    (answer.json()? != here).then(|| {
        Finding::warning("server-stale", found)
            .advise("It has not read widget.toml since, or a cache between keeps what was. Reload it:")
            .line("systemctl reload widgetd")
    })
}

fn preflight(answer: &Answer, origin: &str) -> Option<Finding> {
    if !(200..300).contains(&answer.status) {
        let found = format!("Browsers ask before a message (OPTIONS), and what answers says {}.", answer.status);
        return Some(
            Finding::error("preflight-refused", found)
                .advise("Let the proxy pass OPTIONS on to widgetd, and ask for no password there."),
        );
    }
    readable(answer, origin, "the preflight").or_else(|| {
        let allowed = answer.lines("access-control-allow-headers").join(",").to_ascii_lowercase();
        let names = |name: &str| allowed.split(',').any(|word| word.trim() == name);
        (!names("authorization") && !allowed.contains('*')).then(|| {
            let found = "What answers browsers before a message (OPTIONS) does not allow the header Authorization.";
            Finding::error("preflight-refused", found)
                .advise("Let widgetd answer OPTIONS: take the proxy's own answer away, in nginx lines such as:")
                .line("if ($request_method = OPTIONS) { … }")
        })
    })
}

/// The header that lets a page read must be there exactly once.
fn readable(answer: &Answer, origin: &str, what: &str) -> Option<Finding> {
    let lines = answer.lines(ALLOW);
    let values: Vec<_> = lines.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    match values.as_slice() {
        [value] if *value == origin || *value == "*" => None,
        [] => Some(
            Finding::error(
                "cors-missing",
                format!("{} comes without Access-Control-Allow-Origin: pages cannot read it.", capital(what)),
            )
            .advise("widgetd sends it: let the proxy keep it. In nginx, take away:")
            .line("proxy_hide_header Access-Control-Allow-Origin;"),
        ),
        [value] => {
            Some(Finding::error("cors-other", format!("{} allows {value}, and not {origin}.", capital(what))).advise(
                "widgetd sends the right one: let the proxy not change it, nor a cache mix answers up (Vary: Origin).",
            ))
        }
        values => Some(
            Finding::error(
                "cors-doubled",
                format!(
                    "{} comes with {} Access-Control-Allow-Origin ({}): browsers refuse more than one.",
                    capital(what),
                    values.len(),
                    values.join(", ")
                ),
            )
            .advise("widgetd sends it already. Take the proxy's own away, in nginx the line:")
            .line("add_header Access-Control-Allow-Origin …;"),
        ),
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
