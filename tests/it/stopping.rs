//! SIGTERM while requests are under way that no answer of a model is waited for: who has sent one whole is answered, what
//! is acknowledged is stored, and no slow client holds the end up.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::support::client::{Connection, Request};
use crate::support::site::{Site, Visitor, init_request};
use crate::support::{CEILING, ORIGIN, db, wait_until};

fn site() -> Site {
    Site::with(|config| {
        for name in ["leads_per_token", "events_per_token"] {
            config.text("limits", name, "100000/1m");
        }
        // None of these tests is to wait for a deadline of a connection.
        for timeout in ["head_timeout", "body_timeout", "idle_timeout", "write_timeout"] {
            config.text("server", timeout, "1h");
        }
    })
}

/// Until nobody accepts there any more.
fn wait_until_refused(site: &Site) {
    wait_until("connections are refused", || Connection::try_open(site.address()).is_none());
}

fn stored(site: &Site, sql: &str) -> BTreeSet<String> {
    db::rows(&site.server.data(), sql, &[]).into_iter().map(|mut row| row.remove(0)).collect()
}

#[test]
fn what_waits_for_the_disk_is_stored_and_acknowledged() {
    let mut site = site();
    let visitor = site.init("demo");
    let lead = |n: usize| visitor.request("/v1/widget/leads", &json!({"email": format!("{n}@example.com")}));
    let event = |n: usize| visitor.request("/v1/widget/events", &json!({"type": "dismiss", "id": n.to_string()}));
    let lock = db::lock(&site.server.data());
    let requests: Vec<_> = (0..8).map(|n| if n % 2 == 0 { lead(n) } else { event(n) }).collect();
    let mut connections: Vec<_> = requests.iter().map(|_| site.connect()).collect();
    for (connection, request) in connections.iter_mut().zip(&requests) {
        connection.send(request);
    }
    site.server.signal(Signal::TERM);
    wait_until_refused(&site);
    drop(lock);
    for (connection, request) in connections.iter_mut().zip(&requests) {
        let response = connection.read(request);
        assert!([201, 202].contains(&response.status), "{}", response.text());
        assert_eq!(response.must("Connection"), "close");
    }
    drop(connections);
    assert_eq!(site.server.wait().code(), Some(0));
    assert_eq!(stored(&site, "select email from leads").len(), 4);
    assert_eq!(stored(&site, "select client_id from events").len(), 4);
}

#[test]
fn a_request_that_was_begun_may_be_finished() {
    let mut site = site();
    let body = json!({"agent_id": "demo"}).to_string();
    let head = format!(
        "POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nOrigin: {ORIGIN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut connection = site.connect();
    connection.send_raw(head.as_bytes()).unwrap();
    // A request that came after it and was answered: it has been read.
    site.get("/healthz").expect(200);
    site.server.signal(Signal::TERM);
    wait_until_refused(&site);
    connection.send_raw(body.as_bytes()).unwrap();
    connection.read(&init_request("demo", json!({}))).expect(200);
    drop(connection);
    assert_eq!(site.server.wait().code(), Some(0));
}

#[test]
fn an_answer_may_be_read_to_its_end() {
    let mut site = site();
    let whole = site.get("/openapi.json").body;
    let mut connection = Connection::open_narrow(site.address());
    connection.send_raw("GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20).as_bytes()).unwrap();
    let answered = || site.server.printed().matches("path=/openapi.json").count();
    wait_until("one answer finds no room", || {
        let before = answered();
        thread::sleep(Duration::from_millis(100));
        before > 1 && answered() == before
    });
    let answered = answered() - 1;
    site.server.signal(Signal::TERM);
    wait_until_refused(&site);
    for _ in 0..answered {
        assert_eq!(connection.read(&Request::get("/openapi.json")).body, whole);
    }
    drop(connection);
    assert_eq!(site.server.wait().code(), Some(0));
}

/// All deadlines of connections are an hour.
#[test]
fn clients_that_finish_nothing_do_not_hold_it_up() {
    let mut site = site();
    let mut dawdler = site.connect();
    dawdler.send_raw(b"GET /healthz HTTP/1.1\r\nHo").unwrap();
    let mut greedy = Connection::open_narrow(site.address());
    greedy.send_raw("GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20).as_bytes()).unwrap();
    site.get("/healthz").expect(200);
    site.server.signal(Signal::TERM);
    assert_eq!(site.server.wait().code(), Some(0));
}

/// What one client saw of the load.
#[derive(Default)]
struct Seen {
    leads: Vec<String>,
    events: Vec<String>,
    /// Sent whole before the signal, and not answered.
    unanswered: Vec<String>,
}

/// Asks again and again, on a new connection or on one that is kept, until nobody answers.
fn go_on(site: &Site, visitor: &Visitor, number: usize, is_signalled: &AtomicBool, tell: impl Fn()) -> Seen {
    let mut seen = Seen::default();
    let mut kept: Option<Connection> = None;
    for n in 0.. {
        let name = format!("{number}-{n}");
        let request = match n % 3 {
            0 => visitor.request("/v1/widget/leads", &json!({"email": format!("{name}@example.com")})),
            1 => visitor.request("/v1/widget/events", &json!({"type": "dismiss", "id": name})),
            _ => init_request("demo", json!({})).origin(ORIGIN),
        };
        let Some(mut connection) = kept.take().or_else(|| Connection::try_open(site.address())) else { break };
        let is_sent = connection.try_send(&request);
        let is_early = is_sent && !is_signalled.load(Ordering::SeqCst);
        let response = connection.try_read_response();
        match response.as_ref().map(|response| response.status) {
            Some(200..=202) if n % 3 == 0 => seen.leads.push(format!("{name}@example.com")),
            Some(200..=202) if n % 3 == 1 => seen.events.push(name),
            Some(200..=202 | 503) => {}
            None if is_early => seen.unanswered.push(name),
            None => break,
            Some(_) => panic!("{response:?}"),
        }
        if number.is_multiple_of(2) && !is_signalled.load(Ordering::SeqCst) {
            kept = Some(connection);
        }
        tell();
    }
    seen
}

#[test]
fn under_load_every_request_that_was_sent_is_answered_and_what_was_acknowledged_is_stored() {
    let mut site = site();
    let is_signalled = AtomicBool::new(false);
    let visitors: Vec<_> = (0..12).map(|_| site.init("demo")).collect();
    let (told, heard) = channel();
    let seen: Vec<Seen> = thread::scope(|scope| {
        let (site, is_signalled) = (&site, &is_signalled);
        let clients: Vec<_> = visitors
            .iter()
            .enumerate()
            .map(|(number, visitor)| {
                let told = told.clone();
                let tell = move || {
                    let _ = told.send(()); // nobody listens any more at the end
                };
                scope.spawn(move || go_on(site, visitor, number, is_signalled, tell))
            })
            .collect();
        for _ in 0..300 {
            heard.recv_timeout(CEILING).expect("the load flows");
        }
        is_signalled.store(true, Ordering::SeqCst);
        site.server.signal(Signal::TERM);
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(site.server.wait().code(), Some(0));
    let unanswered: Vec<_> = seen.iter().flat_map(|seen| &seen.unanswered).collect();
    assert!(unanswered.is_empty(), "{unanswered:?}");
    let leads = stored(&site, "select email from leads");
    let events = stored(&site, "select client_id from events");
    for seen in &seen {
        assert!(seen.leads.iter().all(|email| leads.contains(email)), "a lead was lost");
        assert!(seen.events.iter().all(|id| events.contains(id)), "an event was lost");
    }
}
