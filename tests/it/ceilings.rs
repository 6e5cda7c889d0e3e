//! What agents may use in a day and in a month, in tokens and in money, each for itself and all together. The models cost 1.00
//! in and 2.00 out for a million tokens: an answer of 10 and 800 tokens is 1 610 000 nanos.

use std::thread;

use serde_json::json;

use crate::support::config::Config;
use crate::support::db;
use crate::support::site::{Site, Visitor};
use crate::support::wait_until;

const ANSWER_NANOS: u64 = 10 * 1000 + 800 * 2000;

/// A site whose model has a price, and takes all that an answer may take.
fn site(change: impl FnOnce(&mut Config)) -> Site {
    let site = Site::with(|config| {
        config.fake("input_price", "1.00").fake("output_price", "2.00").set("server", "generations", 256);
        change(config);
    });
    site.model.always_reports(10, 800);
    site
}

/// What was charged to questions in all, and that the agents' days have the same sum.
#[track_caller]
fn charged_nanos(site: &Site) -> u64 {
    let charged = db::count(&site.server.data(), "select coalesce(sum(charged_nanos), 0) from messages");
    let of_days = db::count(&site.server.data(), "select coalesce(sum(cost_nanos), 0) from agent_days");
    assert_eq!(charged, of_days);
    charged
}

fn outcome(visitor: &Visitor) -> (u16, String) {
    let response = visitor.say("Hello");
    let code = if response.status == 200 { String::new() } else { response.code() };
    (response.status, code)
}

#[test]
fn fifty_at_once_overdraw_no_ceiling_and_each_is_used_up() {
    type Change = fn(&mut Config);
    // Each has room for 12 answers, nearly 13.
    let ceilings: [(&str, Change); 6] = [
        ("agent day tokens", |config| _ = config.set("budget", "agent_tokens_per_day", "10500")),
        ("agent month tokens", |config| _ = config.set("budget", "agent_tokens_per_month", "10500")),
        ("agent day cost", |config| _ = config.agent("demo").budget("agent_cost_per_day = 0.0205")),
        ("agent month cost", |config| _ = config.agent("demo").budget("agent_cost_per_month = 0.0205")),
        ("total month tokens", |config| _ = config.set("ceiling", "tokens_per_month", "10500")),
        ("total day cost", |config| _ = config.set("ceiling", "cost_per_day", "0.0205")),
    ];
    for (name, ceiling) in ceilings {
        let site = site(ceiling);
        // A ceiling of all is used up by both agents together.
        let agents = if name.starts_with("total") { ["demo", "other"] } else { ["demo", "demo"] };
        let visitors: Vec<_> = (0..50).map(|n| site.init(agents[n % 2])).collect();
        let outcomes: Vec<_> = thread::scope(|scope| {
            let running: Vec<_> =
                visitors.iter().map(|visitor| scope.spawn(|| [outcome(visitor), outcome(visitor)])).collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        for (status, code) in outcomes {
            let is_known = status == 200 || (status, code.as_str()) == (429, "agent_budget_exhausted");
            assert!(is_known, "{name}: {status} {code}");
        }
        let answers = site.model.requests().len() as u64;
        assert_eq!(answers, 12, "{name}");
        assert_eq!(charged_nanos(&site), answers * ANSWER_NANOS, "{name}: no answer that was not charged");
    }
}

#[test]
fn a_ceiling_of_one_agent_leaves_the_others_alone_and_that_of_all_does_not() {
    let mut site = site(|config| {
        config.agent("demo").budget("agent_cost_per_month = 0.002");
    });
    site.init("demo").ask("Hello").done();
    site.init("demo").say("Hello").refused(429, "agent_budget_exhausted");
    site.init("other").ask("Hello").done();
    site.reload(|config| _ = config.set("ceiling", "cost_per_month", "0.004"));
    wait_until("the ceiling of all is read", || outcome(&site.init("other")).1 == "agent_budget_exhausted");
}

#[test]
fn a_restart_forgives_nothing_and_a_reload_changes_the_ceilings() {
    let mut site = site(|config| _ = config.set("ceiling", "cost_per_month", "0.002"));
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    site.kill_and_restart();
    visitor.at(&site).say("Hello").refused(429, "agent_budget_exhausted");
    site.reload(|config| _ = config.set("ceiling", "cost_per_month", "0.0035"));
    wait_until("there is room for one more", || visitor.at(&site).say("Hello").status == 200);
    visitor.at(&site).say("Hello").refused(429, "agent_budget_exhausted");
    site.reload(|config| _ = config.set("ceiling", "cost_per_month", "1"));
    wait_until("there is room again", || visitor.at(&site).say("Hello").status == 200);
    // A mistake in it leaves the old one.
    site.reload(|config| _ = config.set("ceiling", "cost_per_month", "\"1\""));
    site.server.wait_for_line("ceiling.cost_per_month");
    visitor.at(&site).ask("Hello").done();
}

#[test]
fn the_dearest_answer_is_reserved_before_it_is_asked_for_and_a_crash_leaves_it_charged() {
    let mut site = site(|config| _ = config.set("ceiling", "cost_per_day", "0.003"));
    let gate = site.model.will_hold(&["Hel"], &["lo"]);
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    stream.expect("token");
    let reserved = charged_nanos(&site);
    assert!(reserved > ANSWER_NANOS && reserved < 2 * ANSWER_NANOS, "{reserved}");
    gate.open();
    stream.rest().done();
    // The scripted answer of a gate takes 20 and 10 tokens.
    assert_eq!(charged_nanos(&site), 20 * 1000 + 10 * 2000);
    let _gate = site.model.will_hold(&["Hel"], &["lo"]);
    let mut cut = visitor.open("Hello");
    cut.expect("start");
    cut.expect("token");
    site.kill_and_restart();
    let left = charged_nanos(&site) - (20 * 1000 + 10 * 2000);
    assert!(left >= reserved && left < 2 * ANSWER_NANOS, "{left}: as much, and the history");
    site.init("demo").say("Hello").refused(429, "agent_budget_exhausted");
}

#[test]
fn who_answers_is_paid() {
    let site = site(|config| {
        config.agent("demo").models(&["fake", "builtin"]);
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    assert_eq!(charged_nanos(&site), ANSWER_NANOS);
    site.model.will_refuse(500);
    visitor.ask("Hello").done();
    let models = db::rows(&site.server.data(), "select model from messages where role = 'assistant' order by seq", &[]);
    assert_eq!(models, [["fake"], ["builtin"]]);
    assert_eq!(charged_nanos(&site), ANSWER_NANOS, "the embedded model costs nothing");
}

#[test]
fn a_model_that_worked_and_gave_no_answer_is_paid_too() {
    let site = site(|config| {
        config.agent("demo").models(&["fake", "builtin"]);
    });
    site.model.will_cut(&[]);
    site.init("demo").ask("Hello").done();
    // For what it read, as estimated.
    let charged = charged_nanos(&site);
    assert!((10 * 1000..100 * 1000).contains(&charged), "{charged}");
}

#[test]
fn visitors_are_told_what_the_owner_wants_them_to_be_told() {
    let site = site(|config| {
        config.set("budget", "agent_tokens_per_month", 1000);
        config.agent("demo").table("[agent.strings]\nagent_budget_exhausted = \"Call 555 before {n}\"\n");
    });
    let visitor = site.init("demo");
    assert_eq!(visitor.answer["agent"]["strings"]["agent_budget_exhausted"], "Call 555 before {n}");
    visitor.ask("Hello").done();
    let problem = visitor.say("Hello").refused(429, "agent_budget_exhausted");
    let told = problem["detail"].as_str().unwrap();
    assert!(told.starts_with("Call 555 before 2") && told.ends_with("-01T00:00:00.000Z"), "{told}");
    visitor.say("Hello").refused(429, "agent_budget_exhausted");
    site.server.wait_for_line("a ceiling of the agent is reached");
    assert_eq!(site.server.printed().matches("a ceiling of").count(), 1, "the owner is told once a month");
    let other = site.init("other");
    other.ask("Hello").done();
    let problem = other.refused(&json!({"content": "Hello"})).refused(429, "agent_budget_exhausted");
    assert!(
        problem["detail"].as_str().unwrap().starts_with("The assistant has answered all it may for now."),
        "{problem}"
    );
}

#[test]
fn an_answer_is_stored_with_how_fast_it_came_and_whether_it_knew() {
    let site = site(|_| {});
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    site.model.will_say(&["I don't know ", "that."]);
    let done = visitor.ask("What is the airspeed of a swallow?").done().clone();
    assert_eq!(done["offer_lead"], false, "there is no form");
    let answers = db::rows(
        &site.server.data(),
        "select is_unanswered, first_token_ms between 0 and 20000 from messages where role = 'assistant' order by seq",
        &[],
    );
    assert_eq!(answers, [["0", "1"], ["1", "1"]]);
}
