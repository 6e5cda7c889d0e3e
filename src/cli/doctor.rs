//! `widgetd doctor URL`: why does the widget not show on my site?

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use url::Url;

use super::table::is_command;
use super::{Options, USAGE, agent, fail, load_without_secrets, say};
use crate::doctor::{self, Caller, Case, Finding, Report, Severity};
use crate::server;

#[derive(Args)]
pub(super) struct Arguments {
    /// The page, as visitors open it
    url: String,
    /// The agent that the page should have, by its id; left out, the one that it asks for
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Certificates of the authorities to trust instead of those that browsers do, in PEM
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,
}

pub(super) fn run(options: &Options, arguments: &Arguments) -> ExitCode {
    match examine(options, arguments) {
        Ok(report) => {
            if arguments.json {
                say(format_args!("{}", document(&report)));
            } else {
                tell(&report);
            }
            if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(code) => code,
    }
}

fn examine(options: &Options, arguments: &Arguments) -> Result<Report, ExitCode> {
    let config = load_without_secrets(options)?;
    let url = page(&arguments.url).ok_or_else(|| {
        misused(&format!("\"{}\" is not the address of a page; write one like https://www.example.com", arguments.url))
    })?;
    let agent = arguments.agent.as_deref().map(|id| agent(&config, id)).transpose()?;
    let authorities = arguments
        .ca_file
        .as_deref()
        .map(|path| std::fs::read(path).map_err(|error| misused(&format!("cannot read {}: {error}", path.display()))));
    let caller = Caller::new(authorities.transpose()?.as_deref()).map_err(|error| {
        let path = arguments.ca_file.clone().unwrap_or_default();
        misused(&format!("{} {error}", path.display()))
    })?;
    let own = server::own_origins(&config, config.http.listen);
    let case = Case { config: &config, own: &own, page: &url, agent: agent.map(|agent| &**agent) };
    Ok(doctor::examine(&case, &caller))
}

fn misused(what: &str) -> ExitCode {
    fail(&what);
    ExitCode::from(USAGE)
}

/// The address, or one without its scheme as people type it; what is like a user's name then is of a `mailto:`.
fn page(text: &str) -> Option<Url> {
    let text = text.trim();
    let has_scheme = text.contains("://");
    let url = if has_scheme { Url::parse(text) } else { Url::parse(&format!("https://{text}")) }.ok()?;
    let is_page = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    (is_page && (has_scheme || url.username().is_empty())).then_some(url)
}

fn document(report: &Report) -> serde_json::Value {
    json!({
        "ok": report.is_healthy(),
        "page": report.page,
        "agent": report.agent,
        "server": report.server,
        "has_tag": report.has_tag,
        "findings": report.findings,
        "fine": report.fine,
    })
}

/// For people: the verdict, what is wrong with what mends it, and what is right.
fn tell(report: &Report) {
    let agent = report.agent.as_deref().unwrap_or_default();
    let [errors, warnings] = [Severity::Error, Severity::Warning].map(|severity| report.count(severity));
    let on = harmless(&format!("{} (agent \"{agent}\", server {})", report.page, report.server));
    match (errors, warnings) {
        (0, _) if !report.has_tag => say(format_args!("Nothing to mend was found, but no tag was seen on {on}.")),
        (0, 0) => say(format_args!("All is well: the widget works on {on}.")),
        (0, count) => say(format_args!("The widget works on {on}; {} to look at.", counted(count, "thing"))),
        (count, _) => say(format_args!("{} to mend on {on}.", counted(count, "thing"))),
    }
    for finding in &report.findings {
        say(format_args!(""));
        self::finding(finding);
    }
    if !report.fine.is_empty() {
        say(format_args!(""));
        report.fine.iter().for_each(|fine| say(format_args!("fine: {}", harmless(fine))));
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Also as `widgetd check` prints it.
pub(super) fn finding(finding: &Finding) {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    say(format_args!("{severity}: {} [{}]", harmless(&finding.found), finding.id));
    if !finding.advice.is_empty() {
        say(format_args!("  {}", harmless(&finding.advice)));
    }
    finding.lines.iter().for_each(|line| say(format_args!("    {}", harmless(line))));
}

/// Some of it is what a page or a server says, and none may move the cursor of a terminal, or turn what stands there round.
fn harmless(text: &str) -> String {
    text.replace(is_command, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_with_and_without_its_scheme() {
        for (text, expected) in [
            ("https://ann:secret@example.com/", Some("https://ann:secret@example.com/")),
            ("www.example.com", Some("https://www.example.com/")),
            ("example.com/@ann?to=bob@example.com", Some("https://example.com/@ann?to=bob@example.com")),
            ("mailto:ann@example.com", None),
            ("ann@example.com", None),
            ("ftp://example.com", None),
        ] {
            assert_eq!(page(text).as_ref().map(Url::as_str), expected, "{text}");
        }
    }
}
