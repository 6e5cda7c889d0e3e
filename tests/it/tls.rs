//! A model server that speaks TLS: the real nginx before the scripted one, with a certificate of its own.

use std::collections::HashSet;
use std::net::SocketAddr;

use crate::support::model::Model;
use crate::support::nginx::Nginx;
use crate::support::proxy::make_certificate;
use crate::support::server::Folder;
use crate::support::site::Site;

/// Logs the number of the connection that each request came on.
fn nginx(model: SocketAddr) -> Nginx {
    let folder = Folder::new();
    make_certificate(folder.path());
    Nginx::start(folder, |address| {
        format!(
            "log_format connection '$connection';
             access_log model.log connection;
             server {{
                 listen {address} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;
                 location / {{ proxy_pass http://{model}; proxy_buffering off; proxy_http_version 1.1; }}
             }}"
        )
    })
}

/// A site whose model is behind `nginx`, with its certificate trusted or not.
fn site(nginx: &Nginx, is_trusted: bool) -> Site {
    Site::with(|config| {
        config.fake("url", &format!("\"https://{}/v1\"", nginx.address));
        if is_trusted {
            config.fake("ca_file", &format!("\"{}\"", nginx.folder.path().join("cert.pem").display()));
        }
    })
}

fn address_of(model: &Model) -> SocketAddr {
    model.url().split('/').nth(2).unwrap().parse().unwrap()
}

#[test]
fn a_hundred_answers_in_a_row_take_three_handshakes_at_most() {
    let model = Model::start();
    let nginx = nginx(address_of(&model));
    let site = site(&nginx, true);
    for _ in 0..10 {
        let visitor = site.init("demo");
        for _ in 0..10 {
            assert_eq!(visitor.ask("Hello").text(), "Hello from the scripted model.");
        }
    }
    let log = nginx.log("model.log");
    let connections: HashSet<_> = log.lines().collect();
    assert_eq!(log.lines().count(), 100);
    assert!(connections.len() <= 3, "{connections:?}");
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let model = Model::start();
    let nginx = nginx(address_of(&model));
    let site = site(&nginx, false);
    site.init("demo").ask("Hello").failed("model_unavailable");
    site.server.wait_for_line("certificate");
    assert!(model.requests().is_empty());
}

#[test]
fn a_client_that_leaves_closes_the_call_under_tls_too() {
    let model = Model::start();
    let nginx = nginx(address_of(&model));
    let site = site(&nginx, true);
    model.will_hang_after(&["One "]);
    let mut stream = site.init("demo").open("Hello");
    stream.expect("start");
    stream.expect("token");
    stream.leave();
    model.wait_until_closed(0);
}
