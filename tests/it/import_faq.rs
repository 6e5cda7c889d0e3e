//! `widgetd import-faq`, from a file and from the web, and the server that answers what was imported.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::Output;

use rustix::process::Signal;
use serde_json::json;

use crate::support::client::Request;
use crate::support::config::{Agent, Config};
use crate::support::server::{Folder, widgetd};
use crate::support::site::Site;

const TWO_AGENTS: &str = "\
# Ours.
[[agent]]
id = \"one\"
name = \"One\"   # the first

[[agent.faq]]
question = \"Where are you?\"
answer = \"Here.\"

# The second.
[[agent]]
id = \"two\"
name = \"Two\"
";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn import(folder: &Folder, arguments: &[&str]) -> Output {
    widgetd().current_dir(folder.path()).arg("import-faq").args(arguments).output().unwrap()
}

#[track_caller]
fn imported(folder: &Folder, arguments: &[&str]) -> String {
    let output = import(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout) + &text(&output.stderr)
}

#[track_caller]
fn refused(folder: &Folder, arguments: &[&str]) -> String {
    let before = written(folder);
    let output = import(folder, arguments);
    assert!(!output.status.success(), "{}", text(&output.stdout));
    assert_eq!(written(folder), before);
    text(&output.stderr)
}

fn written(folder: &Folder) -> String {
    std::fs::read_to_string(folder.path().join("widget.toml")).unwrap()
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("widget.toml", TWO_AGENTS);
    folder.write("faq.md", "# FAQ\n\n## Where are you?\n\nStill here.\n\n## When?\n\nAt \"nine\".\n\n## Never\n");
    folder
}

#[test]
fn questions_go_to_their_agent_and_every_other_byte_stays() {
    let folder = folder();
    let several = refused(&folder, &["faq.md"]);
    assert!(several.contains("--agent") && several.contains("one, two"), "{several}");
    let dry = imported(&folder, &["faq.md", "--agent", "one", "--dry-run"]);
    assert!(dry.contains("1 would be added, 1 updated") && !dry.contains("kill -HUP"), "{dry}");
    assert_eq!(written(&folder), TWO_AGENTS);
    let told = imported(&folder, &["faq.md", "--agent", "one"]);
    for words in [
        "updated  Where are you?",
        "added    When?",
        "1 added, 1 updated, 0 unchanged.",
        "passed over, line 11: \"Never\" has no answer",
        "kill -HUP",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    let expected = TWO_AGENTS.replace(
        "\"Here.\"\n",
        "\"Still here.\"\n\n[[agent.faq]]\nquestion = \"When?\"\nanswer = \"At \\\"nine\\\".\"\n",
    );
    assert_eq!(written(&folder), expected);
    assert!(imported(&folder, &["faq.md", "--agent", "one"]).contains("0 added, 0 updated, 2 unchanged."));
    folder.write("faq.csv", "Answer;Question;Link\nNo.;Why?;https://two.example/\n");
    imported(&folder, &["faq.csv", "--agent", "two"]);
    let entry = "\n[[agent.faq]]\nquestion = \"Why?\"\nanswer = \"No.\"\nurl = \"https://two.example/\"\n";
    assert_eq!(written(&folder), expected.clone() + entry);
    let told = imported(&folder, &["faq.csv", "--agent", "one", "--replace"]);
    assert!(told.contains("dropped  When?") && told.contains("1 added, 0 updated, 0 unchanged, 2 dropped"), "{told}");
}

#[test]
fn what_the_configuration_refuses_is_told_with_its_line_and_nothing_is_written() {
    let folder = folder();
    let long = "x".repeat(4001);
    folder
        .write("bad.csv", &format!("question,answer,url\nLong?,{long},\nGood?,Yes.,\nLink?,No.,javascript:alert(1)\n"));
    let told = refused(&folder, &["bad.csv", "--agent", "two"]);
    for words in [
        "refused, line 2: answer: ",
        "at most 4000 characters; this has 4001",
        "refused, line 4: url: \"javascript:alert(1)\" is not a link",
        "2 entries are refused, so nothing was written",
        "--skip-bad",
    ] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    let told = imported(&folder, &["bad.csv", "--agent", "two", "--skip-bad"]);
    assert!(told.contains("1 added"), "{told}");
    folder.write("key.md", "# How do I call it?\nWith sk-proj-Ab3dEfGh1jKlMn0pQrSt.\n");
    let told = refused(&folder, &["key.md", "--agent", "two"]);
    assert!(told.contains("secret key") && !told.contains("sk-proj"), "{told}");
    let many: String = (0..31).map(|number| format!("Number {number}?,Yes.,javascript:no\n")).collect();
    folder.write("links.csv", &format!("question,answer,url\n{many}"));
    let told = refused(&folder, &["links.csv", "--agent", "two"]);
    assert_eq!(told.matches("refused, line").count(), 20, "{told}");
    assert!(told.contains("and 11 more are refused") && told.contains("31 entries are refused"), "{told}");
    let many: String = (0..1001).map(|number| format!("Number {number}?,Yes.\n")).collect();
    folder.write("many.csv", &format!("question,answer\n{many}"));
    assert!(refused(&folder, &["many.csv", "--agent", "two"]).contains("at most 1000"));
    folder.write("twice.md", "# How?\nSo.\n# HOW?\nNo.\n");
    assert!(imported(&folder, &["twice.md", "--agent", "two"]).contains("line 3: the same question as in line 1"));
}

#[test]
fn nothing_that_a_terminal_would_obey_is_shown_of_a_file() {
    let folder = folder();
    folder.write("faq.md", "# How?\nSo.\n# Never \u{1b}[2J\n# When \u{1b}]0;x\u{7}?\nNow.\n");
    folder.write("faq.csv", "\u{1b}[2Jid,text\n1,2\n");
    let told = imported(&folder, &["faq.md", "--agent", "two", "--skip-bad"])
        + &refused(&folder, &["faq.csv", "--agent", "two"]);
    assert!(told.contains("has no answer") && told.contains("must name the columns"), "{told}");
    assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
}

#[test]
fn files_that_hold_no_questions_are_told_apart() {
    let folder = folder();
    folder.write("empty.md", "Nothing here.\n");
    folder.write("names.csv", "id,text\n1,2\n");
    folder.write("faq.docx", "PK");
    std::fs::write(folder.path().join("latin.csv"), b"question,answer\nWie?,Sch\xf6n.\n").unwrap();
    for (file, words) in [
        ("empty.md", "no question with an answer"),
        ("names.csv", "line 1 must name the columns"),
        ("faq.docx", "--format markdown or --format csv"),
        ("latin.csv", "line 2 is not UTF-8"),
        ("nothing.md", "there is no such file"),
        (".", "it is a folder"),
    ] {
        let told = refused(&folder, &[file, "--agent", "two"]);
        assert!(told.contains(file) && told.contains(words), "{file}: {told}");
    }
    folder.write("faq.text", "Q: How?\nA: So.\n");
    imported(&folder, &["faq.text", "--format", "markdown", "--agent", "two"]);
}

#[test]
fn a_file_of_windows_keeps_its_line_ends() {
    let folder = folder();
    folder.write("widget.toml", &TWO_AGENTS.replace('\n', "\r\n"));
    folder.write("faq.md", "\u{feff}# When?\r\n\r\nNow,\r\nor later.\r\n");
    imported(&folder, &["faq.md", "--agent", "one"]);
    let toml = written(&folder);
    assert_eq!(toml.matches('\n').count(), toml.matches("\r\n").count());
    assert!(toml.contains("question = \"When?\"\r\nanswer = \"\"\"\r\nNow,\r\nor later.\"\"\"\r\n"), "{toml}");
    assert!(imported(&folder, &["faq.md", "--agent", "one"]).contains("1 unchanged"));
}

#[test]
fn a_link_stays_one_and_its_file_keeps_mode_and_owner() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("etc")).unwrap();
    let (link, target) = (folder.path().join("widget.toml"), folder.path().join("etc/real.toml"));
    std::fs::rename(&link, &target).unwrap();
    symlink("etc/real.toml", &link).unwrap();
    std::fs::set_permissions(&target, PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&target, Some(4711), Some(4712)).unwrap();
    imported(&folder, &["faq.md", "--agent", "two"]);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    let metadata = target.metadata().unwrap();
    assert_eq!((metadata.mode() & 0o7777, metadata.uid(), metadata.gid()), (0o640, 4711, 4712));
    assert!(written(&folder).contains("Still here."));
    assert_eq!(std::fs::read_dir(folder.path().join("etc")).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_running_server_answers_what_was_imported() {
    let mut config = Config::new("http://127.0.0.1:9/v1");
    config.add_agent(Agent::new("third", "https://third.example"));
    let site = Site::with(|config| {
        config.agent("demo").models(&["builtin"]);
    });
    let folder = site.server.data().parent().unwrap().to_owned();
    std::fs::write(folder.join("faq.md"), "## What does the aardvark eat?\n\nTermites, by the thousand.\n").unwrap();
    let output = widgetd().current_dir(&folder).args(["import-faq", "faq.md", "--agent", "demo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    site.server.signal(Signal::HUP);
    site.server.wait_for_line("reload");
    let visitor = site.init("demo");
    let question = Request::post("/v1/widget/messages", &json!({"content": "What does the aardvark eat?"}));
    let answer = site.call(&question.origin(crate::support::ORIGIN).bearer(visitor.token())).expect(200);
    assert_eq!(answer["message"]["content"], "Termites, by the thousand.");
}

/// Answers requests on a port of this machine, one after the other, and gives its address.
fn serve(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((mut stream, _)) = listener.accept() else { return };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
            // Whoever has read enough closes.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

#[test]
fn a_file_on_the_web_is_read_within_limits() {
    let csv = answer("200 OK", "Content-Type: text/csv; charset=utf-8\r\n", "question,answer\nWhen?,Now.\n");
    let moved = answer("302 Found", "Location: /moved\r\n", "");
    let folder = folder();
    let address = serve(vec![moved.clone(), csv]);
    let told = imported(&folder, &[&format!("{address}/faq.md?raw=1"), "--agent", "two"]);
    assert!(told.contains("added    When?"), "{told}");
    for (answers, words) in [
        (vec![answer("404 Not Found", "", "")], "it answers with 404"),
        (vec![answer("200 OK", "Content-Type: text/html\r\n", "<h1>FAQ</h1>")], "text/html"),
        (vec![answer("200 OK", "Content-Type: text/csv\r\n", &"x".repeat(3 << 20))], "larger than 2 MiB"),
        (vec![moved; 7], "redirects more than 5 times"),
    ] {
        let address = serve(answers);
        let told = refused(&folder, &[&format!("{address}/faq"), "--agent", "two"]);
        assert!(told.contains(words) && told.contains(&address), "{words} in {told}");
    }
}
