//! The real nginx in front, with the configuration of `scripts/deploy/nginx.conf`.

use std::net::{IpAddr, SocketAddr};

use serde_json::json;

use crate::behind_proxy::{self as promise, Proxied};
use crate::support::ORIGIN;
use crate::support::client::{Connection, Request};
use crate::support::config::Config;
use crate::support::proxy::{Proxy, shipped};
use crate::support::site::init_request;

fn nginx(widgetd: SocketAddr) -> Proxy {
    Proxy::nginx(widgetd, |file| file)
}

fn proxied() -> Proxied {
    Proxied::start(nginx, |_| {})
}

#[test]
fn words_come_through_nginx_one_by_one() {
    promise::words_come_one_by_one(&proxied());
}

#[test]
fn words_come_through_nginx_one_by_one_over_http_2() {
    promise::words_come_one_by_one_over_http_2(&proxied());
}

#[test]
fn behind_nginx_the_public_url_is_the_servers_own_origin() {
    promise::the_public_url_is_the_servers_own_origin(&Proxied::start(nginx, promise::on_its_own_pages));
}

#[test]
fn who_comes_to_nginx_without_tls_is_sent_to_where_it_is() {
    let proxied = proxied();
    let mut connection = Connection::open(proxied.proxy.redirect.unwrap());
    connection.send(&Request::get("/demo?a=b").header("Host", "chat.example.com"));
    let head = connection.read_head().unwrap();
    assert_eq!((head.status, head.must("Location")), (301, "https://chat.example.com/demo?a=b"));
}

#[test]
fn a_visitor_behind_nginx_counts_as_himself_whatever_he_says_of_others() {
    let proxied = Proxied::start(nginx, promise::three_init_a_minute);
    promise::a_visitor_counts_as_himself_whatever_he_says_of_others(&proxied);
}

/// As the file says to do where another proxy stands before nginx.
#[test]
fn a_visitor_behind_an_nginx_that_adds_to_the_list_counts_as_himself_too() {
    fn adding(widgetd: SocketAddr) -> Proxy {
        let line = "X-Forwarded-For $remote_addr";
        Proxy::nginx(widgetd, |file| file.replace(line, "X-Forwarded-For $proxy_add_x_forwarded_for"))
    }
    let proxied = Proxied::start(adding, promise::three_init_a_minute);
    promise::a_visitor_counts_as_himself_whatever_he_says_of_others(&proxied);
}

#[test]
fn everybody_behind_nginx_gets_the_answer_to_his_own_question() {
    promise::everybody_gets_the_answer_to_his_own_question(&proxied());
}

#[test]
fn connections_of_nginx_are_used_again() {
    promise::connections_to_widgetd_are_used_again(&proxied());
    promise::it_keeps_connections_no_longer_than_widgetd("nginx.conf", "keepalive_timeout ");
}

#[test]
fn who_leaves_nginx_ends_the_call_to_the_model() {
    promise::who_leaves_ends_the_call_to_the_model(&proxied());
}

#[test]
fn what_is_too_large_for_nginx_is_refused_in_words() {
    promise::what_is_too_large_is_refused_in_words(&proxied());
}

#[test]
fn nginx_can_keep_the_owners_pages_to_his_network() {
    fn closed(widgetd: SocketAddr) -> Proxy {
        Proxy::nginx(widgetd, |file| promise::only_allow_127_0_0_1(&file))
    }
    promise::the_owners_pages_are_for_his_network_alone(&Proxied::start(closed, |_| {}), 403);
}

#[test]
fn the_readme_says_what_the_file_for_nginx_says() {
    promise::the_readme_says_the_same("nginx", "nginx.conf");
}

/// The targets of the requests that it has sent on, each as often as it did.
fn sent(nginx: &Proxy) -> Vec<String> {
    let log = nginx.log("sent.log");
    let lines = log.lines().filter_map(|line| line.split_once('|'));
    // A list of addresses, if it tried again.
    lines.flat_map(|(upstreams, target)| vec![target.to_owned(); upstreams.matches(':').count()]).collect()
}

#[test]
fn nothing_is_smuggled_past_nginx() {
    promise::nothing_is_smuggled(&proxied(), sent);
}

/// It begins to send what it has not read to its end yet.
#[test]
fn nothing_is_smuggled_past_an_nginx_that_does_not_buffer_bodies() {
    fn unbuffered(widgetd: SocketAddr) -> Proxy {
        let off = "proxy_request_buffering off;\nproxy_buffering off;";
        Proxy::nginx(widgetd, |file| file.replace("proxy_buffering off;", off))
    }
    promise::nothing_is_smuggled(&Proxied::start(unbuffered, |_| {}), sent);
}

fn one_init_a_minute(config: &mut Config) {
    config.text("limits", "init_per_address", "1/1m");
}

/// What the file warns of: left to itself nginx passes on what the client wrote, and nothing tells that from its own word.
#[test]
fn an_nginx_that_does_not_say_who_asks_lets_each_client_be_anyone() {
    fn silent(widgetd: SocketAddr) -> Proxy {
        let line = "proxy_set_header X-Forwarded-For $remote_addr;";
        assert!(shipped("nginx.conf").contains(line));
        Proxy::nginx(widgetd, |file| file.replace(line, ""))
    }
    let proxied = Proxied::start(silent, one_init_a_minute);
    let init = |client: [u8; 4], says: Option<&str>| {
        let request = init_request("demo", json!({})).origin(ORIGIN);
        let request = says.iter().fold(request, |request, says| request.header("X-Forwarded-For", says));
        Connection::open_from(IpAddr::from(client), proxied.proxy.plain).call(&request).status
    };
    let as_many: Vec<_> = (0..5).map(|n| init([127, 0, 0, 5], Some(&format!("6.6.6.{n}")))).collect();
    assert_eq!(as_many, [200; 5], "one client with as many addresses as it likes");
    // And all who say nothing have one.
    assert_eq!((init([127, 0, 0, 6], None), init([127, 0, 0, 7], None)), (200, 429));
}
