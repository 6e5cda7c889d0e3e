//! Rate limits (the contract, section 11). Windows of a minute are tried at their edges; that they slide is for the pure
//! limiter's own tests, but for one window of a second.

use std::time::Duration;

use serde_json::json;

use crate::support::ORIGIN;
use crate::support::client::Request;
use crate::support::config::Config;
use crate::support::site::{Site, init_request};

const LEAD: &str = "ann@example.com";

fn init_from(address: &str) -> Request {
    init_request("demo", json!({})).origin(ORIGIN).header("X-Forwarded-For", address)
}

/// The product's own figures.
fn by_default(config: &mut Config) {
    for name in ["init_per_address", "messages_per_address", "leads_per_address"] {
        config.unset("limits", name);
    }
    config.unset("limits", "leads_per_agent");
}

#[test]
fn the_sixtieth_init_of_a_minute_passes_and_the_next_waits() {
    let site = Site::with(by_default);
    let request = init_request("demo", json!({})).origin(ORIGIN);
    let mut connection = site.connect();
    for n in 1..=60 {
        let response = connection.call(&request);
        response.expect(200);
        assert_eq!(response.must("RateLimit-Policy"), "\"init\";q=60;w=60");
        let left = response.must("RateLimit").to_owned();
        assert!(left.starts_with(&format!("\"init\";r={};t=", 60 - n)), "{left}");
    }
    for _ in 0..3 {
        let response = connection.call(&request);
        response.refused(429, "rate_limited");
        assert!((1..=60).contains(&response.retry_after()));
        assert!(response.must("RateLimit").starts_with("\"init\";r=0;t="), "{}", response.must("RateLimit"));
        assert_eq!(response.must("RateLimit-Policy"), "\"init\";q=60;w=60");
    }
}

/// So that no one finds out by trying which agents there are, or writes the log: refusals count as answers do.
#[test]
fn an_address_reads_three_hundred_configs_a_minute_whatever_they_are() {
    let by_default = Site::with(|config| {
        config.unset("limits", "config_per_address");
    });
    let mut connection = by_default.connect();
    let config = |agent: &str| Request::get(&format!("/v1/widget/config?agent_id={agent}")).origin(ORIGIN);
    for n in 0..300 {
        let (agent, status) = if n % 2 == 0 { ("demo", 200) } else { ("acme", 404) };
        assert_eq!(connection.call(&config(agent)).status, status);
    }
    for agent in ["demo", "acme"] {
        let response = connection.call(&config(agent));
        response.refused(429, "rate_limited");
        assert!((1..=60).contains(&response.retry_after()));
        assert_eq!(response.must("RateLimit-Policy"), "\"config\";q=300;w=60");
    }
    by_default.init("demo");
}

#[test]
fn who_waits_as_long_as_told_is_let_through_and_refusals_cost_nothing() {
    let site = Site::with(|config| {
        config.text("limits", "init_per_address", "2/2s");
    });
    let request = init_request("demo", json!({})).origin(ORIGIN);
    let mut connection = site.connect();
    connection.call(&request).expect(200);
    connection.call(&request).expect(200);
    let mut told = 0;
    for _ in 0..20 {
        let response = connection.call(&request);
        response.refused(429, "rate_limited");
        told = response.retry_after();
    }
    assert!((1..=2).contains(&told));
    // The wait is what is tested.
    std::thread::sleep(Duration::from_secs(told));
    connection.call(&request).expect(200);
}

#[test]
fn a_token_gets_five_leads_a_minute_and_an_address_ten() {
    let site = Site::with(by_default);
    let visitors = [site.init("demo"), site.init("demo"), site.init("demo")];
    for visitor in &visitors[..2] {
        for _ in 0..5 {
            let response = visitor.lead(&json!({"email": LEAD}));
            assert!(response.status < 300, "{}", response.text());
            let policies = response.must("RateLimit-Policy");
            assert_eq!(policies, "\"leads\";q=5;w=60, \"leads-address\";q=10;w=60");
        }
        let response = visitor.lead(&json!({"email": LEAD}));
        response.refused(429, "rate_limited");
        assert!((1..=60).contains(&response.retry_after()));
    }
    let response = visitors[2].lead(&json!({"email": LEAD}));
    response.refused(429, "rate_limited");
    assert!(response.must("RateLimit").contains("\"leads-address\";r=0"), "{}", response.must("RateLimit"));
    assert!((1..=60).contains(&response.retry_after()));
}

#[test]
fn an_agent_takes_a_number_of_leads_a_day_whoever_leaves_them() {
    let site = Site::with(|config| {
        config.text("limits", "leads_per_agent", "3/1d").text("limits", "leads_per_token", "5/1d");
    });
    for _ in 0..3 {
        let response = site.init("demo").lead(&json!({"email": LEAD}));
        assert!(response.status < 300, "{}", response.text());
        assert!(!response.must("RateLimit").contains("agent"), "what an agent gets is not told to its visitors");
    }
    let late = site.init("demo");
    for _ in 0..10 {
        let response = late.lead(&json!({"email": LEAD}));
        response.refused(429, "rate_limited");
        assert_eq!(response.must("RateLimit-Policy"), "\"leads-agent\";q=3;w=86400");
        assert!((86_300..=86_400).contains(&response.retry_after()));
    }
    site.init("other").lead(&json!({"email": LEAD})).expect(201);
    late.ask("Hello").done();
}

#[test]
fn a_token_gets_six_hundred_event_requests_a_minute_whatever_they_hold() {
    let site = Site::with(|config| {
        config.text("limits", "events_per_token", "3/1m");
    });
    let (first, second) = (site.init("demo"), site.init("demo"));
    let batch = json!({"events": vec![json!({"type": "dismiss"}); 50]});
    for left in [2, 1, 0] {
        let response = first.event(&batch);
        response.expect(202);
        assert!(response.must("RateLimit").starts_with(&format!("\"events\";r={left};")));
    }
    first.event(&json!({"type": "dismiss"})).refused(429, "rate_limited");
    second.event(&json!({"type": "dismiss"})).expect(202);
    let by_default = Site::start();
    let response = by_default.init("demo").event(&json!({"type": "dismiss"}));
    assert_eq!(response.must("RateLimit-Policy"), "\"events\";q=600;w=60");
}

#[test]
fn an_address_gets_thirty_messages_a_minute_over_all_its_conversations() {
    let site = Site::with(|config| {
        by_default(config);
        config.agent("demo").models(&["builtin"]);
    });
    for n in 0..30 {
        let visitor = site.init("demo");
        if n % 2 == 0 {
            let response = visitor.say("Hello");
            response.expect(200);
            assert_eq!(response.must("RateLimit-Policy"), "\"messages\";q=30;w=60");
        } else {
            let mut stream = visitor.open("Hello");
            assert_eq!(stream.head.must("RateLimit-Policy"), "\"messages\";q=30;w=60");
            stream.rest().done();
        }
    }
    let visitor = site.init("demo");
    visitor.say("Hello").refused(429, "rate_limited");
    let refused = visitor.refused(&json!({"content": "Hello"}));
    refused.refused(429, "rate_limited");
    assert!((1..=60).contains(&refused.retry_after()));
}

#[test]
fn limits_of_one_route_are_not_those_of_another() {
    let site = Site::with(|config| {
        config.text("limits", "events_per_token", "1/1m").text("limits", "leads_per_token", "1/1m");
    });
    let visitor = site.init("demo");
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    visitor.event(&json!({"type": "dismiss"})).refused(429, "rate_limited");
    visitor.lead(&json!({"email": LEAD})).expect(201);
    visitor.lead(&json!({"email": LEAD})).refused(429, "rate_limited");
    visitor.ask("Hello").done();
    site.init("demo").event(&json!({"type": "dismiss"})).expect(202);
}

#[test]
fn a_forwarded_address_from_anyone_is_ignored() {
    let site = Site::with(|config| {
        config.text("limits", "init_per_address", "2/1m");
    });
    site.call(&init_from("192.0.2.1")).expect(200);
    site.call(&init_from("192.0.2.2")).expect(200);
    site.call(&init_from("192.0.2.3")).refused(429, "rate_limited");
}

#[test]
fn a_trusted_proxy_is_believed_from_the_right() {
    let site = Site::with(|config| {
        config.text("limits", "init_per_address", "1/1m");
        config.set("server", "trusted_proxies", r#"["127.0.0.1", "10.0.0.0/8"]"#);
    });
    for (forwarded, status) in [
        ("192.0.2.1", 200),
        ("192.0.2.1", 429),
        ("198.51.100.7, 192.0.2.1", 429), // what the client says itself stands left
        ("192.0.2.1, 10.1.2.3", 429),     // another trusted hop
        ("192.0.2.1, 198.51.100.7", 200),
        ("192.0.2.9,198.51.100.7", 429),
        ("2001:db8:1:2::1", 200),
        ("2001:db8:1:2:ffff:ffff:ffff:ffff", 429), // the same /64
        ("2001:db8:1:3::1", 200),
        ("::ffff:192.0.2.1", 429), // the IPv4 address that it is
    ] {
        let response = site.call(&init_from(forwarded));
        assert_eq!(response.status, status, "{forwarded}");
    }
}

#[test]
fn a_reload_that_leaves_the_limits_alone_forgives_nothing() {
    let mut site = Site::with(|config| {
        config.text("limits", "init_per_address", "1/1m");
    });
    site.init("demo");
    site.reload(|config| {
        config.agent("demo").text("greeting", "Hello again!");
    });
    site.server.wait_for_line("reloaded");
    site.call(&init_request("demo", json!({})).origin(ORIGIN)).refused(429, "rate_limited");
}
