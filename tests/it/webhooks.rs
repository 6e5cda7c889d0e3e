//! What the owner's own servers are told: leads and questions without an answer, signed, and listed. `trouble` is what
//! happens when they cannot be, or must not.

mod trouble;

use std::ops::Deref;
use std::process::{Command, Output};

use jwt_simple::algorithms::{HS256Key, MACLike};
use serde_json::{Value, json};

use crate::fake_model::{FakeModel, Gate, Recorded, Step, respond};
use crate::support::server::widgetd;
use crate::support::site::Site;
use crate::support::{db, wait_until};

const SECRET: &str = "the secret of the receiver, for tests alone";
/// With a proxy that is not there: nothing may ask it.
const ENVIRONMENT: [(&str, &str); 3] =
    [("WEBHOOK_SECRET", SECRET), ("HTTP_PROXY", "http://127.0.0.1:9"), ("http_proxy", "http://127.0.0.1:9")];

/// A scripted HTTP server that says 200, but for what a test scripts.
struct Receiver(FakeModel);

impl Deref for Receiver {
    type Target = FakeModel;

    fn deref(&self) -> &FakeModel {
        &self.0
    }
}

impl Receiver {
    fn start() -> Self {
        Self::start_on("127.0.0.1:0")
    }

    fn start_on(address: &str) -> Self {
        let receiver = FakeModel::start_on(address);
        receiver.always(|_| respond(200, &[], "thank you"));
        Self(receiver)
    }

    fn will_answer(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        self.script(respond(status, headers, body));
    }

    /// Answers once the gate is open.
    fn will_hold(&self) -> Gate {
        let gate = Gate::new();
        self.script([vec![Step::Hold(gate.clone())], respond(200, &[], "at last")].concat());
        gate
    }

    #[track_caller]
    fn nth(&self, index: usize) -> Recorded {
        self.wait_for_requests(index + 1);
        self.requests()[index].clone()
    }
}

/// The lines of a webhook that may be on this machine.
fn json_to(receiver: &Receiver) -> String {
    format!("url = {:?}\nallow_private = true\nsecret_env = \"WEBHOOK_SECRET\"", receiver.url())
}

/// A site with the webhook `crm`.
fn site_with(lines: &str) -> Site {
    Site::with_environment(&ENVIRONMENT, |config| {
        config.webhook("crm", lines);
        config.text("limits", "leads_per_token", "1000/1m");
    })
}

/// The columns of all deliveries, in their order.
fn deliveries(site: &Site, columns: &str) -> Vec<Vec<String>> {
    db::rows(&site.server.data(), &format!("select {columns} from webhook_deliveries order by seq"), &[])
}

#[track_caller]
fn wait_for(site: &Site, columns: &str, expected: &[&[&str]]) {
    wait_until(&format!("{expected:?}"), || deliveries(site, columns) == expected);
}

/// `widgetd webhook …` beside the running server.
fn run(site: &Site, arguments: &[&str]) -> Output {
    let data = site.server.data();
    let mut command: Command = widgetd();
    command.arg("webhook").args(arguments).arg("--data").arg(&data);
    command.arg("--config").arg(data.parent().unwrap().join("widget.toml")).envs(ENVIRONMENT);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr[..]].concat()).unwrap()
}

/// The signature of a body, as a receiver makes it.
fn tag(seconds: &str, body: &[u8]) -> String {
    let text = [seconds.as_bytes(), b".", body].concat();
    let tag = HS256Key::from_bytes(SECRET.as_bytes()).authentication_tag(&text);
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_captured_lead_is_told_at_once_and_signed() {
    let receiver = Receiver::start();
    let site = site_with(&json_to(&receiver));
    let visitor = site.init("demo");
    let lead = visitor
        .lead(&json!({"email": "ann@example.com", "name": "Ann", "fields": {"size": "10"}, "consent": true,
            "source": "form", "page": {"url": "https://www.example.com/kites"}}))
        .expect(201)["lead"]
        .clone();
    let told = receiver.nth(0);
    assert!(told.head.starts_with("POST /v1 HTTP/1.1\r\n"), "{}", told.head);
    assert_eq!(told.header("Content-Type"), Some("application/json"));
    assert_eq!(told.header("User-Agent"), Some(concat!("widgetd/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(told.header("X-Widgetd-Event"), Some("lead.captured"));
    let event = &told.body;
    assert_eq!(told.header("X-Widgetd-Event-Id"), event["id"].as_str());
    assert_ne!(told.header("X-Widgetd-Delivery"), event["id"].as_str());
    assert_eq!((&event["type"], &event["agent_id"]), (&json!("lead.captured"), &json!("demo")));
    assert_eq!(
        (&event["created_at"], &event["conversation_id"]),
        (&lead["created_at"], &visitor.answer["conversation_id"])
    );
    assert_eq!(
        event["lead"],
        json!({"id": lead["id"], "email": "ann@example.com", "name": "Ann", "phone": null, "company": null,
            "message": null, "fields": {"size": "10"}, "consent": true, "source": "form",
            "page_url": "https://www.example.com/kites", "created_at": lead["created_at"],
            "updated_at": lead["updated_at"]})
    );
    let signature = told.header("X-Widgetd-Signature").unwrap();
    let (seconds, v1) = signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).unwrap();
    assert_eq!(v1, tag(seconds, &told.raw));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(now - seconds.parse::<u64>().unwrap() < 60, "{signature}");
    wait_for(&site, "webhook, type, status, attempts, last_error", &[&["crm", "lead.captured", "delivered", "1", ""]]);
}

#[test]
fn the_readme_tells_how_to_verify_a_signature() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let program = readme.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    let check = |header: &str, body: &str| {
        let call = format!("import sys\nsys.exit(not is_from_widgetd({SECRET:?}, {header:?}, {body:?}.encode()))");
        let output = Command::new("python3").arg("-c").arg(format!("{program}\n{call}")).output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 1)) && output.stderr.is_empty(), "{}", text(&output));
        output.status.success()
    };
    let receiver = Receiver::start();
    let site = site_with(&json_to(&receiver));
    site.init("demo").lead(&json!({"email": "zoë@example.com".replace('ë', "e"), "name": "Zoë \"Z\""})).expect(201);
    let told = receiver.nth(0);
    let (header, body) = (told.header("X-Widgetd-Signature").unwrap(), String::from_utf8(told.raw.clone()).unwrap());
    assert!(check(header, &body));
    assert!(!check(header, &body.replace("Zo", "Ze")), "another body");
    let old = "1700000000";
    assert!(!check(&format!("t={old},v1={}", tag(old, body.as_bytes())), &body), "one from last year");
}

#[test]
fn an_update_is_told_unless_it_changes_nothing() {
    let receiver = Receiver::start();
    let site = site_with(&json_to(&receiver));
    let visitor = site.init("demo");
    visitor.lead(&json!({"email": "ann@example.com", "name": "Ann", "phone": "1"})).expect(201);
    visitor.lead(&json!({"email": "ann@example.com", "name": "Ann"})).expect(200);
    visitor.lead(&json!({"email": "ann@example.com"})).expect(200);
    visitor.lead(&json!({"email": "ann@example.com", "name": "Ann B."})).expect(200);
    let (first, second) = (receiver.nth(0).body, receiver.nth(1).body);
    assert_eq!((&first["type"], &first["lead"]["name"]), (&json!("lead.captured"), &json!("Ann")));
    assert_eq!((&second["type"], &second["lead"]["name"]), (&json!("lead.updated"), &json!("Ann B.")));
    assert_eq!((&second["lead"]["phone"], &second["lead"]["id"]), (&json!("1"), &first["lead"]["id"]));
    assert_ne!(first["id"], second["id"]);
    assert_eq!(deliveries(&site, "type"), [["lead.captured"], ["lead.updated"]]);
}

#[test]
fn a_question_without_an_answer_is_told_once() {
    let receiver = Receiver::start();
    let site = site_with(&json_to(&receiver));
    let visitor = site.init("demo");
    visitor.ask("What do you sell?").done();
    let question = json!({"content": "Do you ship to Mars?", "client_message_id": "mars",
        "page": {"url": "https://www.example.com/shipping", "title": "Shipping"}});
    site.model.will_say(&["I'm sorry, ", "I don't know."]);
    visitor.post("/v1/widget/messages", &question).expect(200);
    visitor.post("/v1/widget/messages", &question).expect(200);
    let event = receiver.nth(0).body;
    assert_eq!((&event["type"], &event["agent_id"]), (&json!("conversation.unanswered"), &json!("demo")));
    assert_eq!(
        (&event["question"], &event["answer"]),
        (&json!("Do you ship to Mars?"), &json!("I'm sorry, I don't know."))
    );
    assert_eq!(event["conversation_id"], visitor.answer["conversation_id"]);
    assert_eq!(
        event["page"],
        json!({"url": "https://www.example.com/shipping", "title": "Shipping", "referrer": null})
    );
    // Half of such an answer is no answer: it may have gone on.
    site.model.will_cut(&["I don't know, ", "but"]);
    visitor.ask("And to the Moon?").failed("model_unavailable");
    visitor.lead(&json!({"email": "last@example.com"})).expect(201);
    assert_eq!(receiver.nth(1).body["type"], "lead.captured");
    assert_eq!(deliveries(&site, "type"), [["conversation.unanswered"], ["lead.captured"]]);
}

#[test]
fn each_webhook_is_told_of_its_events_and_agents_alone() {
    let (all, some) = (Receiver::start(), Receiver::start());
    let site = Site::with_environment(&ENVIRONMENT, |config| {
        config.webhook("all", &json_to(&all));
        config.webhook("some", &format!("{}\nevents = [\"lead.updated\"]\nagents = [\"other\"]", json_to(&some)));
    });
    for agent in ["demo", "other"] {
        let visitor = site.init(agent);
        visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
        visitor.lead(&json!({"email": "ann@example.com", "name": "Ann"})).expect(200);
    }
    all.wait_for_requests(4);
    let told = some.nth(0);
    assert_eq!((&told.body["type"], &told.body["agent_id"]), (&json!("lead.updated"), &json!("other")));
    let same = all.requests().into_iter().find(|request| request.raw == told.raw).expect("both are told the same");
    assert_eq!(same.header("X-Widgetd-Event-Id"), told.header("X-Widgetd-Event-Id"));
    assert_ne!(same.header("X-Widgetd-Delivery"), told.header("X-Widgetd-Delivery"), "each delivery has its id");
    assert_eq!(deliveries(&site, "webhook").iter().filter(|row| row[0] == "some").count(), 1);
}

#[test]
fn a_chat_gets_a_message_in_which_nobody_can_call_the_channel() {
    let receiver = Receiver::start();
    let lines = format!("url = {:?}\nallow_private = true\nformat = \"slack\"", receiver.url());
    let site = site_with(&lines);
    site.init("demo").lead(&json!({"email": "ann@example.com", "message": "<!channel> A & B"})).expect(201);
    let told = receiver.nth(0);
    assert_eq!(told.body, json!({"text": "New lead (demo): ann@example.com\nMessage: &lt;!channel&gt; A &amp; B"}));
    assert_eq!(told.header("X-Widgetd-Signature"), None, "there is no secret");
}

#[test]
fn what_was_given_up_is_listed_and_told_again_on_request() {
    let receiver = Receiver::start();
    let site = site_with(&json_to(&receiver));
    for _ in 0..3 {
        receiver.will_answer(410, &[], "gone");
    }
    let visitor = site.init("demo");
    for name in ["ann", "bob", "eve"] {
        visitor.lead(&json!({"email": format!("{name}@example.com")})).expect(201);
    }
    wait_until("three that were given up", || deliveries(&site, "status, attempts") == vec![["dead", "1"]; 3]);
    site.server.wait_for_line("given up");
    visitor.lead(&json!({"email": "joe@example.com"})).expect(201);
    wait_until("one that was delivered", || deliveries(&site, "status")[3] == ["delivered"]);

    let listed = run(&site, &["list", "--dead", "--format", "json"]);
    let listed: Vec<Value> = serde_json::from_slice(&listed.stdout).unwrap_or_else(|_| panic!("{}", text(&listed)));
    assert_eq!(listed.len(), 3);
    assert_eq!((&listed[0]["webhook"], &listed[0]["event"]), (&json!("crm"), &json!("lead.captured")));
    assert_eq!((&listed[0]["status"], &listed[0]["attempts"]), (&json!("dead"), &json!(1)));
    assert!(listed[0]["last_error"].as_str().unwrap().starts_with("it answered 410"));
    let table = text(&run(&site, &["list"]));
    assert_eq!(table.lines().filter(|line| line.contains("lead.captured")).count(), 4, "{table}");
    assert!(
        table.starts_with("delivery")
            && table.ends_with("3 given up; to try them again: widgetd webhook replay ID, or --all-dead\n")
    );
    assert!(!table.contains("ann@example.com"), "a list shows no lead");

    let id = listed[0]["id"].as_str().unwrap();
    assert!(run(&site, &["replay", id]).status.success());
    let again = receiver.nth(4);
    assert_eq!(again.header("X-Widgetd-Delivery"), Some(id));
    assert!(text(&run(&site, &["replay", "--all-dead"])).contains("2 to be delivered again"));
    receiver.wait_for_requests(7);
    wait_until("all to be delivered", || deliveries(&site, "status") == vec![["delivered"]; 4]);

    assert!(text(&run(&site, &["replay", id])).contains("was not given up"));
    for (arguments, code) in
        [(&["replay", id][..], 1), (&["replay", &id.replace('0', "1")][..], 1), (&["replay", "x"], 2), (&["replay"], 2)]
    {
        assert_eq!(run(&site, arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_reload_adds_a_webhook_and_gives_up_what_was_for_one_that_is_gone() {
    let (old, new) = (Receiver::start(), Receiver::start());
    let mut site = site_with(&json_to(&old));
    old.will_answer(500, &[], "");
    let visitor = site.init("demo");
    visitor.lead(&json!({"email": "ann@example.com"})).expect(201);
    wait_for(&site, "webhook, status, attempts", &[&["crm", "pending", "1"]]);
    site.reload(|config| {
        config.remove_webhook("crm").webhook("new", &json_to(&new));
    });
    site.server.wait_for_line("widget.toml reloaded");
    visitor.lead(&json!({"email": "bob@example.com"})).expect(201);
    assert_eq!(new.nth(0).body["lead"]["email"], "bob@example.com");
    wait_for(
        &site,
        "webhook, status, last_error",
        &[&["crm", "dead", "no webhook of this name is configured any more"], &["new", "delivered", ""]],
    );
    assert_eq!(old.requests().len(), 1);
}

#[test]
fn a_test_is_posted_at_once_and_says_what_came_back() {
    let (good, bad) = (Receiver::start(), Receiver::start());
    bad.always(|_| respond(403, &[], "no such hook"));
    let site = Site::with_environment(&ENVIRONMENT, |config| {
        config.webhook("good", &json_to(&good)).webhook("team", &json_to(&bad));
    });
    let passed = run(&site, &["test", "good"]);
    assert_eq!(passed.status.code(), Some(0), "{}", text(&passed));
    assert!(text(&passed).starts_with("good: delivered in ") && text(&passed).contains("200: \"thank you\""));
    let told = good.nth(0);
    assert_eq!((told.header("X-Widgetd-Event"), &told.body["type"]), (Some("webhook.test"), &json!("webhook.test")));
    assert!(told.header("X-Widgetd-Signature").is_some());
    let both = run(&site, &["test"]);
    assert_eq!(both.status.code(), Some(1));
    assert!(
        text(&both).contains("team: refused after ") && text(&both).contains("403: \"no such hook\""),
        "{}",
        text(&both)
    );
    assert_eq!((good.requests().len(), bad.requests().len()), (2, 1));
    let unknown = run(&site, &["test", "crm"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown).contains("it has: good, team"), "{}", text(&unknown));
    assert!(deliveries(&site, "id").is_empty(), "a test is in no outbox");
}
