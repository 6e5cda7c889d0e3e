//! What shells offer, asked from a real one, and the page of the manual.

use std::path::Path;
use std::process::Command;

use crate::support::config::Config;
use crate::support::server::{BINARY, Folder, widgetd};

/// What Bash would offer for these words, the last of which is being typed.
fn offered(folder: &Folder, words: &[&str]) -> Vec<String> {
    let script = "source <(widgetd completions bash); COMP_WORDS=(widgetd \"$@\"); COMP_CWORD=$#; _widgetd; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let path = format!("{}:{}", Path::new(BINARY).parent().unwrap().display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["--norc", "-uo", "pipefail", "-c", script, "bash"])
        .args(words)
        .env("PATH", path)
        .env_remove("WIDGETD_CONFIG")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_offers_what_help_shows_and_the_agents() {
    let folder = Folder::new();
    folder.write("widget.toml", &Config::new("http://127.0.0.1:9/v1").to_toml());
    assert_eq!(offered(&folder, &["import"]), ["import-faq"]);
    assert_eq!(offered(&folder, &["conv"]), ["conversations"]);
    assert_eq!(offered(&folder, &["leads", "e"]), ["export"]);
    assert_eq!(offered(&folder, &["leads", "list", "--st"]), ["--status"]);
    assert_eq!(offered(&folder, &["leads", "list", "--format", ""]), ["table", "json", "csv"]);
    assert_eq!(offered(&folder, &["pause", ""]), ["demo", "other"]);
    assert_eq!(offered(&folder, &["import-faq", "faq.md", "--agent", "o"]), ["other"]);
    assert!(offered(&folder, &["--config", ""]).is_empty(), "files are the shell's own");
    let config = folder.path().join("widget.toml").display().to_string();
    assert_eq!(offered(&Folder::new(), &["--config", &config, "pause", "d"]), ["demo"]);
    assert!(offered(&Folder::new(), &["pause", ""]).is_empty(), "without a configuration nobody complains");
}

#[test]
fn each_shell_has_its_script() {
    for (shell, words) in
        [("bash", "complete -o default"), ("zsh", "#compdef widgetd"), ("fish", "complete --command widgetd")]
    {
        let output = widgetd().args(["completions", shell]).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains(words), "{shell}");
    }
}

#[test]
fn the_manual_has_each_command_and_flag() {
    let output = widgetd().arg("man").output().unwrap();
    let page = String::from_utf8(output.stdout).unwrap();
    for words in
        [".TH WIDGETD 1", ".SS \"init\"", ".SS \"import\\-faq SOURCE\"", "dry\\-run", ".SS \"webhook replay [ID]\""]
    {
        assert!(page.contains(words), "{words} in\n{page}");
    }
}
