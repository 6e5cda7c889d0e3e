//! More than can be carried: what was taken on goes on, the rest is refused at once, and nobody takes it all.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::json;

use crate::fake_model::{Gate, Step, done, finish, head, last_chunk, token};
use crate::support::client::{Connection, Response};
use crate::support::site::{Site, Visitor};
use crate::support::sse::EventStream;

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

#[test]
fn three_times_the_load_is_a_third_carried_and_the_rest_refused_at_once() {
    let site = Site::with(|config| {
        config.set("server", "generations", 6);
    });
    let gate = held(&site);
    let visitors: Vec<_> = (0..18).map(|_| site.init("demo")).collect();
    let (mut carried, mut refused) = (Vec::new(), 0);
    for visitor in &visitors {
        match visitor.stream(&json!({"content": "Hello"})) {
            Ok(mut stream) => {
                stream.expect("start");
                stream.expect("token");
                carried.push(stream);
            }
            Err(response) => {
                response.refused(503, "overloaded");
                assert_eq!(response.retry_after(), 1);
                refused += 1;
            }
        }
    }
    // Of six places one agent of two may hold five.
    assert_eq!((carried.len(), refused), (5, 13));
    // What is short is served as ever.
    site.get("/healthz").expect(200);
    visitors[0].lead(&json!({"email": "ann@example.com"})).expect(201);
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
