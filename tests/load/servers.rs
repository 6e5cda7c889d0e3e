//! What is measured, each a process of its own: the model, nginx as the thinnest relay that people know, and widgetd.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client;

pub const ORIGIN: &str = "https://www.example.com";

/// A process that is killed when it is dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub started_in: Duration,
}

impl Server {
    pub fn model() -> Self {
        let begun = Instant::now();
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program).arg("model").stdout(Stdio::piped()).spawn().expect("a process");
        let address = first_line(&mut child).trim().parse().expect("an address");
        Self { child, address, started_in: begun.elapsed() }
    }

    /// One worker, no buffering, connections to the model kept alive: as README tells it for widgetd.
    pub fn nginx(folder: &Path, model: SocketAddr) -> Self {
        let folder = folder.join("nginx");
        std::fs::create_dir(&folder).expect("a new folder");
        let address = free_address();
        let config = format!(
            "daemon off; worker_processes 1; pid nginx.pid; error_log error.log; worker_rlimit_nofile 20000;\n\
             events {{ worker_connections 8192; }}\n\
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f;\n\
             uwsgi_temp_path u; scgi_temp_path s;\n\
             upstream model {{ server {model}; keepalive 4096; }}\n\
             server {{ listen {address} backlog=4096; keepalive_requests 1000000;\n\
             location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\";\n\
             proxy_buffering off; tcp_nodelay on; }} }} }}\n"
        );
        std::fs::write(folder.join("nginx.conf"), config).expect("a file");
        let begun = Instant::now();
        let mut command = Command::new("nginx");
        command.arg("-p").arg(&folder).args(["-c", "nginx.conf", "-e", "error.log"]);
        let child = command.stderr(Stdio::null()).spawn().expect("nginx is missing: apt-get install nginx-light");
        while std::net::TcpStream::connect(address).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(20), "nginx did not start, see {}", folder.display());
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, address, started_in: begun.elapsed() }
    }

    /// The release build with limits that a benchmark does not reach, on the data folder `name`.
    pub fn widgetd(folder: &Path, name: &str, model: SocketAddr, generations: usize) -> Self {
        let config = folder.join(format!("{name}.toml"));
        std::fs::write(&config, widget_toml(model, generations)).expect("a file");
        let begun = Instant::now();
        let mut child = Command::new(binary())
            .args(["--listen", "127.0.0.1:0", "--log", "error"])
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(folder.join(name))
            .stdout(Stdio::piped())
            .spawn()
            .expect("run cargo build --release first");
        let line = first_line(&mut child);
        let address = line.split("http://").nth(1).expect("an address").trim().trim_end_matches('/');
        let address = address.parse().expect("an address");
        assert_eq!(client::once(address, b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n").0, 2);
        Self { child, address, started_in: begun.elapsed() }
    }

    /// Seconds on a processor, its children's too.
    pub fn cpu_s(&self) -> f64 {
        self.processes().iter().map(|&id| cpu_s(id)).sum()
    }

    pub fn resident_mib(&self) -> f64 {
        self.processes().iter().map(|&id| status(id, "VmRSS") / 1024.0).sum()
    }

    pub fn threads(&self) -> f64 {
        status(self.child.id(), "Threads")
    }

    pub fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    fn processes(&self) -> Vec<u32> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        children.split_whitespace().filter_map(|id| id.parse().ok()).chain([id]).collect()
    }

    /// A fresh conversation's bearer token.
    pub fn token(&self) -> String {
        let (class, body) = client::once(self.address, &init());
        assert_eq!(class, 2, "{body}");
        let answer: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        answer["token"].as_str().expect("a token").to_owned()
    }

    pub fn tokens(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.token()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx ends its worker when it is asked to end, not when it is killed.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

pub fn binary() -> PathBuf {
    std::env::var_os("WIDGETD_BIN").map_or_else(
        || {
            let target =
                std::env::var("CARGO_TARGET_DIR").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/target").into());
            Path::new(&target).join("release/widgetd")
        },
        PathBuf::from,
    )
}

pub fn init() -> Vec<u8> {
    post("/v1/widget/init", &format!("Origin: {ORIGIN}\r\n"), r#"{"agent_id":"demo"}"#)
}

/// A message that the model answers with so many tokens, in such a pace, after so long a think.
pub fn message(token: Option<&str>, directive: &str) -> Vec<u8> {
    match token {
        Some(token) => post(
            "/v1/widget/messages/stream",
            &format!("Authorization: Bearer {token}\r\n"),
            &format!(r#"{{"content":"{directive}"}}"#),
        ),
        None => post(
            "/v1/chat/completions",
            "",
            &format!(r#"{{"stream":true,"messages":[{{"role":"user","content":"{directive}"}}]}}"#),
        ),
    }
}

pub fn post(path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn widget_toml(model: SocketAddr, generations: usize) -> String {
    format!(
        r#"
[server]
max_connections = 9000
max_connections_per_address = 9000
generations = {generations}
[limits]
init_per_address = "100000/1s"
messages_per_address = "100000/1s"
events_per_token = "100000/1s"
[budget]
event_bytes_per_day = "100 GiB"
agent_tokens_per_day = 100000000000
messages = 10000
tokens = 100000000
answer_tokens = 4000
[[model]]
name = "bench"
url = "http://{model}/v1"
model = "scripted"
[[agent]]
id = "demo"
name = "Demo"
allowed_origins = ["{ORIGIN}"]
models = ["bench"]
"#
    )
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("piped")).read_line(&mut line).expect("a line");
    line
}

fn cpu_s(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name may hold spaces and brackets: the fields that count stand after its last bracket.
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks() + ticks()) / 100.0
}

fn status(process: u32, field: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0.0)
}
