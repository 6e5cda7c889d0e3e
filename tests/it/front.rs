//! The front under want: too few descriptors, too few threads, too few places, and heads that promise too much. None of it
//! ends the server or disturbs what is running, and afterwards all is as before.

use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::client::{Connection, Request};
use crate::support::server::BINARY;
use crate::support::site::Site;
use crate::support::wait_until;

/// A user that has no other process, so that a limit of its threads counts this server's alone.
const NOBODY_ELSE: &str = "54321";

/// Whether a connection that was used before is answered once more.
fn is_served(connection: &mut Connection) -> bool {
    if connection.send_raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").is_err() {
        return false;
    }
    let Some(head) = connection.read_head() else { return false };
    connection.read_body(&head);
    head.status == 200
}

/// `/healthz` on a new connection, which stays open.
fn newcomer(site: &Site) -> Connection {
    let mut connection = site.connect();
    connection.call(&Request::get("/healthz")).expect(200);
    connection
}

/// The sockets of these tests are this process's, too.
fn raise_own_descriptor_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("up to the hard limit");
}

#[test]
fn with_256_descriptors_400_idle_connections_end_nothing() {
    raise_own_descriptor_limit();
    let site = Site::under(&["prlimit", "--nofile=256:256"], |_| {});
    site.init("demo").ask("Hello").done();
    let (threads, descriptors) = (site.server.threads(), site.server.descriptors());
    let pieces: Vec<String> = (0..20).map(|n| format!("{n} ")).collect();
    let gates = site.model.will_hold_each(&pieces);
    let mut stream = site.init("demo").open("Count");
    stream.expect("start");

    let mut idle = Vec::new();
    for (gate, piece) in gates.iter().zip(&pieces) {
        idle.extend((0..20).map(|_| newcomer(&site)));
        gate.open();
        assert_eq!(stream.expect("token").data["text"], piece.as_str());
        site.get("/healthz").expect(200);
    }
    stream.rest().done();

    let served: Vec<bool> = idle.iter_mut().rev().map(is_served).collect();
    let kept = served.iter().take_while(|&&is_served| is_served).count();
    assert!((50..256).contains(&kept), "{kept} were kept");
    assert!(!served[kept..].contains(&true), "one that was idle longer outlived one that was idle less");
    site.init("demo").ask("Still there?").done();

    idle.into_iter().for_each(Connection::leave);
    // One more connection to the model may have stayed open.
    wait_until("the descriptors are free again", || site.server.descriptors() <= descriptors + 1);
    assert_eq!(site.server.threads(), threads);
    let mut again: Vec<_> = (0..100).map(|_| newcomer(&site)).collect();
    assert!(again.iter_mut().all(is_served));
}

/// The limit falls below what is open, so that `accept` itself fails.
#[test]
fn an_accept_that_fails_costs_the_longest_idle_and_no_stream() {
    let site = Site::start();
    let gates: Vec<_> = (0..3).map(|_| site.model.will_hold(&["Well, "], &["yes."])).collect();
    let mut streams: Vec<_> = (0..3).map(|_| site.init("demo").open("Hello")).collect();
    for stream in &mut streams {
        stream.expect("start");
        stream.expect("token");
    }
    let descriptors = site.server.descriptors();
    let idle: Vec<_> = (0..10).map(|_| newcomer(&site)).collect();
    site.server.limit(Resource::Nofile, descriptors + 10);
    for _ in 0..40 {
        newcomer(&site).leave();
    }
    let mut newcomers: Vec<_> = (0..5).map(|_| newcomer(&site)).collect();
    assert!(newcomers.iter_mut().all(is_served));
    assert!(idle[0].was_closed(), "it was idle longest");
    site.server.wait_for_line("a connection could not be accepted");
    gates.iter().for_each(|gate| gate.open());
    for stream in &mut streams {
        assert_eq!(stream.rest().text(), "yes.");
    }
    site.init("demo").ask("Still there?").done();
}

/// Nothing is idle, nothing can be closed: a newcomer is turned away, and the next one finds a place when there is one.
#[test]
fn without_a_descriptor_for_anyone_a_newcomer_is_turned_away_and_no_more() {
    let site = Site::start();
    let gates: Vec<_> = (0..3).map(|_| site.model.will_hold(&["Well, "], &["yes."])).collect();
    let mut streams: Vec<_> = (0..3).map(|_| site.init("demo").open("Hello")).collect();
    for stream in &mut streams {
        stream.expect("start");
        stream.expect("token");
    }
    let descriptors = site.server.descriptors();
    site.server.limit(Resource::Nofile, descriptors);
    let begun = Instant::now();
    for _ in 0..20 {
        assert!(!is_served(&mut site.connect()));
    }
    let warning = "a connection could not be accepted";
    site.server.wait_for_line(warning);
    let warnings = site.server.printed().matches(warning).count();
    assert!(warnings <= 1 + begun.elapsed().as_secs() as usize, "{warnings} lines in the log");
    gates.iter().for_each(|gate| gate.open());
    for stream in &mut streams {
        assert_eq!(stream.rest().text(), "yes.");
    }
    drop(streams);
    wait_until("there is a place", || is_served(&mut site.connect()));
}

/// The limit binds no process of root's, so the server runs as another user, who may enter the folders of this one.
#[test]
fn without_a_thread_to_start_all_goes_on() {
    let capability = "+dac_read_search";
    let as_user =
        ["setpriv", "--reuid", NOBODY_ELSE, "--clear-groups", "--inh-caps", capability, "--ambient-caps", capability];
    let succeeds = |words: &[&str]| {
        Command::new(as_user[0]).args(&as_user[1..]).args(words).output().is_ok_and(|output| output.status.success())
    };
    assert!(succeeds(&[BINARY, "--version"]), "needs root, to start a process as another user");
    assert!(!succeeds(&["prlimit", "--nproc=1", "sh", "-c", "true & wait $!"]), "limits of threads bind nobody here");
    let threads = {
        let site = Site::under(&as_user, |_| {});
        site.init("demo").ask("How many are you?").done();
        site.server.threads()
    };
    let limit = format!("--nproc={threads}");
    let site = Site::under(&[&as_user[..], &["prlimit", &limit]].concat(), |_| {});
    let mut idle: Vec<_> = (0..100).map(|_| newcomer(&site)).collect();
    for n in 0..20 {
        site.init("demo").ask(&format!("Question {n}")).done();
    }
    assert!(idle.iter_mut().all(is_served));
    assert_eq!(site.server.threads(), threads);

    // A model's name is looked up by a thread: that link fails, and nothing else.
    drop(site);
    let site = Site::under(&[&as_user[..], &["prlimit", &limit]].concat(), |config| {
        config.model("fake", "http://localhost:9/v1");
    });
    for _ in 0..3 {
        site.init("demo").ask("Hello").failed("model_unavailable");
    }
    site.get("/healthz").expect(200);
}

#[test]
fn a_header_makes_nobody_allocate_what_it_declares() {
    raise_own_descriptor_limit();
    let site = Site::start();
    site.get("/healthz").expect(200);
    let before = site.server.memory_kib("VmData");
    let mut promised: Vec<_> = (0..400).map(|_| site.connect()).collect();
    for (n, connection) in promised.iter_mut().enumerate() {
        let framing =
            if n % 2 == 0 { "Content-Length: 65536\r\n\r\n" } else { "Transfer-Encoding: chunked\r\n\r\nffff\r\n" };
        connection.send_raw(format!("POST /v1/widget/init HTTP/1.1\r\nHost: a\r\n{framing}").as_bytes()).unwrap();
    }
    for length in ["65537", "30000000000", "999999999999"] {
        let mut connection = site.connect();
        let head = format!("POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        connection.send_raw(head.as_bytes()).unwrap();
        assert_eq!(connection.read_head().unwrap().status, 413);
    }
    site.get("/healthz").expect(200);
    let grown = site.server.memory_kib("VmData").saturating_sub(before);
    // 400 bodies of 64 KiB were promised.
    assert!(grown < 8 * 1024, "{grown} KiB for what never came");
}

fn crowded(places: usize) -> Site {
    Site::with(|config| {
        config.set("server", "max_connections", places).set("server", "max_connections_per_address", places);
        // None of these tests is to wait for a deadline.
        for timeout in ["head_timeout", "idle_timeout", "write_timeout"] {
            config.text("server", timeout, "1h");
        }
    })
}

#[test]
fn who_dawdles_makes_room_before_a_newcomer_does() {
    let site = crowded(16);
    let mut dawdlers: Vec<_> = (0..15).map(|_| site.connect()).collect();
    for connection in &mut dawdlers {
        connection.send_raw(b"GET /healthz HTTP/1.1\r\nHo").unwrap();
    }
    // They have been seen to dawdle.
    newcomer(&site).leave();
    let mut newcomers: Vec<_> = (0..10).map(|_| site.connect()).collect();
    for connection in &mut newcomers {
        connection.call(&Request::get("/healthz")).expect(200);
    }
    assert!(dawdlers[0].was_closed(), "it dawdled longest");
}

/// Clients that ask for 90 KB again and again and read nothing, once the server can do no more for them.
fn greedy(site: &Site, clients: usize) -> Vec<Connection> {
    let greedy = (0..clients)
        .map(|_| {
            let mut connection = Connection::open_narrow(site.address());
            let _ = connection.send_raw("GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100).as_bytes());
            connection
        })
        .collect();
    wait_until("none of them has room for more", || {
        let before = answered(site);
        std::thread::sleep(Duration::from_millis(300));
        before > 0 && answered(site) == before
    });
    greedy
}

fn answered(site: &Site) -> usize {
    site.server.printed().matches("path=/openapi.json").count()
}

#[test]
fn who_does_not_read_makes_room_too() {
    let site = crowded(16);
    let greedy = greedy(&site, 16);
    newcomer(&site);
    drop(greedy);
}

#[test]
fn who_does_not_read_gets_no_megabytes_of_the_systems_memory() {
    let site = crowded(16);
    let greedy = greedy(&site, 1);
    assert!(answered(&site) < 8, "{} answers of 90 KB are under way", answered(&site));
    drop(greedy);
}

#[test]
fn who_does_not_read_his_answer_is_closed_at_the_write_timeout() {
    let site = Site::with(|config| {
        config.text("server", "write_timeout", "300ms").text("server", "idle_timeout", "1h");
    });
    newcomer(&site).leave();
    wait_until("nobody is connected", || site.server.connections() == 0);
    let mut connection = Connection::open_narrow(site.address());
    connection.send_raw("GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n".repeat(100).as_bytes()).unwrap();
    wait_until("it is answered", || answered(&site) > 0);
    wait_until("it is closed", || site.server.connections() == 0);
    assert!((1..100).contains(&answered(&site)), "it was closed for another reason");
}

#[test]
fn many_who_do_not_read_share_a_few_megabytes() {
    raise_own_descriptor_limit();
    let site = crowded(500);
    site.get("/openapi.json").expect(200);
    let before = site.server.memory_kib("VmRSS");
    let greedy = greedy(&site, 400);
    let grown = site.server.memory_kib("VmRSS").saturating_sub(before);
    assert!(grown < 28 * 1024, "{grown} KiB");
    site.get("/openapi.json").expect(200);
    drop(greedy);
}

#[test]
fn requests_that_never_become_whole_share_a_few_megabytes() {
    raise_own_descriptor_limit();
    let site = crowded(1500);
    let before = site.server.memory_kib("VmRSS");
    let head = "POST /v1/widget/init HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n";
    let nearly_all = format!("{head}{}", " ".repeat(65_535));
    let mut stalled: Vec<_> = (0..1000).map(|_| site.connect()).collect();
    for connection in &mut stalled {
        // It may have been closed by now.
        let _ = connection.send_raw(nearly_all.as_bytes());
    }
    site.init("demo").ask("Hello").done();
    let grown = site.server.memory_kib("VmRSS").saturating_sub(before);
    // 64 MB were sent.
    assert!(grown < 44 * 1024, "{grown} KiB");
    assert!(stalled.iter().any(Connection::was_closed));
    newcomer(&site);
}

/// Every place has an answer under way, so nobody can make room: the newcomer is told so.
#[test]
fn when_all_are_being_answered_a_newcomer_is_told_to_come_back() {
    let site = crowded(16);
    let gates: Vec<_> = (0..16).map(|_| site.model.will_hold(&["Well, "], &["yes."])).collect();
    let visitors: Vec<_> = (0..16).map(|_| site.init("demo")).collect();
    let mut streams: Vec<_> = visitors.iter().map(|visitor| visitor.open("Hello")).collect();
    for stream in &mut streams {
        stream.expect("start");
    }
    for _ in 0..5 {
        let response = site.get("/healthz");
        response.refused(503, "overloaded");
        assert_eq!((response.retry_after(), response.must("Connection")), (1, "close"));
    }
    gates.iter().for_each(|gate| gate.open());
    for stream in &mut streams {
        stream.rest().done();
    }
    drop(streams);
    newcomer(&site);
}

#[test]
fn a_flood_of_one_address_costs_the_others_nothing() {
    let site = Site::with(|config| {
        config.set("server", "max_connections", 40).set("server", "max_connections_per_address", 10);
    });
    let mut others: Vec<_> = (2..12).map(|n| Connection::open_from([127, 0, 0, n].into(), site.address())).collect();
    for connection in &mut others {
        connection.call(&Request::get("/healthz")).expect(200);
    }
    let flood: Vec<_> = (0..200).map(|_| site.connect()).collect();
    for _ in 0..20 {
        Connection::open_from([127, 0, 0, 99].into(), site.address()).call(&Request::get("/healthz")).expect(200);
    }
    assert!(others.iter_mut().all(is_served));
    drop(flood);
    wait_until("the address of the flood is served again", || is_served(&mut site.connect()));
}
