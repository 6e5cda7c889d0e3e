//! One mistake each, with the whole complaint that it earns.

use super::{AGENT, complaints};

/// That `text` has one mistake, and that its complaint is `expected`.
fn check(text: &str, expected: &str) {
    assert_eq!(complaints(text), [expected], "about:\n{text}");
}

/// As [`check`], of lines that stand before a good agent.
fn check_top(lines: &str, expected: &str) {
    check(&format!("{lines}\n{AGENT}"), expected);
}

/// As [`check`], of lines that follow a good agent's four.
fn check_agent(lines: &str, expected: &str) {
    check(&format!("{AGENT}{lines}\n"), expected);
}

/// As [`check`], of lines that follow a good model's four.
fn check_model(lines: &str, expected: &str) {
    let model = "[[model]]\nname = \"m\"\nurl = \"https://m.example/v1\"\nmodel = \"x\"\n";
    check(&format!("{model}{lines}\n{AGENT}"), expected);
}

#[test]
fn mistakes_in_the_server_are_named() {
    let listen = |text: &str| format!("[server]\nlisten = {text}");
    check_top(&listen("8080"), r#"2 server.listen: 8080 is not a text; write it in quotes: "8080""#);
    check_top(
        &listen(r#""localhost:9000""#),
        r#"2 server.listen: "localhost:9000" is not an address and a port; write one like "127.0.0.1:9000" ("0.0.0.0:9000" is every interface)"#,
    );
    check_top(
        &listen(r#""10.0.0.1""#),
        r#"2 server.listen: "10.0.0.1" is not an address and a port; write one like "10.0.0.1:8080" ("0.0.0.0:8080" is every interface)"#,
    );
    check_top(
        &listen(r#"":80""#),
        r#"2 server.listen: ":80" is not an address and a port; write one like "127.0.0.1:80" ("0.0.0.0:80" is every interface)"#,
    );
    check_top(
        "[server]\npublic_url = \"https://chat.example.com/\"",
        r#"2 server.public_url: "https://chat.example.com/" has a path, a query or a fragment: an origin ends after the host and the port; write "https://chat.example.com""#,
    );
    check_top(
        "[server]\npublic_url = \"ftp://example.com\"",
        r#"2 server.public_url: "ftp://example.com" is not reachable by a browser; write one that begins with https:// or http://"#,
    );
    check_top(
        "[server]\ntrusted_proxies = [\n\"::1\",\n\"10.0.0.0/99\"]",
        r#"4 server.trusted_proxies[1]: "10.0.0.0/99" is not an address or a network; write one like "127.0.0.1", "10.0.0.0/8" or "::1""#,
    );
    check_top("[server]\ntrusted_proxies = \"::1\"", r#"2 server.trusted_proxies: "::1" is not a list; write ["::1"]"#);
    check_top("[server]\nworkers = 0", "2 server.workers: 0 is out of range; write a whole number from 1 to 1024");
    check_top("[server]\nworkers = \"16\"", r#"2 server.workers: "16" is in quotes; write 16 without them"#);
    check_top(
        "[server]\ngenerations = 1.5",
        "2 server.generations: 1.5 is not a whole number; write a whole number from 1 to 10000",
    );
    check_top(
        "[server]\ngenerations = 99999999999999999999",
        "2 server.generations: 99999999999999999999 is out of range; write a whole number from 1 to 10000",
    );
    check_top(
        "[server]\nmax_connections = 20\nmax_connections_per_address = 30",
        "3 server.max_connections_per_address: 30 is more than max_connections; write at most 20",
    );
    check_top("[server]\nshutdown_grace = 20", r#"2 server.shutdown_grace: 20 has no unit; write "20s" for seconds"#);
    check_top(
        "[server]\nshutdown_grace = \"1h\"",
        r#"2 server.shutdown_grace: "1h" is out of range; write "0s" to "10m""#,
    );
    check_top(
        "[server]\nhead_timeout = \"soon\"",
        r#"2 server.head_timeout: "soon" is not a time; write a number and its unit, such as "30s", "1m 30s" or "24h""#,
    );
    check_top("server = 1", "1 server: 1 is not a table; write [server]");
    check_top("[[server]]\nworkers = 1", "1 server: is a list, and there can be only one; write [server]");
}

#[test]
fn mistakes_in_log_storage_limits_and_conversation_are_named() {
    check_top("[log]\nlevel = \"warning\"", r#"2 log.level: "warning" is not known here; did you mean "warn"?"#);
    check_top("[log]\nformat = \"xml\"", r#"2 log.format: "xml" is not known here; write "plain" or "json""#);
    check_top("[storage]\nfolder = \"\"", r#"2 storage.folder: "" must not be empty"#);
    check_top(
        "[storage]\nfree_disk_floor = 256",
        r#"2 storage.free_disk_floor: 256 has no unit; write "256 MiB" or "256 B""#,
    );
    check_top(
        "[storage]\nfree_disk_floor = \"256M\"",
        r#"2 storage.free_disk_floor: "256M" has no unit that is known; write "256 MiB""#,
    );
    check_top(
        "[storage]\nfree_disk_floor = \"2 TiB\"",
        r#"2 storage.free_disk_floor: "2 TiB" is out of range; write "0 B" to "1 TiB""#,
    );
    check_top(
        "[limits]\ninit_per_address = 60",
        r#"2 limits.init_per_address: 60 is not a text; write it in quotes: "60""#,
    );
    check_top(
        "[limits]\ninit_per_address = \"60\"",
        r#"2 limits.init_per_address: "60" is not a rate; write requests, a slash and a time, such as "60/1m""#,
    );
    check_top(
        "[limits]\nleads_per_token = \"5/min\"",
        r#"2 limits.leads_per_token: "5/min" has no number before its unit; write "5/1m""#,
    );
    check_top(
        "[limits]\nleads_per_token = \"5/2d\"",
        r#"2 limits.leads_per_token: "5/2d" is out of range; write a window of 100ms to 24h"#,
    );
    check_top(
        "[conversation]\nresume_window = \"365d\"",
        r#"2 conversation.resume_window: "365d" is out of range; write "1s" to "2160h""#,
    );
    check_top(
        "[budget]\nanswer_tokens = 50000",
        "2 budget.answer_tokens: 50000 leaves no room for one answer: tokens = 40000 and answer_tokens = 50000; raise the first or lower the second",
    );
    check_top("[budget]\nmessages = -1", "2 budget.messages: -1 is out of range; write a whole number from 1 to 10000");
}

#[test]
fn mistakes_in_a_model_are_named() {
    check_top(
        "[[model]]\nurl = \"https://m.example\"\nmodel = \"x\"",
        r#"1 model[0].name: is missing; write name = "gpt""#,
    );
    check_top(
        "[[model]]\nname = \"builtin\"\nurl = \"https://m.example\"\nmodel = \"x\"",
        r#"2 model[0].name: "builtin" is the model that needs no table; write another name"#,
    );
    check_top(
        "[model]\nname = \"m\"\nurl = \"https://m.example\"\nmodel = \"x\"",
        "1 model: may be there several times; write [[model]], in double brackets",
    );
    check_top(
        "[[model]]\nname = \"m\"\nurl = \"https://ann:pw@m.example\"\nmodel = \"x\"",
        r#"3 model[0].url: the value holds a user name or a password; put them in headers, as { Authorization = "env:NAME" }"#,
    );
    check_model("temperature = 3", "5 model[0].temperature: 3 must be a number from 0 to 2");
    check_model("temperature = nan", "5 model[0].temperature: nan must be a number from 0 to 2");
    check_model(
        "max_tokens_field = \"tokens\"",
        r#"5 model[0].max_tokens_field: "tokens" is not known here; did you mean "max_tokens"?"#,
    );
    check_model(
        "stream_options = \"yes\"",
        r#"5 model[0].stream_options: "yes" is not true or false; write one of them, without quotes"#,
    );
    check_model(
        "context_tokens = 10",
        "5 model[0].context_tokens: 10 is out of range; write a whole number from 256 to 2000000",
    );
    check_model("total_timeout = \"2h\"", r#"5 model[0].total_timeout: "2h" is out of range; write "50ms" to "1h""#);
    check_model(
        "[[model]]\nname = \"m\"\nurl = \"https://n.example\"\nmodel = \"x\"",
        r#"6 model[1].name: "m" is the name of another model; write one of its own"#,
    );
}

#[test]
fn mistakes_in_a_models_key_and_headers_are_named_and_no_key_is_shown() {
    check_model(
        "key = \"sk-0123456789abcdef\"",
        r#"5 model[0].key: a key does not stand in this file; put it in a variable and write key_env = "MODEL_KEY", or in a file and write key_file = "model.key""#,
    );
    check_model(
        "key_env = \"NO_KEY\"",
        r#"5 model[0].key_env: "NO_KEY" names a variable that is not set; set it before the server starts"#,
    );
    check_model(
        "key_env = \"EMPTY_KEY\"",
        r#"5 model[0].key_env: "EMPTY_KEY" names a variable that is empty; set it before the server starts"#,
    );
    check_model(
        "key_env = \"BROKEN_KEY\"",
        r#"5 model[0].key_env: "BROKEN_KEY" gives a text that no header can hold: one line of ASCII, at most 8 KiB, no blanks around it"#,
    );
    check_model(
        "key_env = \"AKIAIOSFODNN7EXAMPLE\"",
        r#"5 model[0].key_env: the value is not the name of a variable; write one like "MODEL_KEY""#,
    );
    check_model(
        "key_env = \"GOOD_KEY\"\nkey_file = \"f\"",
        "6 model[0].key_file: key_env and key_file are both set; take one out",
    );
    check_model(
        "headers = { \"X-A\" = \"env:NO_KEY\" }",
        "5 model[0].headers.X-A: the value names a variable that is not set; set it before the server starts",
    );
    check_model(
        "headers = { Authorization = \"Bearer sk-0123456789abcdef\" }",
        r#"5 model[0].headers.Authorization: the value seems to hold a secret key; put it in a variable and write "env:NAME""#,
    );
    check_model("headers = { \"a b\" = \"c\" }", r#"5 model[0].headers."a b": "a b" is not the name of a header"#);
    check_model(
        "headers = { Host = \"c\" }",
        r#"5 model[0].headers.Host: "Host" is a header that the server writes itself; take it out"#,
    );
    check_model(
        "key_env = \"GOOD_KEY\"\nheaders = { authorization = \"c\" }",
        r#"6 model[0].headers.authorization: "authorization" is already made of the key; take this header or the key out"#,
    );
}

#[test]
fn a_url_that_is_none_is_named() {
    let text = format!("[[model]]\nname = \"m\"\nurl = \"m.example\"\nmodel = \"x\"\n{AGENT}");
    let [complaint] = &complaints(&text)[..] else { panic!() };
    assert!(complaint.starts_with(r#"3 model[0].url: "m.example" "#), "{complaint}");
    assert!(complaint.ends_with(r#"such as "https://api.example.com/v1""#), "{complaint}");
}

#[test]
fn mistakes_in_an_agent_are_named() {
    check(
        "",
        r#"1 agent: there is no agent; write one: [[agent]], id = "shop", name = "Shop", allowed_origins = ["https://www.example.com"]"#,
    );
    check(
        "agent = []",
        r#"1 agent: there is no agent; write one: [[agent]], id = "shop", name = "Shop", allowed_origins = ["https://www.example.com"]"#,
    );
    check("[[agent]]\nname = \"A\"", r#"1 agent[0].id: is missing; write id = "shop""#);
    check("[[agent]]\nid = \"My Shop\"\nname = \"A\"", r#"2 agent[0].id: "My Shop" is not an id; write "my-shop""#);
    check("[[agent]]\nid = \"a\"\nname = \"\"", r#"3 agent[0].name: "" must not be empty"#);
    check("[[agent]]\nid = \"a\"\nname = \"A\\nB\"", r#"3 agent[0].name: "A\nB" must be one line"#);
    check(
        "[[agent]]\nid = \"a\"\nname = \"A\\u001b[2J\"",
        r#"3 agent[0].name: "A\u{1b}[2J" holds a control character; remove it"#,
    );
    check_agent(AGENT, r#"6 agent[1].id: "a" is the id of another agent; write one of its own"#);
    check_agent("language = \"en_US\"", r#"5 agent[0].language: "en_US" is not a language tag; write "en-US""#);
    check_agent(
        "language = \"English\"",
        r#"5 agent[0].language: "English" is not a language tag; write one like "en", "de-CH" or "pt-BR""#,
    );
    // Browsers know no times in words for these.
    for tag in ["en-a", "en-x", "en-abc", "de-DE-DE", "en-12", "zh-cmn-Hans"] {
        check_agent(
            &format!("language = \"{tag}\""),
            &format!(r#"5 agent[0].language: "{tag}" is not a language tag; write one like "en", "de-CH" or "pt-BR""#),
        );
    }
    check_agent(
        "starter_prompts = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]",
        "5 agent[0].starter_prompts: there are 7; at most 6 can be",
    );
    check_agent(
        "starter_prompts = [\"1\",\n2]",
        r#"6 agent[0].starter_prompts[1]: 2 is not a text; write it in quotes: "2""#,
    );
    check_agent(
        "system_prompt = \"\"\"\nUse\nsk-0123456789abcdef0123\n\"\"\"",
        "5 agent[0].system_prompt: the value seems to hold a secret key of a model provider, and visitors can ask for this text; take it out, and put a model's key in a variable (key_env) or a file (key_file)",
    );
}

#[test]
fn mistakes_in_the_parts_of_an_agent_are_named() {
    check_agent(
        "models = [\"gpt\"]",
        r#"5 agent[0].models[0]: "gpt" is not the name of a [[model]]; there is: builtin"#,
    );
    check_agent(
        "models = [\"built-in\"]",
        r#"5 agent[0].models[0]: "built-in" is not the name of a [[model]]; did you mean "builtin"?"#,
    );
    check_agent(
        "models = []",
        r#"5 agent[0].models: names no model; write ["builtin"], or leave the key out for all models"#,
    );
    check_agent(
        "models = [\"builtin\", \"builtin\"]",
        r#"5 agent[0].models[1]: "builtin" stands here twice; take one out"#,
    );
    check_agent(
        "models = [\"builtin\", \"m\"]",
        r#"5 agent[0].models[1]: "m" is never asked after "builtin", which always answers; move it before that"#,
    );
    check_agent(
        "[agent.theme]\naccent = \"blue\"",
        r##"6 agent[0].theme.accent: "blue" is not a colour; write six hexadecimal digits, such as "#2563eb""##,
    );
    check_agent(
        "[agent.theme]\naccent = \"#26E\"",
        r##"6 agent[0].theme.accent: "#26E" is not a colour; write "#2266ee""##,
    );
    check_agent(
        "[agent.theme]\naccent = \"red;}body{display:none\"",
        r##"6 agent[0].theme.accent: "red;}body{display:none" is not a colour; write six hexadecimal digits, such as "#2563eb""##,
    );
    check_agent(
        "[agent.theme]\nmode = \"drak\"",
        r#"6 agent[0].theme.mode: "drak" is not known here; did you mean "dark"?"#,
    );
    check_agent(
        "[agent.theme]\nradius_px = 33",
        "6 agent[0].theme.radius_px: 33 is out of range; write a whole number from 0 to 32",
    );
    check_agent(
        "[[agent.faq]]\nquestion = \"Q\"",
        r#"5 agent[0].faq[0].answer: is missing; write answer = "Nothing.""#,
    );
    check_agent(
        "[[agent.faq]]\nquestion = \"Q\"\nanswer = \" \"",
        "7 agent[0].faq[0].answer: is empty; write what the visitor should read",
    );
    check_agent(
        "[[agent.faq]]\nquestion = \"Q\"\nanswer = \"A\"\nurl = \"javascript:alert(1)\"",
        r#"8 agent[0].faq[0].url: "javascript:alert(1)" is not a link that is allowed; write a whole URL that begins with https:// or http://"#,
    );
    check_agent(
        "[agent.budget]\ntokens = 100",
        "6 agent[0].budget.tokens: 100 leaves no room for one answer: tokens = 100 and answer_tokens = 800; raise the first or lower the second",
    );
}

#[test]
fn mistakes_in_allowed_origins_are_named() {
    let check = |list: &str, expected: &str| {
        check(&format!("[[agent]]\nid = \"a\"\nname = \"A\"\nallowed_origins = {list}"), expected);
    };
    check(
        "[\"*\",\n\"self\"]",
        r#"4 agent[0].allowed_origins[0]: "*" allows every origin and stands alone; write ["*"], or take it out"#,
    );
    check(
        "[\"self\",\n\"https://example.com/\"]",
        r#"5 agent[0].allowed_origins[1]: "https://example.com/" has a path, a query or a fragment: an origin ends after the host and the port; write "https://example.com""#,
    );
    check(
        "[\"https://*.example.com\"]",
        r#"4 agent[0].allowed_origins[0]: "https://*.example.com" has a wildcard: each host is listed by its full name (or ["*"] alone allows every origin)"#,
    );
    check(
        "[\"https://A.example\"]",
        r#"4 agent[0].allowed_origins[0]: "https://A.example" is not as browsers send it: lower case, punycode, no default port; write "https://a.example""#,
    );
    check(
        "[\"https://ann@a.example\"]",
        r#"4 agent[0].allowed_origins[0]: "https://ann@a.example" has a user name or a password: an origin has none; write "https://a.example""#,
    );
    check(
        "[\"a.example\"]",
        r#"4 agent[0].allowed_origins[0]: "a.example" has no scheme: an origin begins with https:// or http://; write "https://a.example""#,
    );
    check(
        "[\"https://a.example\", \"https://a.example\"]",
        r#"4 agent[0].allowed_origins[1]: "https://a.example" stands here twice; take one out"#,
    );
    check(
        "\"https://a.example\"",
        r#"4 agent[0].allowed_origins: "https://a.example" is not a list; write ["https://a.example"]"#,
    );
    check("[1]", r#"4 agent[0].allowed_origins[0]: 1 is not a text; write it in quotes: "1""#);
}

#[test]
fn mistakes_in_the_lead_form_are_named() {
    let check = |lines: &str, expected: &str| check_agent(&format!("[[agent.lead_form.field]]\n{lines}"), expected);
    check("label = \"L\"", r#"5 agent[0].lead_form.field[0].key: is missing; write key = "name""#);
    check(
        "label = \"L\"\nkey = \"email\"",
        r#"7 agent[0].lead_form.field[0].key: "email" is always asked for and comes first; take this field out"#,
    );
    check(
        "label = \"L\"\nkey = \"consent\"",
        r#"7 agent[0].lead_form.field[0].key: "consent" is the box for consent; take this field out and write consent = "…" in [agent.lead_form]"#,
    );
    check(
        "label = \"L\"\nkey = \"1st\"",
        r#"7 agent[0].lead_form.field[0].key: "1st" is not a key; write up to 64 of a-z, 0-9 and "_", beginning with a letter"#,
    );
    check(
        "label = \"L\"\nkey = \"k\"\ntype = \"email\"",
        r#"8 agent[0].lead_form.field[0].type: "email" is not known here; write "text" or "tel" or "textarea" or "select""#,
    );
    check(
        "label = \"L\"\nkey = \"k\"\ntype = \"select\"",
        r#"5 agent[0].lead_form.field[0].options: is missing; write options = ["Sales", "Support"]"#,
    );
    check(
        "label = \"L\"\nkey = \"k\"\ntype = \"select\"\noptions = []",
        r#"9 agent[0].lead_form.field[0].options: has nothing to choose; write options = ["Sales", "Support"]"#,
    );
    check(
        "label = \"L\"\nkey = \"k\"\noptions = [\"a\"]",
        r#"8 agent[0].lead_form.field[0].options: belongs to a field of type "select"; take it out or write that type"#,
    );
    check(
        "label = \"L\"\nkey = \"k\"\n[[agent.lead_form.field]]\nkey = \"k\"\nlabel = \"M\"",
        r#"9 agent[0].lead_form.field[1].key: "k" is the key of another field of this form; write one of its own"#,
    );
}

#[test]
fn mistakes_in_rules_are_named() {
    let check = |lines: &str, expected: &str| check_agent(&format!("[[agent.rule]]\nid = \"r\"\n{lines}"), expected);
    let nudge = "action = \"nudge\"\ntext = \"Hi\"";
    check(nudge, r#"5 agent[0].rule[0].trigger: is missing; write trigger = "idle""#);
    check(
        &format!("trigger = \"time\"\nseconds = 3\n{nudge}"),
        r#"7 agent[0].rule[0].trigger: "time" is not known here; write "scroll" or "idle" or "exit_intent" or "url" or "messages""#,
    );
    check(&format!("trigger = \"idle\"\n{nudge}"), "5 agent[0].rule[0].seconds: is missing; write seconds = 30");
    check(
        &format!("trigger = \"idle\"\nseconds = 3\npercent = 4\n{nudge}"),
        r#"9 agent[0].rule[0].percent: belongs to "scroll", and this rule has "idle"; take it out"#,
    );
    check(
        &format!("trigger = \"scroll\"\npercent = 101\n{nudge}"),
        "8 agent[0].rule[0].percent: 101 is out of range; write a whole number from 1 to 100",
    );
    check(
        &format!("trigger = \"url\"\npattern = \"pricing\"\n{nudge}"),
        r#"8 agent[0].rule[0].pattern: "pricing" is not a path; write one that begins with "/" or "*", such as "/pricing*""#,
    );
    check(
        &format!("trigger = \"url\"\npattern = \"/*a*a*a*a*\"\n{nudge}"),
        r#"8 agent[0].rule[0].pattern: "/*a*a*a*a*" must have at most 4 "*""#,
    );
    check(
        "trigger = \"exit_intent\"\naction = \"nudge\"",
        r#"5 agent[0].rule[0].text: is missing; write text = "Any questions?""#,
    );
    check(
        "trigger = \"exit_intent\"\naction = \"lead_form\"",
        r#"8 agent[0].rule[0].action: "lead_form" opens a form that is switched off; write enabled = true under [agent.lead_form]"#,
    );
    check(
        &format!("trigger = \"exit_intent\"\nmax_per_visitor = 0\n{nudge}"),
        "8 agent[0].rule[0].max_per_visitor: 0 is out of range; write a whole number from 1 to 100",
    );
    check(
        &format!("trigger = \"exit_intent\"\n{nudge}\n[[agent.rule]]\nid = \"r\"\ntrigger = \"exit_intent\"\n{nudge}"),
        r#"11 agent[0].rule[1].id: "r" is the id of another rule of this agent; write one of its own"#,
    );
}

#[test]
fn an_unknown_key_is_a_mistake_with_a_did_you_mean() {
    check_top("[server]\nlisten_on = 1", "2 server.listen_on: is not a key of [server]; did you mean listen?");
    check_top("[servers]\nworkers = 1", "1 servers: is not a key of the file; did you mean server?");
    check_top("[log]\ncolour = true", "2 log.colour: is not a key of [log]; it has: level, format");
    check_agent("origins = []", "5 agent[0].origins: is not a key of [[agent]]; did you mean allowed_origins?");
    check_agent(
        "[agent.theme]\nlanguage = \"de\"",
        "6 agent[0].theme.language: is a key of [[agent]], not of [agent.theme]; move it up to stand right under that header",
    );
    check_top(
        "[budget]\nlimit_of_all = 1",
        "2 budget.limit_of_all: is not a key of [budget]; it has: window, messages, tokens, answer_tokens, agent_tokens_per_day, agent_cost_per_day, agent_tokens_per_month, agent_cost_per_month, event_bytes_per_day",
    );
    check_agent(
        "\"a b\" = 1",
        "5 agent[0].\"a b\": is not a key of [[agent]]; it has: id, name, language, greeting, starter_prompts, allowed_origins, system_prompt, unknown_answer, models, theme, lead_form, rule, restricted_paths, direction, strings, faq, budget",
    );
}

#[test]
fn a_wrong_value_does_not_make_other_keys_unknown() {
    check_model(
        "[[model]]\nname = 5\nurl = \"https://n.example\"\nmodel = \"x\"\ntemperature = 1",
        r#"6 model[1].name: 5 is not a text; write it in quotes: "5""#,
    );
    check(
        "[[agent]]\nid = \"A!\"\nname = \"A\"\nfaq = []",
        r#"2 agent[0].id: "A!" is not an id: an agent id is 1 to 64 of a-z, 0-9, "-" and "_", and begins with a letter or a digit"#,
    );
}

#[test]
fn mistakes_in_the_retention_are_named() {
    check_top("[retention]\nevents = \"30\"", r#"2 retention.events: "30" has no unit; write "30s" for seconds"#);
    check_top(
        "[retention]\nleads = \"12h\"",
        r#"2 retention.leads: "12h" is out of range; write "1d" to "3650d", or "forever""#,
    );
    check_top(
        "[conversation]\nresume_window = \"7d\"\n[retention]\nconversations = \"2d\"",
        r#"4 retention.conversations: "2d" is shorter than conversation.resume_window or a budget's window; write "168h" or more"#,
    );
}
