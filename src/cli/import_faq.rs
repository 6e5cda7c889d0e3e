//! `widgetd import-faq`: the questions of a file become entries of an agent. The file of the configuration is changed only if
//! what comes out is a good one.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::table::one_line;
use super::{Options, USAGE, agent, complain, fail, file, load_without_secrets, say, told};
use crate::config::{self, Edited, Fate};
use crate::domain::agent::Faq;
use crate::faq_import::{self, Entry, Form, Reading};

/// Of how many entries it is told why they are refused.
const REFUSED_SHOWN: usize = 20;

#[derive(Args)]
pub(super) struct Import {
    /// A file (.md, .csv, .tsv), or the http or https address of one (up to 2 MiB)
    source: String,
    /// The agent that is to know it; may be left out where there is only one
    #[arg(long, value_name = "ID")]
    agent: Option<String>,
    /// How the file is written, if its name or media type does not tell
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Tell what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Take out what the agent knew and the file does not have
    #[arg(long)]
    replace: bool,
    /// Leave out the entries that the configuration refuses, instead of importing none
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Headings, "Q:" and "A:", or details with a summary
    Markdown,
    /// Columns named question, answer and url
    Csv,
}

pub(super) fn run(options: &Options, import: &Import) -> Result<(), ExitCode> {
    let config = load_without_secrets(options)?;
    let id = match (&import.agent, &config.agents[..]) {
        (Some(id), _) => agent(&config, id)?.id().as_str().to_owned(),
        (None, [only]) => only.id().as_str().to_owned(),
        (None, several) => {
            let ids: Vec<_> = several.iter().map(|agent| agent.id().as_str()).collect();
            complain(format_args!("widgetd: there are several agents; say which with --agent: {}", ids.join(", ")));
            return Err(ExitCode::from(USAGE));
        }
    };
    let reading = read(import)?;
    for passed in &reading.passed {
        // It may come from anywhere, with what a terminal would obey.
        complain(format_args!("passed over, line {}: {}", passed.line, one_line(&passed.why)));
    }
    let entries = judged(&reading, import)?;
    if entries.is_empty() {
        return Err(fail(&format_args!(
            "{} has no question with an answer; see `widgetd import-faq --help` for what is taken",
            import.source
        )));
    }
    let edited = write(&config.source, &id, &entries, import)?;
    tell(&edited, &entries, &id, &config.source, import);
    Ok(())
}

fn read(import: &Import) -> Result<Reading, ExitCode> {
    let source = &import.source;
    let wrong = |error: &dyn std::fmt::Display| fail(&format_args!("{source}: {}", one_line(&error.to_string())));
    let form = import.format.map(|format| match format {
        Format::Markdown => Form::Markdown,
        Format::Csv => Form::Csv,
    });
    let (text, form) = if faq_import::is_url(source) {
        faq_import::fetch(source, form).map_err(|error| wrong(&error))?
    } else {
        let text = faq_import::load(Path::new(source)).map_err(|error| wrong(&error))?;
        let Some(form) = form.or_else(|| Form::of_name(source)) else {
            return Err(wrong(&"its name does not tell how it is written; add --format markdown or --format csv"));
        };
        (text, form)
    };
    faq_import::read(&text, form).map_err(|error| wrong(&error))
}

/// The entries as the configuration takes them. Of two with one question the first counts.
fn judged(reading: &Reading, import: &Import) -> Result<Vec<Faq>, ExitCode> {
    let mut entries: Vec<(usize, Faq)> = Vec::new();
    let mut bad = 0;
    for Entry { line, question, answer, url } in &reading.entries {
        match config::judge_faq(question, answer, url.as_deref()) {
            Ok(faq) => {
                match entries.iter().find(|(_, before)| config::same_question(&before.question, &faq.question)) {
                    Some((before, _)) => {
                        complain(format_args!("passed over, line {line}: the same question as in line {before}"));
                    }
                    None => entries.push((*line, faq)),
                }
            }
            Err(complaints) => {
                bad += 1;
                if bad <= REFUSED_SHOWN {
                    complaints.iter().for_each(|complaint| {
                        complain(format_args!("refused, line {line}: {}", one_line(&complaint.to_string())));
                    });
                }
            }
        }
    }
    if bad > REFUSED_SHOWN {
        complain(format_args!("and {} more are refused", bad - REFUSED_SHOWN));
    }
    if bad > 0 && !import.skip_bad {
        let (entries, them) = if bad == 1 { ("1 entry is", "it") } else { (&*format!("{bad} entries are"), "them") };
        return Err(fail(&format_args!(
            "{entries} refused, so nothing was written; mend {them} in the file (a long answer can be two questions), or leave \
             {them} out with --skip-bad"
        )));
    }
    Ok(entries.into_iter().map(|(_, faq)| faq).collect())
}

fn write(path: &Path, id: &str, entries: &[Faq], import: &Import) -> Result<Edited, ExitCode> {
    let text = config::read_text(path).map_err(told)?;
    let shown = path.display();
    let edited =
        config::edit_faq(&text, id, entries, import.replace).map_err(|error| fail(&format_args!("{shown} {error}")))?;
    // There may be too many now; a bad file never takes the place of a good one.
    if let Err(complaints) = config::judge(path, &edited.text) {
        complain(format_args!("{complaints}"));
        return Err(fail(&format_args!("{shown} would not be valid with these entries, so nothing was written")));
    }
    if !import.dry_run && edited.text != text {
        file::replace(path, &edited.text).map_err(|error| fail(&format_args!("cannot write {shown}: {error}")))?;
    }
    Ok(edited)
}

fn tell(edited: &Edited, entries: &[Faq], id: &str, path: &Path, import: &Import) {
    for (entry, fate) in entries.iter().zip(&edited.fates) {
        let fate = match fate {
            Fate::Added => "added",
            Fate::Updated => "updated",
            Fate::Unchanged => continue,
        };
        say(format_args!("{fate:<8} {}", one_line(&entry.question)));
    }
    edited.dropped.iter().for_each(|question| say(format_args!("{:<8} {}", "dropped", one_line(question))));
    let count = |wanted: Fate| edited.fates.iter().filter(|fate| **fate == wanted).count();
    let (added, updated, unchanged) = (count(Fate::Added), count(Fate::Updated), count(Fate::Unchanged));
    let dropped = if import.replace { format!(", {} dropped", edited.dropped.len()) } else { String::new() };
    let would = if import.dry_run { "would be " } else { "" };
    say(format_args!(
        "Agent \"{id}\" in {}: {added} {would}added, {updated} updated, {unchanged} unchanged{dropped}.",
        path.display()
    ));
    if !import.dry_run && added + updated + edited.dropped.len() > 0 {
        say(format_args!("A server that runs takes it over with: {}", reload(path)));
    }
}

/// How the server that reads this file is told to read it again.
fn reload(path: &Path) -> &'static str {
    if path == Path::new(super::INSTALLED_CONFIG) { "systemctl reload widgetd" } else { "kill -HUP PID" }
}
