//! Sites and servers with TLS, and what only a real proxy does: nginx, with certificates of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::{Report, Scene, page_with};
use crate::support::nginx::Nginx;
use crate::support::proxy::shipped;
use crate::support::relay::Relay;
use crate::support::server::Folder;
use crate::support::site::Site;
use crate::support::web::Web;

/// What is to be wrong with the certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Expired,
    OtherName,
}

/// An nginx with TLS: the site at `https://localhost:PORT/page`, and the server at `https://127.0.0.1:PORT`.
struct Secure {
    scene: Scene,
    nginx: Nginx,
}

impl Secure {
    /// `change` is done to the shipped file.
    fn start(fault: Fault, change: impl FnOnce(String) -> String) -> Self {
        let site = Site::with(|config| {
            config.set("server", "trusted_proxies", "[\"127.0.0.1\"]");
        });
        let folder = Folder::new();
        certify(folder.path(), fault);
        let file = change(shipped("nginx.conf")).replace("127.0.0.1:8080", &site.address().to_string());
        let (upstream, servers) = file.split_once("server {\n    listen 80;").expect("a server that redirects to TLS");
        let (_, server) = servers.split_once("\nserver {").expect("a server with TLS");
        let nginx = Nginx::start(folder, |address| {
            let server = server
                .replace("listen [::]:443 ssl http2;", "")
                .replace("listen 443 ssl http2;", &format!("listen {address} ssl;"))
                .replace("/etc/letsencrypt/live/chat.example.com/fullchain.pem", "cert.pem")
                .replace("/etc/letsencrypt/live/chat.example.com/privkey.pem", "key.pem")
                .replace("location / {", "location = /page { default_type text/html; alias page.html; }\nlocation / {");
            format!("{upstream} server {{ {server}")
        });
        let mut scene = Scene { web: Web::start(), relay: Relay::start(), site };
        let (server, site) = (origin("127.0.0.1", nginx.address), origin("localhost", nginx.address));
        scene.reload(|config| {
            config.text("server", "public_url", &server);
            config.agent("demo").origins(&[&site]);
        });
        let secure = Self { scene, nginx };
        secure.show(&secure.tag());
        secure
    }

    fn tag(&self) -> String {
        let server = origin("127.0.0.1", self.nginx.address);
        format!("<script src=\"{server}/widget.js\" data-agent-id=\"demo\" async></script>")
    }

    fn show(&self, html: &str) {
        self.nginx.folder.write("page.html", &page_with(html));
    }

    fn diagnosis(&self) -> Report {
        let file = self.nginx.folder.path().join("cert.pem");
        self.scene.ask_with(&self.page(), &["--ca-file", file.to_str().expect("a path in UTF-8")])
    }

    fn page(&self) -> String {
        format!("{}/page", origin("localhost", self.nginx.address))
    }
}

fn origin(host: &str, address: SocketAddr) -> String {
    format!("https://{host}:{}", address.port())
}

/// Makes `key.pem` and `cert.pem`, which is its own authority.
fn certify(folder: &Path, fault: Fault) {
    let openssl = |arguments: &str| {
        let made = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output();
        let made = made.expect("openssl runs; scripts/test.sh installs it");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let names = if fault == Fault::OtherName { "DNS:www.example.net" } else { "IP:127.0.0.1,DNS:localhost" };
    let settings = format!(
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n\
         policy=any\nx509_extensions=leaf\n[any]\ncommonName=supplied\n\
         [leaf]\nsubjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n"
    );
    for (name, text) in [("ca.cnf", settings.as_str()), ("index.txt", ""), ("serial", "01\n")] {
        std::fs::write(folder.join(name), text).expect("a file in the scratch folder");
    }
    let end = if fault == Fault::Expired { "20210101000000Z" } else { "21000101000000Z" };
    openssl(
        "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=site -keyout key.pem -out ask.pem",
    );
    openssl(&format!(
        "ca -batch -notext -config ca.cnf -selfsign -keyfile key.pem -in ask.pem -out cert.pem \
         -startdate 20200101000000Z -enddate {end}"
    ));
}

#[test]
fn a_site_and_a_server_behind_the_shipped_nginx_with_tls_are_fine() {
    Secure::start(Fault::None, |snippet| snippet).diagnosis().healthy();
}

#[test]
fn a_certificate_that_browsers_do_not_know_is_told() {
    let secure = Secure::start(Fault::None, |snippet| snippet);
    let report = secure.scene.ask(&secure.page());
    assert_eq!((report.ids(), report.code), (vec!["page-tls", "server-tls"], 1), "{:#}", report.document);
    let found = report.document["findings"][0]["found"].as_str().unwrap();
    assert!(found.contains("of an authority that browsers do not know"), "{found}");
}

#[test]
fn a_certificate_that_has_expired_is_told() {
    let report = Secure::start(Fault::Expired, |snippet| snippet).diagnosis();
    assert_eq!(report.ids(), ["page-tls", "server-tls"], "{:#}", report.document);
    let found = report.document["findings"][0]["found"].as_str().unwrap();
    assert!(found.ends_with("its TLS certificate has expired."), "{found}");
}

#[test]
fn a_certificate_for_another_host_is_told() {
    let report = Secure::start(Fault::OtherName, |snippet| snippet).diagnosis();
    assert_eq!(report.ids(), ["page-tls", "server-tls"], "{:#}", report.document);
    let found = report.document["findings"][0]["found"].as_str().unwrap();
    assert!(found.ends_with("its TLS certificate is for another host name."), "{found}");
}

#[test]
fn plain_http_where_tls_should_be_is_told() {
    let scene = Scene::start();
    let report = scene.ask(&scene.web.origin().replace("http:", "https:"));
    assert_eq!(report.ids()[0], "page-tls", "{:#}", report.document);
    let found = report.document["findings"][0]["found"].as_str().unwrap();
    assert!(found.contains("probably plain HTTP"), "{found}");
}

#[test]
fn a_script_over_http_on_a_page_with_tls_is_told() {
    let secure = Secure::start(Fault::None, |snippet| snippet);
    secure.show("<script src=\"http://chat.example.com/widget.js\" data-agent-id=\"demo\" async></script>");
    let lines = secure.diagnosis().only("tag-mixed-content", "error");
    secure.show(&lines[0]);
    secure.diagnosis().healthy();
}

#[test]
fn an_nginx_that_buffers_is_found_out() {
    let secure = Secure::start(Fault::None, |snippet| {
        snippet.replace("proxy_buffering off;", "proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;")
    });
    assert_eq!(secure.diagnosis().only("stream-buffered", "error"), ["proxy_buffering off;"]);
}

#[test]
fn an_nginx_that_compresses_streams_is_found_out() {
    let secure = Secure::start(Fault::None, |snippet| {
        snippet.replace("gzip off;", "gzip on; gzip_proxied any; gzip_min_length 0; gzip_types text/event-stream;")
    });
    assert_eq!(secure.diagnosis().only("stream-compressed", "warning"), ["gzip off;"]);
}

#[test]
fn an_nginx_that_passes_on_what_clients_claim_is_found_out() {
    let secure = Secure::start(Fault::None, |snippet| {
        let lines = snippet.lines().filter(|line| !line.contains("X-Forwarded-For"));
        lines.map(|line| format!("{line}\n")).collect()
    });
    let lines = secure.diagnosis().only("forwarded-for-forged", "error");
    assert!(shipped("nginx.conf").contains(&lines[0]), "{lines:?}");
}
