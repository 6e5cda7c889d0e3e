//! A real proxy in front of widgetd, with the very configuration that `scripts/deploy` ships: only ports, certificates and
//! paths are others. All of it is in a scratch folder, and nothing of the system's own nginx or Caddy is touched.
//! `scripts/test.sh` installs both.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::client::Connection;
use super::nginx::Nginx;
use super::server::Folder;
use super::wait_until;

/// The name that the shipped files stand for.
pub(crate) const NAME: &str = "chat.example.com";

/// A running proxy. The same site is served with TLS and, for clients that speak with raw bytes, without.
pub(crate) struct Proxy {
    process: Process,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// Of nginx, that redirects to TLS.
    pub(crate) redirect: Option<SocketAddr>,
    /// The certificate that vouches for it.
    authority: PathBuf,
}

enum Process {
    Nginx(Nginx),
    Caddy(Caddy),
}

/// Where its certificate and its logs are.
struct Caddy {
    process: Child,
    folder: Folder,
}

impl Proxy {
    /// nginx before the server at `widgetd`; `change` is made to the shipped file. Logs the upstream's address, as often as
    /// it was tried, and the path of each request.
    pub(crate) fn nginx(widgetd: SocketAddr, change: impl FnOnce(String) -> String) -> Self {
        let folder = Folder::new();
        make_certificate(folder.path());
        let (tls, redirect) = (free_address(), free_address());
        let nginx = Nginx::start(folder, |plain| {
            let file = change(shipped("nginx.conf"))
                .replace("127.0.0.1:8080", &widgetd.to_string())
                .replace("listen [::]:80;", "")
                .replace("listen 80;", &format!("listen {redirect};"))
                .replace("listen [::]:443 ssl http2;", &format!("listen {plain};"))
                .replace("listen 443 ssl http2;", &format!("listen {tls} ssl http2;"))
                .replace("/etc/letsencrypt/live/chat.example.com/fullchain.pem", "cert.pem")
                .replace("/etc/letsencrypt/live/chat.example.com/privkey.pem", "key.pem");
            format!("log_format sent '$upstream_addr|$request_uri'; access_log sent.log sent;\n{file}")
        });
        let authority = nginx.folder.path().join("cert.pem");
        Self { plain: nginx.address, tls, redirect: Some(redirect), authority, process: Process::Nginx(nginx) }
    }

    /// Caddy before the server at `widgetd`; `change` is made to the shipped file. Logs each request as JSON.
    pub(crate) fn caddy(widgetd: SocketAddr, change: impl FnOnce(String) -> String) -> Self {
        let folder = Folder::new();
        let (plain, tls) = (free_address(), free_address());
        let file = change(shipped("Caddyfile")).replace("127.0.0.1:8080", &widgetd.to_string());
        let log = folder.path().join("sent.log");
        let site = |address: &str, tls: &str| {
            let more = format!("{address} {{\nbind 127.0.0.1\n{tls}\nlog {{\noutput file {}\n}}", log.display());
            file.replace(&format!("\n{NAME} {{"), &format!("\n{more}"))
        };
        let config = format!(
            "{{\nadmin off\nauto_https disable_redirects\nskip_install_trust\n}}\n{}\n{}",
            site(&format!("http://:{}", plain.port()), ""),
            site(&format!("https://{NAME}:{}", tls.port()), "tls internal")
        );
        let path = folder.write("Caddyfile", &config);
        let said = File::create(folder.path().join("caddy.log")).unwrap();
        let process = Command::new("caddy")
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(path)
            .env("HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path().join("data"))
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("caddy starts; scripts/test.sh installs it");
        let authority = folder.path().join("data/caddy/pki/authorities/local/root.crt");
        let proxy = Self { plain, tls, redirect: None, authority, process: Process::Caddy(Caddy { process, folder }) };
        wait_until("Caddy has a certificate", || proxy.log("caddy.log").contains("certificate obtained successfully"));
        wait_until("Caddy accepts", || [plain, tls].iter().all(|address| Connection::try_open(*address).is_some()));
        proxy
    }

    /// A log that its configuration names; empty as long as there is none.
    pub(crate) fn log(&self, name: &str) -> String {
        let folder = match &self.process {
            Process::Nginx(nginx) => &nginx.folder,
            Process::Caddy(caddy) => &caddy.folder,
        };
        std::fs::read_to_string(folder.path().join(name)).unwrap_or_default()
    }

    /// curl, asking for `target` with TLS; it believes in no certificate but this proxy's.
    pub(crate) fn curl(&self, target: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--no-buffer", "--max-time", "20", "--cacert"])
            .arg(&self.authority)
            .arg("--resolve")
            .arg(format!("{NAME}:{}:{}", self.tls.port(), self.tls.ip()))
            .arg(format!("https://{NAME}:{}{target}", self.tls.port()));
        curl
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.folder.path().join("caddy.log")).unwrap_or_default();
            eprintln!("--- Caddy\n{said}---");
        }
    }
}

/// A file of `scripts/deploy`.
pub(crate) fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/deploy").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A certificate for [`NAME`] and for 127.0.0.1 that vouches for itself: `cert.pem` and `key.pem`.
pub(crate) fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=proxy".split(' '))
        .args(["-addext", &format!("subjectAltName=IP:127.0.0.1,DNS:{NAME}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .output()
        .expect("openssl runs; scripts/test.sh installs it");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
