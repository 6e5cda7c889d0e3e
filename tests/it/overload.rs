//! More than can be carried: what was taken on goes on, the rest is refused at once, and nobody takes it all.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Barrier;
use std::time::Duration;

use serde_json::json;

use crate::fake_model::{Gate, Step, done, finish, head, last_chunk, token};
use crate::support::client::{Connection, Response};
use crate::support::db;
use crate::support::site::{Site, Visitor, init_request};
use crate::support::sse::EventStream;
use crate::support::{ORIGIN, wait_until};

/// Every answer says a word, waits for the gate and says another one.
fn held(site: &Site) -> Gate {
    let gate = Gate::default();
    let held = gate.clone();
    site.model.always(move |_| {
        vec![head(), token("a"), Step::Hold(held.clone()), token("b"), finish("stop"), done(), last_chunk()]
    });
    gate
}

/// This visitor asks from the address 127.0.0.`host`.
fn ask_from(site: &Site, visitor: &Visitor, host: u8) -> Result<EventStream, Response> {
    let request = visitor.request("/v1/widget/messages/stream", &json!({"content": "Hello"}));
    Connection::open_from(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), site.address()).stream(&request)
}

/// Runs `act` for each of `0..n` at the same time.
fn all_at_once<T: Send>(n: usize, act: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(n);
    std::thread::scope(|scope| {
        let (act, start) = (&act, &start);
        let threads = (0..n).map(|n| {
            scope.spawn(move || {
                start.wait();
                act(n)
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Of six places one agent of two may hold five.
#[test]
fn of_four_times_the_load_a_places_worth_is_carried_and_the_rest_refused_at_once() {
    let site = Site::with(|config| {
        config.set("server", "generations", 6);
    });
    let visitors: Vec<_> = (0..24).map(|_| site.init("demo")).collect();
    for round in 0..5 {
        let gate = held(&site);
        // The gate opens after all of them have their answer, be it a refusal: those do not wait for a place.
        let mut carried = Vec::new();
        for result in all_at_once(24, |n| visitors[n].stream(&json!({"content": "Hello"}))) {
            match result {
                Ok(stream) => carried.push(stream),
                Err(response) => {
                    response.refused(503, "overloaded");
                    assert_eq!(response.retry_after(), 1);
                }
            }
        }
        assert_eq!(carried.len(), 5, "round {round}");
        for stream in &mut carried {
            stream.expect("start");
            stream.expect("token");
        }
        // What is short is served as ever.
        site.get("/healthz").expect(200);
        let lead = visitors[0].lead(&json!({"email": format!("{round}@example.com")}));
        lead.expect(201);
        gate.open();
        for mut stream in carried {
            assert_eq!(stream.expect("token").data["text"], "b");
            stream.rest().done();
        }
        // And the moment that the load ends there is room again.
        for visitor in visitors.iter().rev().take(5) {
            assert_eq!(visitor.ask("Hello").text(), "ab");
        }
    }
}

/// More connections at once than an address may have, each of which asks again and again.
#[test]
fn short_requests_go_on_under_many_times_the_load_and_who_is_refused_is_told_when_to_come_back() {
    let site = Site::with(|config| {
        config.set("server", "workers", 2).set("server", "max_connections_per_address", 20);
        config.text("limits", "events_per_token", "100000/1m");
    });
    let visitor = site.init("demo");
    let outcomes = all_at_once(120, |n| {
        let (mut served, mut refused) = (0, 0);
        for round in 0..20 {
            let request = match (n + round) % 2 {
                0 => visitor.request("/v1/widget/events", &json!({"type": "dismiss"})),
                _ => init_request("demo", json!({})).origin(ORIGIN),
            };
            let mut connection = site.connect();
            connection.send(&request);
            let response = connection.read(&request);
            if [200, 202].contains(&response.status) {
                served += 1;
            } else {
                response.refused(503, "overloaded");
                assert_eq!(response.retry_after(), 1);
                refused += 1;
            }
        }
        (served, refused)
    });
    let (served, refused) = outcomes.iter().fold((0, 0), |sum, of_one| (sum.0 + of_one.0, sum.1 + of_one.1));
    assert!(served >= 120 && refused > 0, "{served} served, {refused} refused");
    wait_until("the places are free again", || site.server.connections() == 0);
    visitor.event(&json!({"type": "dismiss"})).expect(202);
    site.init("demo").ask("Hello").done();
}

/// Whoever holds the database up, a backup say, holds up what is to be written, and nothing else.
#[test]
fn what_waits_for_the_disk_holds_nobody_else_up() {
    let site = Site::start();
    let visitors: Vec<_> = (0..30).map(|_| site.init("demo")).collect();
    let lock = db::lock(&site.server.data());
    let event = |visitor: &Visitor| visitor.request("/v1/widget/events", &json!({"type": "dismiss"}));
    let mut waiting: Vec<_> = visitors.iter().map(|_| site.connect()).collect();
    for (connection, visitor) in waiting.iter_mut().zip(&visitors) {
        connection.send(&event(visitor));
    }
    site.get("/healthz").expect(200);
    site.init("demo");
    assert!(waiting.iter_mut().all(|connection| connection.is_silent_for(Duration::from_millis(1))));
    drop(lock);
    for (connection, visitor) in waiting.iter_mut().zip(&visitors) {
        connection.read(&event(visitor)).expect(202);
    }
}

#[test]
fn more_that_wait_for_the_disk_than_may_are_refused_at_once() {
    let site = Site::with(|config| {
        config.text("limits", "leads_per_token", "1000/1m");
    });
    let visitor = site.init("demo");
    let request = visitor.request("/v1/widget/leads", &json!({"email": "ann@example.com"}));
    let lock = db::lock(&site.server.data());
    let mut connections: Vec<_> = (0..60).map(|_| site.connect()).collect();
    connections.iter_mut().for_each(|connection| connection.send(&request));
    let is_answered = |connection: &mut Connection| !connection.is_silent_for(Duration::from_millis(10));
    site.get("/healthz").expect(200);
    let (mut refused, mut waiting): (Vec<_>, Vec<_>) = (Vec::new(), Vec::new());
    for mut connection in connections {
        if is_answered(&mut connection) { refused.push(connection) } else { waiting.push(connection) }
    }
    assert_eq!(waiting.len(), 32, "as many as may wait");
    for mut connection in refused {
        let response = connection.read(&request);
        response.refused(503, "overloaded");
        assert_eq!(response.retry_after(), 1);
    }
    drop(lock);
    for mut connection in waiting {
        assert!([200, 201].contains(&connection.read(&request).status));
    }
    assert_eq!(visitor.lead(&json!({"email": "ann@example.com"})).status, 200);
}

#[test]
fn one_address_cannot_take_every_place() {
    let site = Site::with(|config| {
        config.remove_agent("other").set("server", "generations", 24);
    });
    let gate = held(&site);
    let visitors: Vec<_> = (0..16).map(|_| site.init("demo")).collect();
    let streams: Vec<_> = visitors.iter().filter_map(|visitor| ask_from(&site, visitor, 2).ok()).collect();
    assert_eq!(streams.len(), 12, "half of the places");
    let Ok(mut elsewhere) = ask_from(&site, &site.init("demo"), 3) else { panic!("no place is left") };
    gate.open();
    assert_eq!(elsewhere.rest().text(), "ab");
}

#[test]
fn one_network_cannot_take_every_place() {
    let site = Site::with(|config| {
        config.remove_agent("other").set("server", "generations", 24);
        config.set("server", "trusted_proxies", "[\"127.0.0.1\"]");
    });
    let gate = held(&site);
    let ask = |address: String| {
        let request = site.init("demo").request("/v1/widget/messages/stream", &json!({"content": "Hello"}));
        site.connect().stream(&request.header("X-Forwarded-For", &address))
    };
    // A customer has all subnets of a /48; an address is a /64.
    let streams: Vec<_> = (0..24).filter_map(|n| ask(format!("2001:db8:1:{n}::1")).ok()).collect();
    assert_eq!(streams.len(), 18, "three quarters of the places");
    let Ok(mut elsewhere) = ask("2001:db8:2::1".to_owned()) else { panic!("no place is left") };
    gate.open();
    assert_eq!(elsewhere.rest().text(), "ab");
}

#[test]
fn one_agent_cannot_take_every_place_of_several() {
    let site = Site::with(|config| {
        config.set("server", "generations", 8);
    });
    let gate = held(&site);
    let visitors: Vec<_> = (0..8).map(|_| site.init("demo")).collect();
    let streams: Vec<_> = visitors.iter().filter_map(|visitor| ask_from(&site, visitor, 2).ok()).collect();
    assert_eq!(streams.len(), 6, "three quarters of the places");
    let Ok(mut other) = ask_from(&site, &site.init("other"), 3) else { panic!("no place is left") };
    gate.open();
    assert_eq!(other.rest().text(), "ab");
}
