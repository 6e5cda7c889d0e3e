//! Completions for shells: a few lines for each of them, which ask this program what could stand next. So they are those of
//! `--help`, and know the agents' ids.
//!
//! Why no crate that writes whole scripts: it adds 100 KB to the program, and its scripts grow old on the disk.

use std::process::ExitCode;

use clap::{Arg, Command, CommandFactory, ValueEnum};

use super::{Cli, Options, say};

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Each hands on the words after the program's name, up to the one that is being typed. Where nothing is known, files are.
const BASH: &str = r#"_widgetd() {
    local IFS=$'\n'
    COMPREPLY=($(compgen -W "$(widgetd complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _widgetd widgetd"#;

const ZSH: &str = r#"#compdef widgetd
_widgetd() {
    local -a found
    local line
    for line in "${(@f)$(widgetd complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( $#found )); then _describe 'widgetd' found; else _files; fi
}
if [[ $funcstack[1] == _widgetd ]]; then _widgetd "$@"; else compdef _widgetd widgetd; fi"#;

const FISH: &str = r"function __widgetd_complete
    set --local words (commandline --tokenize --cut-at-cursor --current-process)
    widgetd complete -- $words[2..] (commandline --current-token) 2>/dev/null
end
complete --command widgetd --condition 'test -n (__widgetd_complete | string collect)' --no-files --arguments '(__widgetd_complete)'";

pub(super) fn print(shell: Shell) -> ExitCode {
    let script = match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    };
    say(format_args!("{script}"));
    ExitCode::SUCCESS
}

/// Prints what could stand in the place of the last word, with what it means behind a tab.
pub(super) fn answer(options: Options, words: &[String]) -> ExitCode {
    let mut root = Cli::command();
    root.build();
    // The file that is named in the line counts more than what this command was told.
    let named = words.iter().position(|word| word == "--config").and_then(|index| words.get(index + 1));
    let options = Options { config: named.map(Into::into).or(options.config), ..options };
    let ids =
        || options.load_with(true).map(|config| config.agents.iter().map(|agent| agent.id().to_string()).collect());
    for (word, meaning) in candidates(&root, words, &|| ids().unwrap_or_default()) {
        say(format_args!("{word}\t{meaning}"));
    }
    ExitCode::SUCCESS
}

type Candidates = Vec<(String, String)>;

fn candidates(root: &Command, words: &[String], agents: &dyn Fn() -> Vec<String>) -> Candidates {
    let (typed, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut command = root;
    let mut positionals = 0;
    let mut waiting: Option<&Arg> = None;
    for word in before {
        if waiting.take().is_some() {
            continue;
        }
        if let Some(name) = word.strip_prefix("--") {
            waiting = command.get_arguments().find(|arg| arg.get_long() == Some(name)).filter(|arg| takes_value(arg));
        } else if let Some(below) = command.find_subcommand(word) {
            (command, positionals) = (below, 0);
        } else {
            positionals += 1;
        }
    }
    if let Some(arg) = waiting {
        return values(arg, agents);
    }
    if typed.starts_with('-') {
        let options = command.get_arguments().filter(|arg| !arg.is_hide_set());
        return options.filter_map(|arg| Some((format!("--{}", arg.get_long()?), meaning(arg.get_help())))).collect();
    }
    let below = command.get_subcommands().filter(|below| !below.is_hide_set());
    let mut found: Candidates = below.map(|below| (below.get_name().to_owned(), meaning(below.get_about()))).collect();
    found.extend(command.get_positionals().nth(positionals).map(|arg| values(arg, agents)).unwrap_or_default());
    found
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// What an argument may be: one of its own words, or an agent.
fn values(arg: &Arg, agents: &dyn Fn() -> Vec<String>) -> Candidates {
    if arg.get_id() == "agent" {
        return agents().into_iter().map(|id| (id, "agent".to_owned())).collect();
    }
    let possible = arg.get_possible_values();
    let shown = possible.iter().filter(|value| !value.is_hide_set());
    shown.map(|value| (value.get_name().to_owned(), meaning(value.get_help()))).collect()
}

/// On one line.
fn meaning(help: Option<&clap::builder::StyledStr>) -> String {
    help.map(|help| help.to_string().split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(words: &[&str]) -> Vec<String> {
        let mut root = Cli::command();
        root.build();
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        candidates(&root, &words, &|| vec!["acme".to_owned()]).into_iter().map(|(word, _)| word).collect()
    }

    #[test]
    fn what_may_stand_next_is_offered() {
        let commands = offered(&[""]);
        assert!(commands.contains(&"serve".to_owned()) && !commands.contains(&"complete".to_owned()), "{commands:?}");
        assert!(offered(&["leads", ""]).contains(&"export".to_owned()));
        let flags = offered(&["leads", "list", "--"]);
        assert!(flags.contains(&"--status".to_owned()) && flags.contains(&"--config".to_owned()), "{flags:?}");
        assert_eq!(offered(&["leads", "list", "--format", ""]), ["table", "json", "csv"]);
        assert_eq!(offered(&["leads", "list", "--limit", "leads", "--agent", ""]), ["acme"]);
        assert_eq!(offered(&["pause", ""]), ["acme"]);
        assert_eq!(offered(&["completions", ""]), ["bash", "zsh", "fish"]);
        assert_eq!(offered(&["--config", ""]), [""; 0], "a file's name is the shell's work");
    }
}
