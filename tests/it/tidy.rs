//! Rules of the source that no compiler checks.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::support::openapi::DOCUMENT;

const LINES_MAX: usize = 400;

/// What each room of `src/` may name beside itself and what all may name.
const ARROWS: [(&str, &[&str]); 18] = [
    ("main", &[]),
    ("lib", &["cli"]),
    ("fuzzing", &["api", "domain", "http", "model"]),
    ("cli", &["server", "admin", "config", "doctor", "export", "faq_import", "model", "store", "webhook", "widget"]),
    ("server", &["admin", "api", "chat", "config", "http", "janitor", "model", "store", "supervisor", "webhook"]),
    ("supervisor", &["http", "store"]),
    ("doctor", &["config", "widget"]),
    ("janitor", &["store"]),
    ("export", &["store"]),
    ("faq_import", &[]),
    ("api", &["chat", "config", "http", "model", "store", "widget"]),
    ("admin", &["config", "export", "http", "store"]),
    ("chat", &["model", "store"]),
    ("model", &[]),
    ("store", &[]),
    ("webhook", &["store"]),
    ("http", &[]),
    ("widget", &[]),
];

/// The configuration hands each room its own settings.
const CONFIG_NAMES: [&str; 4] = ["http", "model", "store", "webhook"];

/// Named by all; they name only each other.
const COMMON: [&str; 6] = ["domain", "token", "limiter", "clock", "log", "metrics"];

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// `api` of `src/api/init.rs`, `token` of `src/token.rs`.
    fn room(&self) -> String {
        let below = self.path.strip_prefix(root().join("src")).unwrap();
        let first = below.components().next().unwrap();
        Path::new(first.as_os_str()).file_stem().unwrap().to_str().unwrap().to_owned()
    }

    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().display().to_string()
    }

    /// The file without its tests, which come last.
    fn without_tests(&self) -> &str {
        let is_tests = |part: Component| Path::new(part.as_os_str()).file_stem().is_some_and(|name| name == "tests");
        if self.path.strip_prefix(root().join("src")).is_ok_and(|below| below.components().any(is_tests)) {
            return "";
        }
        self.text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default()
    }

    /// Its lines without comments, numbered.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.without_tests().lines().enumerate();
        lines.map(|(index, line)| (index + 1, line)).filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &str, extension: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{folder} has no .{extension}");
    found
}

#[track_caller]
fn none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn no_file_is_longer_than_four_hundred_lines() {
    let sources = files("src", "rs").into_iter().chain(files("tests/it", "rs")).chain(files("tests/siege", "rs"));
    let complaints = sources.filter_map(|source| {
        let lines = source.without_tests().lines().count();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", source.name()))
    });
    none(complaints.collect());
}

/// The rooms that a line names by `crate::`.
fn named(line: &str) -> Vec<String> {
    let of =
        |rest: &str| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    line.match_indices("crate::")
        .flat_map(|(at, found)| {
            let rest = &line[at + found.len()..];
            match rest.strip_prefix('{').and_then(|list| list.split('}').next()) {
                Some(list) => list.split(',').map(|name| of(name.trim())).collect(),
                None => vec![of(rest)],
            }
        })
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn rooms_name_only_those_below_them() {
    let mut complaints = Vec::new();
    for source in files("src", "rs") {
        let room = source.room();
        let below: Vec<&str> = match ARROWS.iter().find(|(name, _)| *name == room) {
            Some((_, below)) => below.to_vec(),
            None if room == "config" => CONFIG_NAMES.to_vec(),
            None if COMMON.contains(&room.as_str()) => Vec::new(),
            None => panic!("src/{room} is in no list of rooms: say what it may name"),
        };
        for (number, line) in source.code() {
            for name in named(line) {
                let is_module =
                    root().join("src").join(format!("{name}.rs")).exists() || root().join("src").join(&name).is_dir();
                let may = name == room || COMMON.contains(&name.as_str()) || below.contains(&name.as_str());
                if is_module && !may {
                    complaints.push(format!("{}:{number}: {room} names {name}", source.name()));
                }
            }
        }
    }
    none(complaints);
}

#[test]
fn sql_is_written_in_the_store_alone() {
    const SQL: [&str; 9] = [
        "insert into ",
        "delete from ",
        "select * ",
        "select count(",
        "update messages",
        "create table ",
        "begin immediate",
        "pragma ",
        "on conflict",
    ];
    let mut complaints = Vec::new();
    for source in files("src", "rs") {
        if source.room() == "store" {
            continue;
        }
        for (number, line) in source.code() {
            let line = line.to_lowercase();
            complaints.extend(
                SQL.iter().filter(|sql| line.contains(*sql)).map(|sql| format!("{}:{number}: {sql}", source.name())),
            );
            if line.contains("rusqlite") || line.contains("r2d2") {
                complaints.push(format!("{}:{number}: a database outside of the store", source.name()));
            }
        }
    }
    none(complaints);
}

#[test]
fn only_the_clock_reads_the_clock() {
    let complaints = files("src", "rs").into_iter().filter(|source| source.room() != "clock").flat_map(|source| {
        let name = source.name();
        let reads = |line: &str| {
            line.contains("SystemTime::now()")
                || (line.contains("Instant::now()") && !matches!(source.room().as_str(), "http" | "model"))
        };
        source.code().filter(|(_, line)| reads(line)).map(|(number, _)| format!("{name}:{number}")).collect::<Vec<_>>()
    });
    none(complaints.collect());
}

#[test]
fn only_the_command_line_prints() {
    let complaints = files("src", "rs")
        .into_iter()
        .filter(|source| !matches!(source.room().as_str(), "cli" | "log"))
        .flat_map(|source| {
            let name = source.name();
            let prints = |line: &str| ["println!", "print!("].iter().any(|word| line.contains(word));
            source
                .code()
                .filter(|(_, line)| prints(line))
                .map(|(number, _)| format!("{name}:{number}"))
                .collect::<Vec<_>>()
        });
    none(complaints.collect());
}

#[test]
fn nothing_is_left_for_later() {
    // Written so that they do not stand here.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("dbg", "!"),
        concat!("todo", "!"),
        concat!("unimpl", "emented!"),
    ];
    let sources = files("src", "rs").into_iter().chain(files("tests", "rs")).chain(files("sql", "sql"));
    let complaints = sources.flat_map(|source| {
        let name = source.name();
        let lines = source.text.lines().enumerate();
        let found = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        found.map(|(index, line)| format!("{name}:{}: {}", index + 1, line.trim())).collect::<Vec<_>>()
    });
    none(complaints.collect());
}

#[test]
fn nothing_is_named_after_nothing() {
    const NAMES: [&str; 7] = ["util", "utils", "helper", "helpers", "misc", "common", "manager"];
    let sources = files("src", "rs").into_iter().chain(files("tests", "rs"));
    let complaints = sources.filter(|source| {
        source.path.strip_prefix(root()).unwrap().components().any(|part| {
            let part = Path::new(part.as_os_str()).file_stem().unwrap().to_string_lossy().to_lowercase();
            part.split(['_', '-']).any(|word| NAMES.contains(&word))
        })
    });
    none(complaints.map(|source| source.name()).collect());
}

#[test]
fn every_numbered_schema_file_is_applied_in_order() {
    let mut names: Vec<_> = files("sql", "sql")
        .iter()
        .map(|source| source.path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.retain(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    let store: String = files("src/store", "rs").iter().map(|source| source.text.clone()).collect();
    for (index, name) in names.iter().enumerate() {
        assert!(name.starts_with(&format!("{:04}_", index + 1)), "{name} is not the {}th", index + 1);
        assert!(store.contains(name), "{name} is not applied");
    }
}

/// The codes of the contract's table, and those that its sections add.
const CODES: [&str; 24] = [
    "invalid_json",
    "invalid_request",
    "missing_token",
    "invalid_token",
    "expired_token",
    "origin_not_allowed",
    "origin_missing",
    "agent_not_found",
    "not_found",
    "method_not_allowed",
    "body_too_large",
    "unsupported_media_type",
    "generation_in_progress",
    "validation_failed",
    "idempotency_mismatch",
    "rate_limited",
    "conversation_budget_exhausted",
    "agent_budget_exhausted",
    "internal",
    "model_unavailable",
    "model_timeout",
    "overloaded",
    "agent_paused",
    "shutting_down",
];

#[test]
fn every_error_code_is_in_the_description_and_in_the_readme() {
    let codes = &DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let described: BTreeSet<_> =
        codes.as_array().expect("a list of codes").iter().map(|code| code.as_str().unwrap()).collect();
    let contract: BTreeSet<_> = CODES.into_iter().collect();
    assert_eq!(described, contract);
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    none(
        described
            .iter()
            .filter(|code| !readme.contains(&format!("`{code}`")))
            .map(|code| format!("README.md: {code}"))
            .collect(),
    );
}

#[test]
fn every_error_code_of_the_source_is_described() {
    let codes = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"].to_string();
    let mut complaints = Vec::new();
    for source in files("src", "rs")
        .iter()
        .filter(|source| ["error", "wire_error"].contains(&source.path.file_stem().unwrap().to_str().unwrap()))
    {
        for (number, line) in source.code() {
            // (403, "origin_missing", "…")
            let Some((_, rest)) = line.split_once("(4").or_else(|| line.split_once("(5")) else { continue };
            let Some(code) =
                rest.get(2..).and_then(|rest| rest.strip_prefix(", \"")).and_then(|rest| rest.split('"').next())
            else {
                continue;
            };
            if !codes.contains(&format!("\"{code}\"")) {
                complaints.push(format!("{}:{number}: {code}", source.name()));
            }
        }
    }
    none(complaints);
}
