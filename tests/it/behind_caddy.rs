//! The real Caddy in front, with the configuration of `scripts/deploy/Caddyfile`.

use std::net::SocketAddr;

use serde_json::Value;

use crate::behind_proxy::{self as promise, Proxied};
use crate::support::proxy::Proxy;

fn caddy(widgetd: SocketAddr) -> Proxy {
    Proxy::caddy(widgetd, |file| file)
}

fn proxied() -> Proxied {
    Proxied::start(caddy, |_| {})
}

#[test]
fn words_come_through_caddy_one_by_one() {
    promise::words_come_one_by_one(&proxied());
}

#[test]
fn words_come_through_caddy_one_by_one_over_http_2() {
    promise::words_come_one_by_one_over_http_2(&proxied());
}

#[test]
fn behind_caddy_the_public_url_is_the_servers_own_origin() {
    promise::the_public_url_is_the_servers_own_origin(&Proxied::start(caddy, promise::on_its_own_pages));
}

#[test]
fn a_visitor_behind_caddy_counts_as_himself_whatever_he_says_of_others() {
    let proxied = Proxied::start(caddy, promise::three_init_a_minute);
    promise::a_visitor_counts_as_himself_whatever_he_says_of_others(&proxied);
}

#[test]
fn everybody_behind_caddy_gets_the_answer_to_his_own_question() {
    promise::everybody_gets_the_answer_to_his_own_question(&proxied());
}

#[test]
fn connections_of_caddy_are_used_again() {
    promise::connections_to_widgetd_are_used_again(&proxied());
    promise::it_keeps_connections_no_longer_than_widgetd("Caddyfile", "keepalive ");
}

#[test]
fn who_leaves_caddy_ends_the_call_to_the_model() {
    promise::who_leaves_ends_the_call_to_the_model(&proxied());
}

#[test]
fn what_is_too_large_for_caddy_is_refused_in_words() {
    promise::what_is_too_large_is_refused_in_words(&proxied());
}

#[test]
fn caddy_can_keep_the_owners_pages_to_his_network() {
    fn closed(widgetd: SocketAddr) -> Proxy {
        Proxy::caddy(widgetd, |file| promise::only_allow_127_0_0_1(&file))
    }
    promise::the_owners_pages_are_for_his_network_alone(&Proxied::start(closed, |_| {}), 404);
}

#[test]
fn the_readme_says_what_the_file_for_caddy_says() {
    promise::the_readme_says_the_same("caddy", "Caddyfile");
}

/// The targets of the requests that it has sent on.
fn sent(caddy: &Proxy) -> Vec<String> {
    let log = caddy.log("sent.log");
    // The last line may be half written.
    let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter_map(|entry| Some(entry["request"]["uri"].as_str()?.to_owned())).collect()
}

#[test]
fn nothing_is_smuggled_past_caddy() {
    promise::nothing_is_smuggled(&proxied(), sent);
}
