//! `widgetd init`: the first configuration, from flags or from answers. It writes what passes `widgetd check`, and nothing over
//! what is there.

mod answers;
mod ask;
mod draft;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use self::answers::Wrong;
use self::draft::{Draft, Key};
use super::{DEFAULT_CONFIG, INSTALLED_CONFIG, Options, USAGE, complain, fail, file, say};
use crate::config;
use crate::widget;

/// The configuration of the demo, which explains every key.
const FULL: &str = include_str!("../../../widget.toml");
/// Where an installed server keeps what it stores.
const INSTALLED_FOLDER: &str = "/var/lib/widgetd";
/// Where systemd has the service, from install.sh or from a package.
const UNITS: [&str; 3] = [
    "/etc/systemd/system/widgetd.service",
    "/usr/lib/systemd/system/widgetd.service",
    "/lib/systemd/system/widgetd.service",
];
const STANDARD_OUTPUT: &str = "-";

#[derive(Args)]
pub(super) struct Flags {
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "full",
        help = "Your site, as the browser shows it, such as https://www.example.com; several times for several"
    )]
    site: Vec<String>,
    /// Do not allow the site's twin with or without "www." as well
    #[arg(long)]
    no_twin: bool,
    /// What the agent is called; else after the site
    #[arg(long, value_name = "NAME", conflicts_with = "full")]
    name: Option<String>,
    /// The agent's id, which the tag on your page names; else after the site
    #[arg(long, value_name = "ID", conflicts_with = "full")]
    agent: Option<String>,
    /// The language of the widget's own words, such as en, de-CH or pt-BR
    #[arg(long, value_name = "TAG", conflicts_with = "full")]
    language: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        conflicts_with = "full",
        help = "The address at which visitors will reach widgetd, such as https://chat.example.com"
    )]
    public_url: Option<String>,
    /// The address of the proxy before it, or "none" [default: 127.0.0.1, if --public-url is https]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "full")]
    proxy: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        requires = "model",
        conflicts_with = "full",
        help = "A server that speaks OpenAI's chat API, such as https://api.openai.com/v1; without one the FAQ answers"
    )]
    model_url: Option<String>,
    /// What that server calls the model
    #[arg(long, value_name = "NAME", requires = "model_url")]
    model: Option<String>,
    /// The name of the variable that holds the model's key
    #[arg(long, value_name = "VARIABLE", requires = "model_url", conflicts_with = "key_file")]
    key_env: Option<String>,
    /// The file that holds the model's key, which only the server's user can read
    #[arg(long, value_name = "FILE", requires = "model_url")]
    key_file: Option<String>,
    /// The folder of the database and the signing key, relative to the file that is written
    #[arg(long, value_name = "FOLDER", conflicts_with = "full")]
    folder: Option<String>,
    /// Write every key there is, explained, with the demo's agent, instead of your own short file
    #[arg(long)]
    full: bool,
    /// The file to write, "-" for standard output [default: --config; else widget.toml, or as root, where there is the folder
    /// /etc/widgetd, the one there]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Ask nothing: what no flag says is as it would be suggested
    #[arg(long)]
    yes: bool,
}

pub(super) fn run(options: &Options, flags: &Flags) -> ExitCode {
    match write(options, flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

fn write(options: &Options, flags: &Flags) -> Result<(), ExitCode> {
    let path = flags.output.clone().or_else(|| options.config.clone()).unwrap_or_else(output);
    let is_printed = path.as_os_str() == STANDARD_OUTPUT;
    if !is_printed && !flags.force && path.symlink_metadata().is_ok() {
        return Err(fail(&format_args!(
            "{} is there already; --output FILE writes another one, --force writes over it",
            path.display()
        )));
    }
    if flags.full {
        return put(&path, FULL, flags.force, is_printed).map(|()| {
            if !is_printed {
                complain(format_args!("Every key, with the demo's agent, is in {}.", path.display()));
            }
        });
    }
    let draft = answers::draft(options, flags, is_installed(&path)).map_err(|wrong| match wrong {
        Wrong::Flags(complaints) => {
            complaints.iter().for_each(|complaint| complain(format_args!("widgetd: {complaint}")));
            ExitCode::from(USAGE)
        }
        Wrong::Terminal(error) => fail(&error),
    })?;
    let text = draft.to_toml();
    // Each answer was judged; this is about all of them together.
    let config = config::judge(&path, &text).map_err(|complaints| fail(&complaints))?;
    put(&path, &text, flags.force, is_printed)?;
    if !is_printed {
        config.warnings.iter().for_each(|warning| complain(format_args!("warning: {warning}")));
        tell(&draft, &path);
    }
    Ok(())
}

/// Where whoever does not say it expects the file: where the other commands look for it.
fn output() -> PathBuf {
    let installed = Path::new(INSTALLED_CONFIG);
    let is_root = rustix::process::geteuid().is_root();
    let is_prepared = installed.parent().is_some_and(Path::is_dir);
    if is_root && is_prepared { installed.to_owned() } else { DEFAULT_CONFIG.into() }
}

fn is_installed(path: &Path) -> bool {
    path == Path::new(INSTALLED_CONFIG)
}

fn put(path: &Path, text: &str, overwrite: bool, is_printed: bool) -> Result<(), ExitCode> {
    if is_printed {
        say(format_args!("{}", text.trim_end()));
        return Ok(());
    }
    let group = rustix::process::geteuid().is_root().then(file::server_group).flatten();
    // What is written over keeps its owner: a server may run that reads it.
    let written = match path.metadata() {
        Ok(_) if overwrite => file::replace(path, text),
        _ => file::create(path, text, group, overwrite),
    };
    written.map_err(|error| fail(&format_args!("cannot write {}: {error}", path.display())))
}

/// What is next.
fn tell(draft: &Draft, path: &Path) {
    let has_service = is_installed(path) && UNITS.iter().any(|unit| Path::new(unit).exists());
    say(format_args!("Wrote {}. What is next:", path.display()));
    say(format_args!(""));
    if let Some(step) = draft.model.as_ref().and_then(|model| key_step(&model.key, has_service)) {
        say(format_args!("  {step}"));
        say(format_args!(""));
    }
    for (command, does) in next_commands(path, has_service) {
        say(format_args!("  # {does}"));
        say(format_args!("  {command}"));
    }
    if draft.has_demo() {
        say(format_args!(""));
        say(format_args!("Once it runs, try it in a browser on this machine: http://{}/", draft.listen));
    }
    say(format_args!(""));
    say(format_args!("The tag for your page:"));
    say(format_args!(""));
    let server = draft.public_url.clone().unwrap_or_else(|| format!("http://{}", draft.listen));
    say(format_args!("  {}", widget::tag(&server, &draft.id)));
}

/// Each with what it does. As root beside a service they are for the service's user, with its keys.
fn next_commands(path: &Path, has_service: bool) -> [(String, &'static str); 4] {
    let is_found = is_installed(path) || path == Path::new(DEFAULT_CONFIG);
    let command = if is_found { "widgetd".to_owned() } else { format!("widgetd --config {}", path.display()) };
    let [check, start, password] = if has_service {
        [
            "(set -a; . /etc/widgetd/env; runuser -u widgetd -- widgetd check)".to_owned(),
            "systemctl enable --now widgetd widgetd-backup.timer".to_owned(),
            "runuser -u widgetd -- widgetd admin set-password".to_owned(),
        ]
    } else {
        [format!("{command} check"), command.clone(), format!("{command} admin set-password")]
    };
    [
        (format!("{command} import-faq FILE"), "teach it the questions of a Markdown or CSV file"),
        (check, "look the file through; this prints a call to try"),
        (start, if has_service { "start it, and a backup each night" } else { "start it" }),
        (password, "switch the owner's page at /admin on"),
    ]
}

/// What must be done before a key is found.
fn key_step(key: &Key, has_service: bool) -> Option<String> {
    match key {
        Key::None => None,
        Key::Variable(name) if has_service => Some(format!("Write the key into /etc/widgetd/env: {name}=…")),
        Key::Variable(name) if std::env::var_os(name).is_some() => None,
        Key::Variable(name) => Some(format!("Set {name} to the model's key first: export {name}=…")),
        Key::File(path) => {
            Some(format!("The key belongs into {path}, readable for the server's user alone: chmod 600"))
        }
    }
}
