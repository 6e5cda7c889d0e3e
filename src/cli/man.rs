//! `widgetd man`: the page of the manual, of the very texts that `--help` shows. Written as man(7) has it, which is little enough
//! to be written here: the crate that does it adds 95 KB.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory};

use super::{Cli, say};

pub(super) fn print() -> ExitCode {
    say(format_args!("{}", page().trim_end()));
    ExitCode::SUCCESS
}

const FILES: &str = r#".SH FILES
.TP
.I widget.toml
The configuration, in the folder where widgetd is started; where there is none, it is
.IR /etc/widgetd/widget.toml .
.B widgetd init
writes one, and
.B widgetd init --full --output -
prints every key, explained.
.TP
.I widgetd.db
The database, in the folder of
.B \-\-data
or storage.folder; beside it
.IR secret ,
the key that signs tokens.
.SH SIGNALS
.TP
.B HUP
Reads the configuration again, but for its server, admin, log and storage sections. A bad file is refused.
.TP
.BR TERM ", " INT
Lets running answers finish, then stops; a second one stops at once.
.SH EXIT STATUS
0 if it was done, 1 if it failed, 2 if the arguments or the configuration are wrong.
"#;

fn page() -> String {
    let mut root = Cli::command();
    root.build();
    let about = root.get_about().map(ToString::to_string).unwrap_or_default();
    let mut page = format!(
        ".TH WIDGETD 1 \"\" \"widgetd {}\" \"User Commands\"\n.SH NAME\nwidgetd \\- {}\n.SH SYNOPSIS\n",
        env!("CARGO_PKG_VERSION"),
        escaped(about.trim_end_matches('.'))
    );
    page.push_str(".B widgetd\n[options] [command]\n.SH DESCRIPTION\n");
    let long = root.get_long_about().or(root.get_about()).map(ToString::to_string).unwrap_or_default();
    paragraphs(&long, &mut page);
    page.push_str(".SH OPTIONS\nThey may stand with every command.\n");
    root.get_arguments().filter(|arg| !arg.is_hide_set()).for_each(|arg| argument(arg, &mut page));
    page.push_str(".SH COMMANDS\n");
    root.get_subcommands().for_each(|command| describe(command, "widgetd", &mut page));
    page.push_str(FILES);
    page
}

fn describe(command: &Command, above: &str, page: &mut String) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    let name = format!("{above} {}", command.get_name());
    let below: Vec<_> = command.get_subcommands().collect();
    if below.is_empty() {
        let positionals: String = command.get_positionals().map(|arg| format!(" {}", synopsis(arg))).collect();
        let _ = writeln!(page, ".SS \"{}\"", escaped(&format!("{}{positionals}", &name["widgetd ".len()..])));
        let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
        paragraphs(&about, page);
        let own = command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_global_set());
        own.filter(|arg| arg.get_id() != "help").for_each(|arg| argument(arg, page));
    }
    below.into_iter().for_each(|command| describe(command, &name, page));
}

fn synopsis(arg: &Arg) -> String {
    let name = value_name(arg);
    if arg.is_required_set() { name } else { format!("[{name}]") }
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map_or_else(|| arg.get_id().as_str().to_uppercase(), ToString::to_string)
}

fn argument(arg: &Arg, page: &mut String) {
    let short = arg.get_short().map(|short| format!("\\fB\\-{short}\\fR, ")).unwrap_or_default();
    let tag = match arg.get_long() {
        Some(long) if arg.get_action().takes_values() => {
            format!("{short}\\fB\\-\\-{}\\fR \\fI{}\\fR", escaped(long), escaped(&value_name(arg)))
        }
        Some(long) => format!("{short}\\fB\\-\\-{}\\fR", escaped(long)),
        None => format!("\\fI{}\\fR", escaped(&value_name(arg))),
    };
    let _ = writeln!(page, ".TP\n{tag}");
    let mut text = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let words: Vec<_> = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    if arg.get_action().takes_values() && !words.is_empty() {
        let _ = write!(text, " ({})", words.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let _ = write!(text, " [default: {}]", defaults.join(", "));
    }
    if let Some(variable) = arg.get_env() {
        let _ = write!(text, " [variable: {}]", variable.to_string_lossy());
    }
    let _ = writeln!(page, "{}", escaped(&text.split_whitespace().collect::<Vec<_>>().join(" ")));
}

fn paragraphs(text: &str, page: &mut String) {
    for (index, paragraph) in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()).enumerate() {
        if index > 0 {
            page.push_str(".PP\n");
        }
        paragraph.lines().for_each(|line| {
            let _ = writeln!(page, "{}", escaped(line.trim()));
        });
    }
}

/// man(7): a backslash escapes, a hyphen would be typographic, and a line that begins with a dot or a quote is a request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('"', "\\(dq").replace('…', "...");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_command_the_formatter() {
        assert_eq!(escaped(".so /etc/passwd"), "\\&.so /etc/passwd");
        assert_eq!(escaped("a-b \\n \"c\""), "a\\-b \\en \\(dqc\\(dq");
    }

    #[test]
    fn every_command_that_help_shows_stands_in_the_page() {
        let page = page();
        for text in [".SS \"leads list\"", ".SS \"origin AGENT URL\"", "\\fB\\-\\-public\\-url\\fR", "WIDGETD_CONFIG"] {
            assert!(page.contains(text), "{text} in\n{page}");
        }
        assert!(!page.contains(".SS \"complete"));
    }
}
