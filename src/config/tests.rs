//! The promises of the whole room, tried on texts of `widget.toml`.

mod mistakes;
mod mistakes_in_looks;
mod mistakes_in_metrics;
mod mistakes_in_money;
mod mistakes_in_webhooks;

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::domain::agent::{Action, Direction, FieldKind, Mode, Press, Side, Trigger};
use crate::domain::webhook::Occasion;
use crate::model::MaxTokensField;
use crate::webhook::Format;

const SHIPPED: &str = include_str!("../../widget.toml");
/// The least that is a configuration, with no warning.
const AGENT: &str = "[[agent]]\nid = \"a\"\nname = \"A\"\nallowed_origins = [\"self\"]\n";

fn env(name: &str) -> Option<String> {
    match name {
        "GOOD_KEY" => Some("k-123".to_owned()),
        "TEAM_KEY" => Some("team".to_owned()),
        "WEBHOOK_SECRET" => Some("w".repeat(32)),
        "METRICS_TOKEN" => Some("m".repeat(32)),
        "EMPTY_KEY" => Some(" ".to_owned()),
        "BROKEN_KEY" => Some("two\nlines".to_owned()),
        _ => None,
    }
}

fn load_text(text: &str) -> Result<Config, Complaints> {
    parse(Path::new("/etc/widgetd/widget.toml"), text, &Overrides::default(), &env)
}

fn good(text: &str) -> Config {
    load_text(text).unwrap_or_else(|complaints| panic!("{complaints}\nin:\n{text}"))
}

/// The complaints, as `line key: text`.
fn complaints(text: &str) -> Vec<String> {
    let Err(complaints) = load_text(text) else {
        panic!("no complaint about:\n{text}");
    };
    complaints
        .list
        .iter()
        .map(|complaint| {
            let line = complaint.line.unwrap_or(0);
            format!("{line} {}: {}", complaint.key, complaint.text)
        })
        .collect()
}

#[test]
fn the_shipped_file_has_no_mistake_and_no_warning() {
    let config = good(SHIPPED);
    assert_eq!(config.warnings, [""; 0]);
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.storage.folder, Path::new("/etc/widgetd/data"));
    assert!(config.models.is_empty());
    let demo = config.agent("demo").unwrap();
    assert!(demo.allowed_origins.own && !demo.allowed_origins.any);
    assert_eq!(demo.models, ["builtin"]);
    assert!((15..=30).contains(&demo.faq.len()));
    assert!(demo.appearance.lead_form.enabled && demo.appearance.rules.len() == 4);
    for prompt in &demo.appearance.starter_prompts {
        assert!(demo.faq.iter().any(|faq| faq.question.contains(prompt.trim_end_matches('?'))));
    }
}

/// The shipped file with each commented key and header made a real one, but for those that `leave` names.
fn uncommented(leave: &[&str]) -> String {
    let is_setting = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let is_key = line.contains(" = ") && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        (is_key && !leave.contains(&key)) || (line.starts_with('[') && line.ends_with(']'))
    };
    let uncomment = |line: &'static str| match line.strip_prefix("# ") {
        Some(setting) if is_setting(setting) => setting,
        _ => line,
    };
    SHIPPED.lines().map(|line| format!("{}\n", uncomment(line))).collect()
}

#[test]
fn the_shipped_file_shows_every_key() {
    // The two that exclude each other are told apart by their names alone.
    let text = uncommented(&["key_file", "secret_file", "metrics_token_file"]);
    let (tree, _) = DeTable::parse_recoverable(&text);
    let notes = Notes::new(&text, &[]);
    let path = Path::new("widget.toml");
    let surroundings = Surroundings {
        folder: Path::new(""),
        overrides: &Overrides::default(),
        env: &|_| Some("set".to_owned()),
        notes: &notes,
    };
    read_all(&Section::root(tree.get_ref(), &notes), path, &surroundings);
    let known = notes.known();
    assert!(known.len() > 80, "{known:?}");
    for (header, key) in known {
        // These stand in a file of their own, to which the shipped one points.
        if header == "[agent.strings]" {
            continue;
        }
        let section = header.trim_matches(['[', ']']);
        let path = if section == "the file" { key.to_owned() } else { format!("{section}.{key}") };
        let headers = [format!("[{path}]"), format!("[[{path}]]")];
        let shows = |line: &str, text: &str| line.trim_start_matches("# ").starts_with(text);
        let is_header = SHIPPED.lines().any(|line| headers.iter().any(|header| shows(line, header)));
        // Under its header, before the next one.
        let is_key = SHIPPED
            .split("\n[")
            .flat_map(|part| part.split("\n# ["))
            .filter(|part| part.trim_start_matches('[').starts_with(&format!("{section}]")))
            .any(|part| part.lines().any(|line| shows(line, &format!("{key} ="))));
        assert!(is_header || is_key, "{header} {key} does not stand in widget.toml");
    }
}

#[test]
fn what_the_shipped_file_shows_in_comments_is_right() {
    let text = uncommented(&["key_file", "ca_file", "secret_file", "metrics_token_file"]);
    let set = |_: &str| Some("set to enough for any key".repeat(2));
    let config = parse(Path::new("widget.toml"), &text, &Overrides::default(), &set);
    let config = config.unwrap_or_else(|complaints| panic!("{complaints}"));
    assert_eq!(config.models.len(), 1);
    assert_eq!(config.agents[0].models, ["local", "builtin"]);
    assert_eq!(config.agents[0].appearance.rules.len(), 5);
}

#[test]
fn the_defaults_that_the_shipped_file_shows_are_the_real_ones() {
    // The keys left out have no default: what stands there is an example.
    let examples = [
        "key_file",
        "ca_file",
        "key_env",
        "headers",
        "public_url",
        "trusted_proxies",
        "launcher_label",
        "avatar",
        "input_price",
        "output_price",
        "tokens_per_day",
        "tokens_per_month",
        "cost_per_day",
        "cost_per_month",
        "agent_tokens_per_month",
        "agent_cost_per_day",
        "agent_cost_per_month",
        "secret_file",
        "metrics_token_env",
        "metrics_token_file",
        "agents",
    ];
    let shown = good(&uncommented(&examples));
    let model =
        "[[model]]\nname = \"local\"\nurl = \"http://127.0.0.1:8000/v1\"\nmodel = \"qwen3-8b\"\ntemperature = 0.3\n";
    let webhook =
        "[[webhook]]\nname = \"crm\"\nurl = \"https://crm.example.com/widgetd\"\nsecret_env = \"WEBHOOK_SECRET\"\n";
    let real = good(&format!("{model}{webhook}{AGENT}"));
    let of = |config: &Config| {
        let Config { http, log, storage, limits, models, webhooks, .. } = config;
        let times = (config.shutdown_grace, config.resume_window);
        let Agent { appearance, budget, .. } = &*config.agents[0];
        let looks = (&appearance.theme, &appearance.language, budget);
        format!("{http:?} {log:?} {storage:?} {limits:?} {times:?} {models:?} {webhooks:?} {looks:?}")
    };
    assert_eq!(of(&shown), of(&real));
    assert_eq!(shown.agents[0].budget.messages, 60);
    assert_eq!(shown.limits.init_per_address.requests, 60);
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_lines() {
    let text = "[server]\nlisten = 1\nworkers = \"x\"\n\n[loog]\n\n[[agent]]\nid = \"A\"\nallowed_origins = [\n  \"a.example\",\n  \"https://b.example/\",\n]\ngreting = \"Hi\"\n";
    let found = complaints(text);
    let starts = [
        "2 server.listen: ",
        "3 server.workers: ",
        "5 loog: ",
        "7 agent[0].name: is missing",
        "8 agent[0].id: ",
        "10 agent[0].allowed_origins[0]: ",
        "11 agent[0].allowed_origins[1]: ",
        "13 agent[0].greting: is not a key of [[agent]]; did you mean greeting?",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn complaints_read_well_at_a_terminal() {
    let text = format!("[server]\nworkers = 0\nlisten = 1\n{AGENT}");
    let complaints = load_text(&text).unwrap_err();
    assert_eq!(
        complaints.to_string(),
        "/etc/widgetd/widget.toml:2: server.workers: 0 is out of range; write a whole number from 1 to 1024\n\
         /etc/widgetd/widget.toml:3: server.listen: 1 is not a text; write it in quotes: \"1\"\n\
         2 mistakes in the configuration"
    );
}

#[test]
fn faults_of_syntax_are_reported_with_what_stands_before_them() {
    let text = "[server]\nworkers = 0\nlisten =\n[log]\nlevel = \"x\nformat = 1\n";
    let complaints = load_text(text).unwrap_err();
    let lines: Vec<_> = complaints.list.iter().map(|complaint| complaint.line).collect();
    assert_eq!(lines, [Some(2), Some(3), Some(5)]);
    assert!(complaints.to_string().ends_with(
        "3 mistakes in the configuration; what follows the first one that breaks TOML's syntax was not looked at"
    ));
}

#[test]
fn what_a_torn_file_lacks_may_have_been_torn_off() {
    let found = complaints("[[agent]]\nid = \"a\"\nmodels = [\"m\"]\nname =\n[[model]\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("4 : ") && found[1].starts_with("5 : "));
}

#[test]
fn no_damage_makes_the_reader_panic() {
    let ends = SHIPPED.match_indices('\n').map(|(end, _)| end);
    let starts = [0].into_iter().chain(ends.clone().map(|end| end + 1));
    for (start, end) in starts.zip(ends) {
        let middle = (start..=end).find(|&at| at >= (start + end) / 2 && SHIPPED.is_char_boundary(at));
        let middle = middle.unwrap_or(end);
        let _ = load_text(&SHIPPED[..middle]);
        let _ = load_text(&format!("{}{}", &SHIPPED[..middle], &SHIPPED[end..]));
        let _ = load_text(&format!("{}{}", &SHIPPED[..start], &SHIPPED[end..]));
    }
}

#[test]
fn a_key_that_stands_twice_is_a_fault_of_syntax() {
    let text = format!("[log]\nlevel = \"info\"\nlevel = \"warn\"\n{AGENT}");
    assert_eq!(complaints(&text), ["3 : level is there twice; take one out"]);
}

#[test]
fn a_command_that_needs_no_secret_asks_for_none() {
    let text = format!(
        "[[model]]\nname = \"m\"\nurl = \"https://m.example/v1\"\nmodel = \"x\"\nkey_env = \"NOT_SET\"\n\
         headers = {{ \"X-Key\" = \"env:NOT_SET\" }}\n\
         [[webhook]]\nname = \"w\"\nurl = \"https://w.example/\"\nsecret_file = \"not-there\"\n{AGENT}"
    );
    assert_eq!(complaints(&text).len(), 3);
    let overrides = Overrides { without_secrets: true, ..Overrides::default() };
    assert!(parse(Path::new("/x/widget.toml"), &text, &overrides, &env).is_ok());
}

#[test]
fn flags_and_variables_win_over_the_file() {
    let overrides = Overrides {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 9999))),
        data: Some(PathBuf::from("elsewhere")),
        log: Some("DEBUG".to_owned()),
        without_secrets: false,
    };
    let text =
        format!("[server]\nlisten = \"127.0.0.1:1\"\n[storage]\nfolder = \"d\"\n[log]\nlevel = \"warn\"\n{AGENT}");
    let config = parse(Path::new("/x/widget.toml"), &text, &overrides, &env).unwrap();
    assert_eq!(config.http.listen.port(), 9999);
    assert_eq!(config.storage.folder, Path::new("elsewhere"));
    assert_eq!(config.log.level, tracing::Level::DEBUG);
    let config = good(&text);
    assert_eq!(config.http.listen.port(), 1);
    assert_eq!(config.storage.folder, Path::new("/etc/widgetd/d"));
    assert_eq!(config.log.level, tracing::Level::WARN);
}

#[test]
fn a_wrong_variable_is_named_and_has_no_line() {
    let overrides = Overrides { log: Some("loud".to_owned()), ..Overrides::default() };
    let complaints = parse(Path::new("w"), AGENT, &overrides, &env).unwrap_err();
    assert_eq!(
        complaints.to_string(),
        "WIDGETD_LOG: \"loud\" is not known here; write off, error, warn, info, debug or trace, plain or json, or one of each with a comma between\n\
         1 mistake in the configuration"
    );
}

#[test]
fn what_is_probably_not_wanted_is_a_warning() {
    let check = |text: &str, expected: &[&str]| {
        let warnings = good(text).warnings;
        assert_eq!(warnings.len(), expected.len(), "{warnings:#?}");
        for (warning, expected) in warnings.iter().zip(expected) {
            let warning = warning.strip_prefix("/etc/widgetd/widget.toml:").unwrap();
            assert!(warning.starts_with(expected), "{warning}");
        }
    };
    let server = |lines: &str| format!("[server]\n{lines}\n{AGENT}");
    let agent = |origins: &str| format!("[[agent]]\nid = \"a\"\nname = \"A\"\n{origins}");
    check(AGENT, &[]);
    check(&agent("allowed_origins = [\"*\"]"), &["4: agent[0].allowed_origins: [\"*\"] lets every site"]);
    check(&agent("allowed_origins = []"), &["4: agent[0].allowed_origins: is empty"]);
    check(&agent(""), &["1: agent[0].allowed_origins: is empty"]);
    check(&server("listen = \"0.0.0.0:80\""), &["1: server.public_url: not set", "1: server.trusted_proxies: not set"]);
    check(&server("listen = \"[::1]:80\""), &[]);
    check(&server("public_url = \"http://localhost:8080\""), &[]);
    check(&server("public_url = \"http://127.0.0.1:8080\""), &[]);
    let proxied = |listen: &str, proxies: &str| {
        server(&format!("listen = \"{listen}:80\"\npublic_url = \"https://a.example\"\ntrusted_proxies = [{proxies}]"))
    };
    check(&proxied("127.0.0.1", "\"127.0.0.1\""), &[]);
    check(&proxied("127.0.0.1", "\"127.0.0.0/8\", \"10.0.0.0/8\""), &[]);
    check(&proxied("0.0.0.0", "\"172.16.0.0/12\""), &[]);
    check(&proxied("0.0.0.0", "\"127.0.0.1\", \"10.0.0.7\""), &[]);
    check(&proxied("0.0.0.0", "\"127.0.0.1\", \"::1\""), &["2: server.listen: is reached from beyond this machine"]);
    check(&proxied("127.0.0.1", "\"10.0.0.7\""), &["4: server.trusted_proxies: has no address of this machine"]);
    check(&proxied("[::1]", "\"127.0.0.1\""), &["4: server.trusted_proxies: has no address of this machine"]);
    for wide in ["0.0.0.0/0", "::/0", "0.0.0.0/1"] {
        let expected = &["4: server.trusted_proxies: holds more than your proxies can be"];
        check(&proxied("127.0.0.1", &format!("\"127.0.0.1\", \"{wide}\"")), expected);
        check(&proxied("0.0.0.0", &format!("\"{wide}\"")), expected);
    }
    check(
        &server("trusted_proxies = [\"127.0.0.1\"]"),
        &["1: server.public_url: not set, though a proxy stands before the server"],
    );
    check(&server("public_url = \"https://a.example\""), &["1: server.trusted_proxies: not set"]);
    check(
        &server("listen = \"10.0.0.1:80\"\npublic_url = \"https://a.example\"\ntrusted_proxies = [\"10.0.0.2\"]"),
        &[],
    );
    let model = |url: &str| format!("[[model]]\nname = \"m\"\nmodel = \"x\"\nurl = \"{url}\"\n{AGENT}");
    check(&model("http://m.example/v1"), &["4: model[0].url: http without TLS"]);
    check(&model("https://m.example/v1"), &[]);
    check(&model("http://localhost:8000/v1"), &[]);
    check(&model("http://[::1]:8000/v1"), &[]);
}

#[test]
fn every_setting_arrives_where_it_belongs() {
    let config =
        good(&uncommented(&["key_file", "ca_file", "key_env", "headers", "secret_file", "metrics_token_file"]));
    let model = &config.models[0];
    assert_eq!(model.temperature, Some(0.3));
    assert_eq!(model.max_tokens_field, MaxTokensField::MaxTokens);
    assert_eq!(model.url, "http://127.0.0.1:8000/v1/chat/completions");
    assert_eq!(config.public_url.as_ref().map(Origin::as_str), Some("https://chat.example.com"));
    assert!(!config.http.trusted_proxies.is_empty());
    assert_eq!(config.metrics_token.as_ref().unwrap().expose(), "m".repeat(32));
    let look = &config.agents[0].appearance;
    assert_eq!((look.theme.mode, look.theme.side, look.theme.radius_px), (Mode::Auto, Side::Right, 12));
    assert_eq!(look.lead_form.fields[2].kind, FieldKind::Select);
    assert_eq!(look.lead_form.fields[2].options, ["Sales", "Support"]);
    assert_eq!(look.rules[0].trigger, Trigger::Idle { seconds: 30 });
    assert_eq!(look.rules[1].action, Action::LeadForm);
    assert_eq!(look.rules[2].trigger, Trigger::Scroll { percent: 60 });
    assert_eq!(look.rules[3].trigger, Trigger::Url { pattern: "/pricing*".to_owned() });
    assert_eq!(look.rules[2].paths, ["/"]);
    let Action::Card { title, buttons, .. } = &look.rules[3].action else { panic!("{:?}", look.rules[3]) };
    assert_eq!(title, "What does widgetd cost?");
    assert_eq!(buttons[0].does, Press::Message { text: "What does it cost?".to_owned() });
    assert_eq!(buttons[1].does, Press::LeadForm);
    assert_eq!(look.restricted_paths, ["/checkout*"]);
    assert_eq!(look.strings["launcher"], "Ask the workshop");
    assert_eq!(look.strings["send"], "Send");
    assert_eq!(look.theme.avatar.as_deref(), Some("https://www.example.com/avatar.png"));
    assert_eq!((look.theme.launcher_label.as_str(), look.theme.offset_x_px), ("Ask us", 20));
    assert!(config.agents[0].faq[0].url.is_some());
    let webhook = &config.webhooks[0];
    assert_eq!((webhook.name.as_str(), webhook.url.as_str()), ("crm", "https://crm.example.com/widgetd"));
    assert_eq!((&webhook.agents[..], &webhook.events[..]), (&[look.id.clone()][..], &Occasion::ALL[..]));
    assert_eq!(webhook.secret.as_ref().unwrap().expose(), "w".repeat(32));
    assert_eq!((webhook.format, webhook.allow_private), (Format::Json, false));
}

#[test]
fn models_get_their_keys_and_agents_their_chains() {
    let text = format!(
        "[[model]]\nname = \"one\"\nurl = \"https://m.example\"\nmodel = \"x\"\nkey_env = \"GOOD_KEY\"\n\
         headers = {{ \"X-A\" = \"plain\", \"X-B\" = \"env:TEAM_KEY\" }}\nidle_timeout = \"1m 30s\"\n\
         [[model]]\nname = \"two\"\nurl = \"https://n.example\"\nmodel = \"y\"\n\
         {AGENT}[[agent]]\nid = \"b\"\nname = \"B\"\nallowed_origins = [\"self\"]\nmodels = [\"two\"]\n"
    );
    let config = good(&text);
    let one = &config.models[0];
    assert_eq!(one.key.as_ref().map(|key| key.expose()), Some("k-123"));
    let headers: Vec<_> = one.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("X-A", "plain"), ("X-B", "team")]);
    assert_eq!(one.idle_timeout, Duration::from_secs(90));
    assert_eq!(config.agent("a").unwrap().models, ["one", "two", "builtin"]);
    assert_eq!(config.agent("b").unwrap().models, ["two"]);
    assert!(config.agent("c").is_none());
    let shown = format!("{config:?}");
    assert!(!shown.contains("k-123") && !shown.contains("team\""), "{shown}");
}

#[test]
fn an_agents_budget_overrides_single_keys_of_the_common_one() {
    let text = format!("[budget]\nmessages = 10\ntokens = 5000\n{AGENT}[agent.budget]\nmessages = 20\n");
    let budget = good(&text).agents[0].budget.clone();
    assert_eq!((budget.messages, budget.tokens, budget.answer_tokens), (20, 5000, 800));
}

#[test]
fn a_key_file_is_read_beside_the_configuration_and_must_be_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("widgetd-{}", crate::domain::id::random_hex()));
    std::fs::create_dir(&folder).unwrap();
    let key = folder.join("model.key");
    let text = format!(
        "[[model]]\nname = \"m\"\nurl = \"https://m.example\"\nmodel = \"x\"\nkey_file = \"model.key\"\n{AGENT}"
    );
    std::fs::write(folder.join("widget.toml"), text).unwrap();
    std::fs::write(&key, "file-key\n").unwrap();
    let load_with_mode = |mode| {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        load(&folder.join("widget.toml"), &Overrides::default(), &env)
    };
    let config = load_with_mode(0o600).unwrap();
    let complaints = load_with_mode(0o644).unwrap_err();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(config.models[0].key.as_ref().map(|key| key.expose()), Some("file-key"));
    let expected = format!("{0} can be read by others (mode 644); run: chmod 600 {0}", key.display());
    assert_eq!(complaints.list[0].text, expected);
    assert_eq!(complaints.list[0].line, Some(5));
}

#[test]
fn a_file_that_cannot_be_read_says_what_to_do() {
    let load = |path: &Path| load(path, &Overrides::default(), &env).unwrap_err().to_string();
    let missing = load(Path::new("/nowhere/widget.toml"));
    assert!(missing.starts_with("/nowhere/widget.toml: there is no such file; name yours with --config"), "{missing}");
    let folder = load(&std::env::temp_dir());
    assert!(folder.contains("is a folder; name the file in it"), "{folder}");
    let binary = std::env::temp_dir().join(format!("widgetd-{}", crate::domain::id::random_hex()));
    std::fs::write(&binary, b"a = 1\n\xff").unwrap();
    let found = load(&binary);
    std::fs::remove_file(&binary).unwrap();
    assert!(found.contains("line 2 is not UTF-8"), "{found}");
    let endless = load(Path::new("/dev/zero"));
    assert!(endless.contains("is larger than 16 MiB"), "{endless}");
}

#[test]
fn the_language_tells_how_the_words_are_written_unless_the_file_does() {
    let look = |lines: &str| good(&format!("{AGENT}{lines}\n")).agents[0].appearance.clone();
    for rtl in ["ar", "ar-EG", "he", "fa-IR", "ur", "ku-Arab", "az-Arab-IR"] {
        assert_eq!(look(&format!("language = \"{rtl}\"")).direction, Direction::Rtl, "{rtl}");
    }
    for ltr in ["en", "de-CH", "ar-Latn", "zh-Hant-TW", "fas"] {
        assert_eq!(look(&format!("language = \"{ltr}\"")).direction, Direction::Ltr, "{ltr}");
    }
    assert_eq!(look("language = \"ar\"\ndirection = \"ltr\"").direction, Direction::Ltr);
}
