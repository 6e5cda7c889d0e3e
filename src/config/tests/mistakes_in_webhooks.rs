//! One mistake each in a `[[webhook]]`, with the whole complaint that it earns.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::domain::scratch::Scratch;

const URL: &str = "url = \"https://crm.example.com/widgetd\"";
const SECRET: &str = "secret_env = \"WEBHOOK_SECRET\"";

/// That a webhook of these lines, after its header and its name, has one mistake, and that its complaint is `expected`.
fn check(lines: &[&str], expected: &str) {
    let text = format!("[[webhook]]\nname = \"crm\"\n{}\n{AGENT}", lines.join("\n"));
    assert_eq!(complaints(&text), [expected], "about:\n{text}");
}

#[test]
fn a_webhook_is_told_of_everything_unless_it_says_otherwise() {
    let config = good(&format!("[[webhook]]\nname = \"crm\"\n{URL}\n{SECRET}\n{AGENT}"));
    let webhook = &config.webhooks[0];
    assert_eq!((&webhook.events[..], &webhook.agents[..]), (&Occasion::ALL[..], &[][..]));
    assert!(!webhook.allow_private);
    let chat =
        format!("[[webhook]]\nname = \"team\"\n{URL}\nformat = \"slack\"\nevents = [\"lead.captured\"]\n{AGENT}");
    let webhook = &good(&chat).webhooks[0];
    assert_eq!((webhook.format, &webhook.secret), (Format::Slack, &None));
    assert_eq!(webhook.events, [Occasion::LeadCaptured]);
}

#[test]
fn a_webhook_has_a_name_of_its_own_and_a_url() {
    let two = format!("[[webhook]]\nname = \"crm\"\n{URL}\n{SECRET}\n").repeat(2);
    assert_eq!(
        complaints(&format!("{two}{AGENT}")),
        [r#"6 webhook[1].name: "crm" is the name of another webhook; write one of its own"#]
    );
    assert_eq!(
        complaints(&format!("[[webhook]]\n{URL}\n{SECRET}\n{AGENT}")),
        [r#"1 webhook[0].name: is missing; write name = "crm""#]
    );
    check(&[SECRET], r#"1 webhook[0].url: is missing; write url = "https://crm.example.com/widgetd""#);
    check(&[URL, SECRET, "urls = 1"], "5 webhook[0].urls: is not a key of [[webhook]]; did you mean url?");
}

#[test]
fn a_url_that_leads_where_it_must_not_is_refused_without_showing_it() {
    let url = |url: &str, expected: &str| {
        check(&[&format!("url = \"{url}\""), SECRET], &format!("3 webhook[0].url: the value {expected}"));
    };
    url("crm.example.com", "is not a URL; write a whole one, such as \"https://crm.example.com/widgetd\"");
    url("ftp://crm.example.com/", "is not a URL; write a whole one, such as \"https://crm.example.com/widgetd\"");
    url(
        "https://ann:pw@crm.example.com/",
        "holds a user name or a password; take them out: what is posted is signed, by secret_env or secret_file",
    );
    url(
        "http://crm.example.com/",
        "is not encrypted, which only a receiver in your own network may be; write https://, or allow_private = true \
         for one in your own network",
    );
    for private in ["https://127.0.0.1/", "http://10.1.2.3/x", "https://[fd00::1]/", "https://[::ffff:192.168.0.1]/"] {
        url(private, "is an address in a private network; if it is yours, write allow_private = true");
    }
    let allowed =
        format!("[[webhook]]\nname = \"crm\"\nurl = \"http://10.1.2.3:8080/x\"\nallow_private = true\n{SECRET}");
    assert_eq!(good(&format!("{allowed}\n{AGENT}")).webhooks[0].url, "http://10.1.2.3:8080/x");
}

#[test]
fn events_and_agents_are_those_that_there_are() {
    check(
        &[URL, SECRET, "events = [\"lead.created\"]"],
        r#"5 webhook[0].events[0]: "lead.created" is not known here; did you mean "lead.updated"?"#,
    );
    check(
        &[URL, SECRET, "events = [\"lead.captured\", \"lead.captured\"]"],
        r#"5 webhook[0].events[1]: "lead.captured" stands here twice; take one out"#,
    );
    check(&[URL, SECRET, "events = []"], "5 webhook[0].events: names no event; leave the key out for all of them");
    check(
        &[URL, SECRET, "agents = [\"b\"]"],
        r#"5 webhook[0].agents[0]: "b" is not the id of an [[agent]]; did you mean "a"?"#,
    );
    check(&[URL, SECRET, "agents = [\"a\", \"a\"]"], r#"5 webhook[0].agents[1]: "a" stands here twice; take one out"#);
    check(&[URL, SECRET, "agents = []"], "5 webhook[0].agents: names no agent; leave the key out for all of them");
    check(
        &[URL, SECRET, "format = \"xml\""],
        r#"5 webhook[0].format: "xml" is not known here; write "json" or "slack""#,
    );
}

#[test]
fn an_agent_with_a_mistake_is_still_one_that_can_be_named() {
    let text = format!("[[webhook]]\nname = \"crm\"\n{URL}\n{SECRET}\nagents = [\"a\"]\n[[agent]]\nid = \"a\"\n");
    let found = complaints(&text);
    assert!(found.len() == 1 && found[0].contains("agent[0].name"), "{found:?}");
}

#[test]
fn a_secret_is_long_stands_elsewhere_and_is_not_shown() {
    check(
        &[URL],
        "1 webhook[0].secret_env: is missing; write secret_env = \"WEBHOOK_SECRET\", the name of a variable, or \
         secret_file: receivers know by it that it is you; make one with: openssl rand -hex 32",
    );
    check(
        &[URL, "secret_env = \"GOOD_KEY\""],
        "4 webhook[0].secret_env: \"GOOD_KEY\" gives a secret of less than 32 characters; make one with: openssl rand -hex 32",
    );
    check(
        &[URL, "secret_env = \"NO_KEY\""],
        r#"4 webhook[0].secret_env: "NO_KEY" names a variable that is not set; set it before the server starts"#,
    );
    check(
        &[URL, SECRET, "secret_file = \"x\""],
        "5 webhook[0].secret_file: secret_env and secret_file are both set; take one out",
    );
    check(
        &[URL, SECRET, "secret = \"hunter2\""],
        "5 webhook[0].secret: a secret does not stand in this file; put it in a variable and write secret_env = \
         \"WEBHOOK_SECRET\", or in a file and write secret_file = \"webhook.secret\"",
    );
    let scratch = Scratch::new();
    let path = scratch.path().join("webhook.secret");
    std::fs::write(&path, format!("{}\n", "s".repeat(40))).unwrap();
    let text = format!("[[webhook]]\nname = \"crm\"\n{URL}\nsecret_file = {:?}\n{AGENT}", path.display().to_string());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(complaints(&text)[0].contains("chmod 600"), "{:?}", complaints(&text));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(good(&text).webhooks[0].secret.as_ref().unwrap().expose(), "s".repeat(40));
}
