//! What a conversation and an agent may use (the contract, section 8). The scripted model reports 20 tokens in and 10 out
//! for each answer unless a test says otherwise.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fake_model::{Step, event, head, token};
use crate::support::db;
use crate::support::site::{Site, Visitor};
use crate::support::tokens;

/// Sends `n` messages at once, each from a thread, and gives the statuses with their codes.
fn all_at_once(n: usize, send: impl Fn(usize) -> (u16, String) + Sync) -> Vec<(u16, String)> {
    std::thread::scope(|scope| {
        let send = &send;
        let running: Vec<_> = (0..n).map(|n| scope.spawn(move || send(n))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn outcome(visitor: &Visitor) -> (u16, String) {
    let response = visitor.say("Hello");
    let code = if response.status == 200 { String::new() } else { response.code() };
    (response.status, code)
}

#[test]
fn the_budget_falls_with_each_answer_by_what_the_model_reports() {
    let site = Site::start();
    let visitor = site.init("demo");
    let turn = visitor.ask("Hello");
    let done = turn.done();
    assert_eq!(done["usage"], json!({"input_tokens": 20, "output_tokens": 10}));
    assert_eq!(done["budget"]["messages_remaining"], 59);
    assert_eq!(done["budget"]["tokens_remaining"], 40_000 - 30);
    assert!(done["budget"]["resets_at"].is_string());
    let answer = visitor.say("Hello").expect(200);
    assert_eq!(answer["budget"]["messages_remaining"], 58);
    assert_eq!(answer["budget"]["tokens_remaining"], 40_000 - 60);
    assert_eq!(site.resume(&visitor).answer["budget"], answer["budget"]);
}

#[test]
fn a_model_that_reports_nothing_is_estimated() {
    let site = Site::start();
    site.model.will_say_without_usage(&["A whole sentence of an answer, ", "and another one."]);
    let turn = site.init("demo").ask("A question of some length");
    let usage = &turn.done()["usage"];
    assert!(usage["input_tokens"].as_u64().unwrap() > 5, "{usage}");
    assert!((5..100).contains(&usage["output_tokens"].as_u64().unwrap()), "{usage}");
}

#[test]
fn the_last_message_of_the_budget_passes_and_the_next_is_refused() {
    let site = Site::with(|config| {
        config.set("budget", "messages", 3);
    });
    let visitor = site.init("demo");
    for left in [2, 1, 0] {
        assert_eq!(visitor.say("Hello").expect(200)["budget"]["messages_remaining"], left);
    }
    let refused = visitor.say("Hello");
    refused.refused(429, "conversation_budget_exhausted");
    assert!((86_300..=86_400).contains(&refused.retry_after()), "{}", refused.retry_after());
    visitor.refused(&json!({"content": "Hello"})).refused(429, "conversation_budget_exhausted");
    assert_eq!(site.resume(&visitor).messages().len(), 6, "what is refused is not stored");
    assert_eq!(site.model.requests().len(), 3);
    site.init("demo").ask("Hello").done();
}

#[test]
fn tokens_run_out_too() {
    let site = Site::with(|config| {
        config.set("budget", "tokens", 2000).set("budget", "answer_tokens", 800);
    });
    let visitor = site.init("demo");
    site.model.will_report(300, 900);
    visitor.ask("Hello").done();
    let left = site.resume(&visitor).answer["budget"]["tokens_remaining"].as_u64().unwrap();
    assert_eq!(left, 800);
    let refused = visitor.say("An answer may take 800 tokens, and the question takes some");
    refused.refused(429, "conversation_budget_exhausted");
    assert!(refused.retry_after() > 86_000);
}

/// Outside of browsers nobody sends an `Origin`, and nobody can be made to: a token that was carried off is good for what is
/// left of its conversation and of the agent's day.
#[test]
fn a_token_that_is_used_without_an_origin_is_bound_by_the_budgets() {
    let site = Site::with(|config| {
        config.set("budget", "messages", 2);
        config.agent("other").budget("agent_tokens_per_day = 3000");
    });
    let thief = site.init("demo").at_origin(None);
    for _ in 0..2 {
        thief.say("Hello").expect(200);
    }
    thief.say("Hello").refused(429, "conversation_budget_exhausted");
    thief.refused(&json!({"content": "Hello"})).refused(429, "conversation_budget_exhausted");
    assert_eq!(site.model.requests().len(), 2);

    // Many tokens share the agent's day.
    let spent = (0..20).map(|_| site.init("other").at_origin(None)).find(|thief| {
        site.model.will_report(500, 500);
        thief.say("Hello").status != 200
    });
    spent.expect("an end").say("Hello").refused(429, "agent_budget_exhausted");
    assert!(site.model.requests().len() <= 2 + 3, "no more than the day has");
}

#[test]
fn a_restart_forgives_nothing() {
    let mut site = Site::with(|config| {
        config.set("budget", "messages", 2);
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    visitor.ask("Hello").done();
    site.kill_and_restart();
    visitor.at(&site).say("Hello").refused(429, "conversation_budget_exhausted");
}

#[test]
fn the_window_slides_and_waiting_as_long_as_told_is_enough() {
    let site = Site::with(|config| {
        config.text("budget", "window", "2s").set("budget", "messages", 1);
    });
    let visitor = site.init("demo");
    visitor.say("Hello").expect(200);
    let refused = visitor.say("Hello");
    refused.refused(429, "conversation_budget_exhausted");
    // The wait is what is tested.
    std::thread::sleep(Duration::from_secs(refused.retry_after()));
    visitor.say("Hello").expect(200);
}

#[test]
fn fifty_at_once_in_one_conversation_are_answered_one_at_a_time() {
    let site = Site::with(|config| {
        config.set("budget", "messages", 5);
    });
    let visitor = site.init("demo");
    let outcomes = all_at_once(50, |_| outcome(&visitor));
    for (status, code) in &outcomes {
        let known = [(200, ""), (409, "generation_in_progress"), (429, "conversation_budget_exhausted")];
        assert!(known.contains(&(*status, code.as_str())), "{status} {code}");
    }
    let answered = outcomes.iter().filter(|(status, _)| *status == 200).count();
    assert!((1..=5).contains(&answered), "{answered} of a budget of 5");
    assert_eq!(site.model.requests().len(), answered);
}

#[test]
fn fifty_conversations_at_once_never_overdraw_the_agents_day() {
    let site = Site::with(|config| {
        config.set("server", "generations", 64);
        config.set("budget", "agent_tokens_per_day", 10_000);
    });
    // All that an answer may take: what was reserved for it covers it.
    site.model.always_reports(10, 800);
    let visitors: Vec<_> = (0..50).map(|_| site.init("demo")).collect();
    for _ in 0..2 {
        for (status, code) in all_at_once(50, |n| outcome(&visitors[n])) {
            assert!(status == 200 || (status, code.as_str()) == (429, "agent_budget_exhausted"), "{status} {code}");
        }
    }
    let charged = db::count(&site.server.data(), "select sum(charged_tokens) from messages where role = 'user'");
    assert!(charged > 8_000 && charged <= 10_000, "{charged}");
    assert_eq!(charged, 810 * site.model.requests().len() as u64, "no answer that was not charged");
}

#[test]
fn a_spent_agent_is_renewed_at_midnight_and_others_go_on() {
    let mut site = Site::with(|config| {
        config.agent("demo").budget("agent_tokens_per_day = 1000");
    });
    site.model.will_report(100, 800);
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    let refused = site.init("demo").say("Hello");
    refused.refused(429, "agent_budget_exhausted");
    let to_midnight = 86_400 - tokens::now() % 86_400;
    let told = i64::try_from(refused.retry_after()).unwrap();
    assert!((told - to_midnight).abs() <= 30 || told <= 86_400 && to_midnight < 30, "{told} {to_midnight}");
    site.init("other").ask("Hello").done();
    site.kill_and_restart();
    site.init("demo").say("Hello").refused(429, "agent_budget_exhausted");
}

#[test]
fn the_model_is_told_the_limit_of_an_answer() {
    let site = Site::with(|config| {
        config.set("budget", "answer_tokens", 123);
    });
    site.init("demo").ask("Hello").done();
    let body = site.model.requests().remove(0).body;
    let limit = body.get("max_completion_tokens").or(body.get("max_tokens"));
    assert_eq!(limit, Some(&json!(123)), "{body:#}");
}

#[test]
fn a_message_that_the_model_failed_gives_its_reservation_back() {
    let site = Site::with(|config| {
        config.set("budget", "tokens", 2000);
    });
    let visitor = site.init("demo");
    for _ in 0..3 {
        site.model.will_refuse(500);
        visitor.say("Hello").refused(502, "model_unavailable");
    }
    visitor.say("Hello").expect(200);
    let budget: Value = site.resume(&visitor).answer["budget"].clone();
    assert_eq!(budget["messages_remaining"], 56);
    assert!(budget["tokens_remaining"].as_u64().unwrap() > 1500, "{budget}");
}

/// What is left of the conversation's tokens, of 40 000.
fn tokens_left(site: &Site, visitor: &Visitor) -> u64 {
    site.resume(visitor).answer["budget"]["tokens_remaining"].as_u64().unwrap()
}

#[test]
fn a_report_of_nothing_does_not_make_an_answer_free() {
    let site = Site::start();
    site.model.will_report(0, 0);
    let usage = site.init("demo").ask("A question of some length").done()["usage"].clone();
    assert!(usage["input_tokens"].as_u64().unwrap() > 5, "{usage}");
    assert!(usage["output_tokens"].as_u64().unwrap() > 1, "{usage}");
}

#[test]
fn a_report_beyond_belief_silences_no_agent() {
    let site = Site::start();
    for (input_tokens, output_tokens) in [(4_000_000_000, 10), (20, u64::MAX)] {
        site.model.will_report(input_tokens, output_tokens);
        let usage = site.init("demo").ask("Hello").done()["usage"].clone();
        let total = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
        assert!((10..10_000).contains(&total), "{usage}");
    }
    site.server.wait_for_line("more tokens than it can have used");
    site.init("demo").ask("Hello").done();
}

#[test]
fn a_model_that_failed_midway_is_paid_though_another_answers() {
    let site = Site::with(|config| {
        config.fake("first_token_timeout", "\"400ms\"");
        config.agent("demo").models(&["fake", "builtin"]);
    });
    site.model.will_hang_after(&[]);
    let usage = site.init("demo").ask("A question of some length").done()["usage"].clone();
    assert!(usage["input_tokens"].as_u64().unwrap() > 5, "{usage}");
    site.model.will_refuse(500);
    let usage = site.init("demo").ask("A question of some length").done()["usage"].clone();
    assert_eq!(usage, json!({"input_tokens": 0, "output_tokens": 0}), "what was refused took nothing");
}

#[test]
fn a_question_that_was_sent_is_not_asked_twice_and_is_paid() {
    let site = Site::start();
    for lost in [Step::Close, Step::Reset] {
        let before = site.model.requests().len();
        site.model.script(vec![lost.clone()]);
        let visitor = site.init("demo");
        visitor.ask("Hello").failed("model_unavailable");
        assert_eq!(site.model.requests().len() - before, 1, "{lost:?}");
        assert!(tokens_left(&site, &visitor) < 40_000, "{lost:?}");
    }
}

#[test]
fn thoughts_are_paid_though_nobody_hears_them() {
    let site = Site::start();
    for thought in [
        event(&json!({"choices": [{"delta": {"reasoning_content": "hm ".repeat(2000)}}]})),
        token(&format!("<think>{}", "hm ".repeat(2000))),
    ] {
        let request = site.model.requests().len();
        site.model.script(vec![head(), thought, Step::Close]);
        let visitor = site.init("demo");
        visitor.ask("Hello").failed("model_unavailable");
        assert!(site.model.requests().len() == request + 1);
        let left = tokens_left(&site, &visitor);
        assert!((37_000..38_500).contains(&left), "6000 bytes were thought: {left}");
    }
}
