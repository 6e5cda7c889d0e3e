//! The owner's commands beside a running server: lists, exports, figures. What they print is read as a script would.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::server::widgetd;
use crate::support::site::Site;
use crate::support::{db, wait_until};

/// Runs a command on the data of this site, as its owner would.
fn run(site: &Site, arguments: &[&str]) -> Output {
    let data = site.server.data();
    let mut command = widgetd();
    command.arg("--config").arg(data.with_file_name("widget.toml")).arg("--data").arg(&data).args(arguments);
    command.output().unwrap()
}

/// What a command that succeeds prints.
#[track_caller]
fn told(site: &Site, arguments: &[&str]) -> String {
    let output = run(site, arguments);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn json_of(site: &Site, arguments: &[&str]) -> Value {
    serde_json::from_str(&told(site, &[arguments, &["--format", "json"]].concat())).unwrap()
}

/// The table as Python's own reader has it, as a list of rows.
fn read_by_python(csv: &str) -> Vec<Vec<String>> {
    let script = "import csv, io, json, sys; data = io.TextIOWrapper(sys.stdin.buffer, 'utf-8', newline=''); \
                  print(json.dumps(list(csv.reader(data, strict=True))))";
    let folder = crate::support::server::Folder::new();
    let file = folder.write("table.csv", csv);
    let output =
        Command::new("python3").args(["-c", script]).stdin(std::fs::File::open(file).unwrap()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The cells of one column, without its name.
fn column<'a>(table: &'a [Vec<String>], name: &str) -> Vec<&'a str> {
    let place = table[0].iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"));
    table[1..].iter().map(|row| row[place].as_str()).collect()
}

/// Waits until the sums and the index have come as far as what is stored.
fn caught_up(site: &Site) {
    let data = site.server.data();
    wait_until("the sums catch up", || {
        let behind = "select (select count(*) from messages where seq > coalesce((select min(seq) from marks
                                 where name in ('message_counts', 'message_search')), 0))
                           + (select count(*) from events where seq > coalesce((select seq from marks
                                 where name = 'event_counts'), 0))";
        db::count(&data, behind) == 0
    });
}

#[test]
fn leads_are_listed_and_exported_while_the_server_runs() {
    let site = Site::start();
    site.init("demo").lead(&json!({"email": "ann@example.com", "name": "Ann", "phone": "+49 123"})).expect(201);
    site.init("other").lead(&json!({"email": "bob@example.com", "name": "Bob \u{1b}[2J"})).expect(201);
    let table = told(&site, &["leads", "list"]);
    assert!(table.contains("ann@example.com") && table.contains("+49 123"), "{table}");
    assert!(!table.contains('\u{1b}'), "a visitor's text reached the terminal as it was: {table:?}");
    let newest = json_of(&site, &["leads", "list", "--limit", "1"]);
    assert_eq!(newest["leads"][0]["email"], "bob@example.com");
    let rest = json_of(&site, &["leads", "list", "--after", newest["next"].as_str().unwrap()]);
    assert_eq!((&rest["leads"][0]["email"], &rest["next"]), (&json!("ann@example.com"), &Value::Null));
    let id = rest["leads"][0]["id"].as_str().unwrap();
    told(&site, &["leads", "set", id, "--status", "won", "--note", "called"]);
    let won = json_of(&site, &["leads", "list", "--status", "won", "--search", "ANN"]);
    assert_eq!((&won["leads"][0]["note"], won["leads"].as_array().unwrap().len()), (&json!("called"), 1));
    assert_eq!(told(&site, &["leads", "list", "--until", "2020-01-01"]), "No leads.\n");
    let lines = told(&site, &["leads", "export", "--format", "json", "--agent", "other"]);
    let line: Value = serde_json::from_str(&lines).unwrap();
    assert_eq!(line["email"], "bob@example.com");
}

#[test]
fn no_cell_of_an_export_is_a_formula() {
    let site = Site::with(|config| {
        config.text("limits", "leads_per_token", "1000/1m");
    });
    let visitor = site.init("demo");
    let names = ["=1+1", "+1", "-1", "@a", "  =1", "\u{a0}@a", "＝1", "plain, \"quoted\"", "a\nb", "'=1"];
    for (number, name) in names.iter().enumerate() {
        let lead = json!({"email": format!("{number}@example.com"), "name": name, "message": format!("x {name}"),
                          "phone": "+49 123", "fields": {"=k": name}});
        visitor.lead(&lead).expect(201);
    }
    let table = read_by_python(&told(&site, &["leads", "export"]));
    assert_eq!(table.len(), 1 + names.len());
    for cell in table.iter().flatten() {
        let first = cell.trim_start().chars().next().unwrap_or('x');
        assert!(!"=+-@＝".contains(first) && !cell.starts_with(['\t', '\r', '\n']), "{cell:?}");
    }
    assert!(column(&table, "phone").iter().all(|phone| *phone == "'+49 123"));
    // Two may have come in the same millisecond.
    let mut found: Vec<_> = column(&table, "email").into_iter().zip(column(&table, "name")).collect();
    found.sort_unstable();
    let found = found.into_iter().map(|(_, name)| name);
    let stored = names.map(str::trim);
    for (found, name) in found.zip(stored) {
        assert!(found == name || found == format!("'{name}"), "{found:?} of {name:?}");
    }
}

#[test]
fn the_columns_of_an_export_stay_as_they_are() {
    let site = Site::start();
    let first_line = |what: &str| told(&site, &[what, "export"]).lines().next().unwrap().replace('"', "");
    assert_eq!(
        first_line("leads"),
        "id,agent_id,created_at,updated_at,status,email,name,phone,company,message,note,fields,consent,\
         consent_version,source,page_url,page_title,conversation_id,visitor_id"
    );
    assert_eq!(
        first_line("conversations"),
        "id,agent_id,began_at,active_at,messages,unanswered,input_tokens,output_tokens,cost,lead_id,lead_email,\
         first_question"
    );
}

#[test]
fn conversations_are_found_shown_and_deleted() {
    let site = Site::start();
    let ann = site.init("demo");
    ann.say("Where is my REFUND?").expect(200);
    ann.lead(&json!({"email": "ann@example.com"})).expect(201);
    site.init("demo").say("What does it cost?").expect(200);
    // It opened the widget and said nothing.
    site.init("demo").event(&json!({"type": "launcher_open"})).expect(202);
    caught_up(&site);
    let list = |arguments: &[&str]| {
        let found = json_of(&site, &[&["conversations", "list"], arguments].concat());
        found["conversations"].as_array().unwrap().clone()
    };
    assert_eq!(list(&[]).len(), 2);
    assert_eq!(list(&["--with-lead"])[0]["lead_email"], "ann@example.com");
    let found = list(&["--search", "refund"]);
    assert_eq!((found.len(), &found[0]["first_question"]), (1, &json!("Where is my REFUND?")));
    assert_eq!((&found[0]["messages"], &found[0]["input_tokens"]), (&json!(2), &json!(20)));
    assert!(list(&["--search", "\" OR NEAR( *"]).is_empty());
    let shown = told(&site, &["conversations", "show", ann.conversation_id()]);
    for text in ["Where is my REFUND?", "Hello from the scripted model.", "ann@example.com", ann.visitor_id()] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
    let exported = told(&site, &["conversations", "export", "--format", "json", "--search", "refund"]);
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported["messages"][1]["content"], "Hello from the scripted model.");
    told(&site, &["conversations", "delete", ann.conversation_id()]);
    let again = run(&site, &["conversations", "delete", ann.conversation_id()]);
    assert_eq!(again.status.code(), Some(1), "it is gone");
    assert_eq!(list(&["--search", "refund"]).len(), 0);
    let data = site.server.data();
    let words = "select rowid from message_search where message_search match 'refund'";
    assert!(db::rows(&data, words, &[]).is_empty());
    assert_eq!(json_of(&site, &["leads", "list"])["leads"][0]["conversation_id"], Value::Null, "the lead is kept");
    // The server goes on as before.
    ann.say("And now?").expect(200);
}

#[test]
fn an_export_to_a_file_is_its_owners_alone_and_whole_or_not_there() {
    let site = Site::start();
    site.init("demo").lead(&json!({"email": "ann@example.com"})).expect(201);
    let file = site.server.data().with_file_name("leads.csv");
    std::fs::write(&file, "old").unwrap();
    let path = file.to_str().unwrap();
    let output = run(&site, &["leads", "export", "--output", path]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 leads in"), "{output:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(column(&read_by_python(&std::fs::read_to_string(&file).unwrap()), "email"), ["ann@example.com"]);
    let nowhere = run(&site, &["leads", "export", "--output", "/nowhere/leads.csv"]);
    assert_eq!(nowhere.status.code(), Some(1));
    let left = std::fs::read_dir(file.parent().unwrap()).unwrap();
    let names: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| !name.contains("leads.csv.")), "{names:?}");
}

#[test]
fn the_figures_tell_what_happened_and_what_was_refused() {
    let mut site = Site::with(|config| {
        config.text("limits", "leads_per_token", "1/1m");
    });
    let visitor = site.init("demo");
    visitor.event(&json!({"type": "launcher_open"})).expect(202);
    visitor.event(&json!({"type": "launcher_open"})).expect(202);
    visitor.say("one").expect(200);
    visitor.say("two").expect(200);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(429);
    let evil = visitor.at_origin(Some("https://evil.example"));
    evil.say("hi").expect(403);
    evil.say("hi").expect(403);
    caught_up(&site);
    // What was refused is stored when the server stops, at the latest.
    site.server.signal(rustix::process::Signal::TERM);
    assert!(site.server.wait().success());
    site.server.start_again();
    let stats = json_of(&site, &["stats", "--days", "2", "--agent", "demo"]);
    assert_eq!(stats["days"].as_array().unwrap().len(), 2);
    let total = &stats["total"];
    let figures = ["conversations", "messages", "answers", "leads", "input_tokens", "output_tokens", "refused"];
    assert_eq!(figures.map(|name| total[name].as_u64().unwrap()), [1, 2, 2, 1, 40, 20, 3]);
    assert_eq!(stats["funnel"], json!({"launcher_opened": 1, "conversations": 1, "lead_form_opened": 0, "leads": 1}));
    assert_eq!(
        stats["refused"],
        json!([{"code": "origin_not_allowed", "count": 2}, {"code": "rate_limited", "count": 1}])
    );
    let origin = json!([{"agent_id": "demo", "origin": "https://evil.example", "count": 2}]);
    assert_eq!(stats["refused_origins"], origin);
    let events = json_of(&site, &["events", "summary"]);
    assert_eq!(events, json!([{"type": "launcher_open", "count": 2}]));
    let told = told(&site, &["stats"]);
    assert!(told.contains("https://evil.example") && told.contains("Of 1 who opened the widget, 1 wrote"), "{told}");
    let days = read_by_python(&self::told(&site, &["stats", "--days", "3", "--format", "csv"]));
    assert_eq!((days.len(), column(&days, "messages")), (4, vec!["0", "0", "2"]));
}

#[test]
fn nothing_of_a_client_but_its_origin_is_kept_of_a_refusal() {
    let mut site = Site::start();
    site.init("demo").at_origin(Some("https://evil.example")).say("hi").expect(403);
    site.server.signal(rustix::process::Signal::TERM);
    site.server.wait();
    let data = site.server.data();
    let mut file = std::fs::read(data.join("widgetd.db")).unwrap();
    file.extend(std::fs::read(data.join("widgetd.db-wal")).unwrap_or_default());
    let holds = |text: &[u8]| file.windows(text.len()).any(|window| window == text);
    assert!(holds(b"https://evil.example"));
    assert!(!holds(b"127.0.0.1"));
}

#[test]
fn a_command_makes_no_database_and_leaves_another_version_alone() {
    let site = Site::start();
    let nowhere = site.server.data().with_file_name("nowhere");
    let output = run(&site, &["leads", "list", "--data", nowhere.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--data"), "{output:?}");
    assert!(!nowhere.exists());
    for (bad, word) in [
        (["leads", "list", "--since", "yesterday"], "2026-11-25"),
        (["leads", "list", "--status", "old"], "contacted"),
        (["conversations", "list", "--agent", "No!"], "agent id"),
    ] {
        let output = run(&site, &bad);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{output:?}");
    }
}
