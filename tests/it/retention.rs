//! What is kept for how long, and the command that shows or erases one visitor.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::clock::Clock;
use crate::support::server::widgetd;
use crate::support::site::Site;
use crate::support::{db, wait_until};

/// Runs a command on the data of the running server.
fn run(site: &Site, arguments: &[&str]) -> Output {
    let data = site.server.data();
    let folder = data.parent().unwrap();
    let mut command = widgetd();
    command.arg("--config").arg(folder.join("widget.toml")).arg("--data").arg(&data).args(arguments);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_was_kept_long_enough_is_deleted_while_the_server_runs() {
    let clock = Clock::at("12:00:00");
    let mut site = Site::with_environment(&clock.environment(), |config| {
        config.text("retention", "conversations", "10d").text("retention", "events", "2d");
    });
    let visitor = site.init("demo");
    visitor.ask("Do swifts sleep?").text();
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    let data = site.server.data();
    let count = |table: &str| db::count(&data, &format!("select count(*) from {table}"));
    wait_until("the first day is done", || count("marks where name = 'retention.at_ms'") == 1);

    clock.set_on(4, "00:00:01");
    wait_until("the events of two days ago are gone", || count("events") == 0);
    assert_eq!((count("messages"), count("conversations")), (2, 1));

    clock.set_on(12, "00:00:01");
    wait_until("the conversation is gone", || count("conversations") == 0);
    assert_eq!((count("messages"), count("visitors"), count("leads")), (0, 1, 1), "a lead and who left it are kept");
    assert!(site.server.wait_for_line("deleted what was kept long enough").contains("conversations"));

    // A shorter period counts from the next day on, without a restart.
    site.reload(|config| {
        config.text("retention", "leads", "1d");
    });
    clock.set_on(13, "12:00:02");
    wait_until("the lead is gone", || count("leads") == 0);
    assert_eq!(count("visitors"), 0);
}

#[test]
fn an_owner_exports_and_erases_a_visitor_while_the_server_runs() {
    let site = Site::start();
    let visitor = site.init("demo");
    visitor.ask("Do swifts sleep?").text();
    let id = visitor.visitor_id();
    let exported = run(&site, &["visitor", "export", id]);
    let record: Value = serde_json::from_slice(&exported.stdout).unwrap();
    assert_eq!(record["conversations"][0]["messages"][0]["content"], "Do swifts sleep?");

    let unsure = run(&site, &["visitor", "erase", id]);
    assert_eq!(unsure.status.code(), Some(1));
    assert!(text(&unsure.stderr).contains("--yes"), "{}", text(&unsure.stderr));
    let erased = run(&site, &["visitor", "erase", id, "--yes"]);
    assert_eq!(erased.status.code(), Some(0), "{}", text(&erased.stderr));
    assert!(text(&erased.stderr).contains("1 conversations with 2 messages"), "{}", text(&erased.stderr));
    assert!(!site.resume(&visitor).is_resumed());
    for again in ["export", "erase"] {
        let nothing = run(&site, &["visitor", again, id, "--yes"][..if again == "erase" { 4 } else { 3 }]);
        assert_eq!(nothing.status.code(), Some(1));
        assert!(text(&nothing.stderr).contains("nothing is stored"), "{}", text(&nothing.stderr));
    }
    let wrong = run(&site, &["visitor", "erase", "ann", "--yes"]);
    assert_eq!(wrong.status.code(), Some(2));
}
