//! A wall clock that is set while the server runs (the contract, sections 5, 8 and 11): limits and timeouts do not notice,
//! budgets and tokens go by it and are never fooled by it.

use std::time::Duration;

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::clock::Clock;
use crate::support::config::Config;
use crate::support::site::{Site, Visitor, init_request};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

fn site(clock: &Clock, change: impl FnOnce(&mut Config)) -> Site {
    Site::with_environment(&clock.environment(), change)
}

/// The code with which this visitor's token is refused on every route; none where it is good.
fn refusal(visitor: &Visitor) -> Option<String> {
    let routes = ["messages", "messages/stream", "leads", "events"];
    let outcomes: Vec<_> = routes
        .map(|route| {
            // No route takes an empty body, but the token is looked at first.
            let response = visitor.post(&format!("/v1/widget/{route}"), &json!({}));
            (response.status == 401).then(|| response.code())
        })
        .into();
    assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    outcomes[0].clone()
}

#[test]
fn a_token_ends_at_its_second_whatever_the_clock_did_before() {
    let clock = Clock::at("12:00:00");
    let site = site(&clock, |_| {});
    let visitor = site.init("demo");
    assert_eq!(visitor.answer["expires_at"], "2030-06-01T13:00:00.000Z");
    let expired = Some("expired_token".to_owned());
    for _ in 0..2 {
        for (time, expected) in [
            ("12:59:59", &None),
            ("12:59:59.999", &None),
            ("13:00:00", &expired),
            ("13:00:01", &expired),
            ("12:59:59", &None),
        ] {
            clock.set(time);
            assert_eq!(refusal(&visitor), *expected, "{time}");
        }
    }
}

#[test]
fn a_clock_that_is_set_back_signs_nobody_out() {
    let clock = Clock::at("12:00:00");
    let site = site(&clock, |_| {});
    let visitor = site.init("demo");
    visitor.ask("First").done();
    for (time, question) in [("11:59:58", "Second"), ("11:00:00", "Third")] {
        clock.set(time);
        assert_eq!(refusal(&visitor), None, "{time}");
        visitor.ask(question).done();
        visitor.lead(&json!({"email": "ann@example.com"}));
        visitor.event(&json!({"type": "dismiss"})).expect(202);
        let back = site.resume(&visitor);
        assert!(back.is_resumed(), "{time}");
        assert_eq!(back.conversation_id(), visitor.conversation_id());
        assert_eq!(refusal(&back), None, "a token of that moment");
    }
    let back = site.resume(&visitor);
    let questions: Vec<_> = back.messages().iter().step_by(2).map(|message| &message["content"]).collect();
    assert_eq!(questions, ["First", "Second", "Third"], "in the order in which they were said");
}

#[test]
fn a_visitor_comes_back_after_a_jump_of_an_hour() {
    let clock = Clock::at("12:00:00");
    let mut site = site(&clock, |_| {});
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    for time in ["13:00:00", "11:00:00"] {
        clock.set(time);
        assert_eq!(site.resume(&visitor).messages().len(), 2, "{time}");
        site.kill_and_restart();
        assert_eq!(site.resume(&visitor).messages().len(), 2, "{time}");
    }
}

#[test]
fn limits_are_neither_freed_nor_frozen() {
    let clock = Clock::at("12:00:00");
    let site = site(&clock, |config| {
        config.text("limits", "init_per_address", "2/2s");
    });
    let request = init_request("demo", json!({})).origin(ORIGIN);
    let mut connection = site.connect();
    for (time, back) in [("13:00:00", "12:00:00"), ("11:00:00", "12:00:00")] {
        connection.call(&request).expect(200);
        connection.call(&request).expect(200);
        clock.set(time);
        let refused = connection.call(&request);
        refused.refused(429, "rate_limited");
        assert!(refused.retry_after() <= 2, "{time}: {}", refused.retry_after());
        // The wait is what is tested.
        std::thread::sleep(Duration::from_secs(refused.retry_after()));
        connection.call(&request).expect(200);
        clock.set(back);
        std::thread::sleep(Duration::from_secs(2));
    }
}

#[test]
fn a_conversations_budget_is_due_when_it_was_told_to_be() {
    let clock = Clock::at("12:00:00");
    let mut site = site(&clock, |config| {
        config.set("budget", "messages", 1);
    });
    let visitor = site.init("demo");
    visitor.ask("Hello").done();
    // Ahead of the clock a message counts as much as any other, and no longer than until its day is over.
    for (time, wait) in [("13:00:00", DAY - HOUR), ("11:00:00", DAY + HOUR), ("11:59:58", DAY + 2)] {
        clock.set(time);
        for _ in 0..2 {
            let refused = site.resume(&visitor).say("Hello");
            refused.refused(429, "conversation_budget_exhausted");
            assert_eq!(refused.retry_after(), wait, "{time}");
            site.kill_and_restart();
        }
    }
    clock.set_on(2, "11:59:59.999");
    site.resume(&visitor).say("Hello").refused(429, "conversation_budget_exhausted");
    clock.set_on(2, "12:00:00");
    site.init_with("demo", json!({"visitor_id": visitor.visitor_id()})).ask("Hello").done();
}

/// An agent that has spent its day with one answer.
fn spendthrift(clock: &Clock) -> Site {
    let site = site(clock, |config| {
        config.agent("demo").budget("agent_tokens_per_day = 1000");
    });
    site.model.always_reports(100, 800);
    site
}

/// Spends the agent's day, which has not begun before.
#[track_caller]
fn spend(site: &Site) {
    site.init("demo").ask("Hello").done();
}

/// For how long the agent is said to be silent.
#[track_caller]
fn silent_for(site: &Site) -> u64 {
    let refused = site.init("demo").say("Hello");
    refused.refused(429, "agent_budget_exhausted");
    refused.retry_after()
}

#[test]
fn an_agents_day_is_not_given_out_twice_and_lasts_as_long_as_it_is_said_to() {
    for is_restarted in [false, true] {
        let clock = Clock::at("23:30:00");
        let mut site = spendthrift(&clock);
        let step = |site: &mut Site, day, time| {
            clock.set_on(day, time);
            if is_restarted {
                site.kill_and_restart();
            }
        };
        spend(&site);
        assert_eq!(silent_for(&site), HOUR / 2);
        // An hour ahead it is tomorrow there, and tomorrow's tokens are spent.
        step(&mut site, 2, "00:30:00");
        spend(&site);
        assert_eq!(silent_for(&site), DAY - HOUR / 2);
        // Back again, both days are spent: that is not before the day after tomorrow.
        step(&mut site, 1, "23:30:00");
        assert_eq!(silent_for(&site), DAY + HOUR / 2, "restarted: {is_restarted}");
        step(&mut site, 2, "00:00:00");
        assert_eq!(silent_for(&site), DAY, "restarted: {is_restarted}");
        step(&mut site, 3, "00:00:00");
        spend(&site);
    }
}

#[test]
fn a_month_goes_on_over_midnight_and_over_a_restart_and_lasts_as_long_as_it_is_said_to() {
    let clock = Clock::at("12:00:00");
    let mut site = site(&clock, |config| {
        config.agent("demo").budget("agent_tokens_per_month = 2000");
    });
    site.model.always_reports(100, 800);
    spend(&site);
    clock.set_on(29, "12:00:00");
    spend(&site);
    assert_eq!(silent_for(&site), DAY + DAY / 2, "until July");
    clock.set_on(30, "23:59:58");
    assert_eq!(silent_for(&site), 2);
    site.kill_and_restart();
    assert_eq!(silent_for(&site), 2);
    // As libfaketime reads it, the first of July.
    clock.set_on(31, "00:00:00");
    site.init("demo").ask("Hello").done();
}

#[test]
fn a_clock_that_was_wrong_by_weeks_silences_an_agent_until_tomorrow_is_over_at_most() {
    let clock = Clock::at("12:00:00");
    let site = spendthrift(&clock);
    clock.set_on(30, "12:00:00");
    spend(&site);
    clock.set_on(1, "12:00:00");
    assert_eq!(silent_for(&site), DAY + DAY / 2);
    clock.set_on(3, "00:00:00");
    spend(&site);
}

#[test]
fn what_is_running_does_not_notice() {
    let clock = Clock::at("12:00:00");
    let site = site(&clock, |_| {});
    let mut idle = site.connect();
    idle.call(&Request::get("/healthz")).expect(200);
    let gates = site.model.will_hold_each(&["An ", "hour ", "either ", "way."].map(str::to_owned));
    let visitor = site.init("demo");
    let mut stream = visitor.open("Hello");
    stream.expect("start");
    for (gate, time) in gates.iter().zip(["13:00:00", "12:00:00", "11:00:00", "12:00:00"]) {
        clock.set(time);
        // Answered: so the server has looked at the new time.
        idle.call(&Request::get("/readyz")).expect(200);
        gate.open();
        stream.expect("token");
    }
    stream.rest().done();
    assert_eq!(site.resume(&visitor).messages()[1]["content"], "An hour either way.");
}
