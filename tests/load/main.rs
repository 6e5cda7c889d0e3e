//! Measures the release build on this machine: `cargo build --release && cargo run --release --example measure`.
//!
//! Prints start-up time, idle memory, binary size, the time to the first token that widgetd adds over the model alone
//! (asked in turns, in one run), and durable events a second. The model is the scripted one, in this process.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a tool for developers

#[path = "../fake_model/mod.rs"]
mod fake_model;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use fake_model::FakeModel;

const ROUNDS: usize = 200;
const EVENT_CLIENTS: usize = 64;
const EVENT_TIME: Duration = Duration::from_secs(5);
const ORIGIN: &str = "https://www.example.com";

fn main() {
    let model = FakeModel::start();
    let folder = std::env::temp_dir().join(format!("widgetd-measure-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a new folder");
    let server = Server::start(&folder, &model.url());
    println!("start to first answer   {:.1} ms", ms(server.started_in));
    println!("idle memory             {:.1} MiB", server.resident_mib());
    println!("binary                  {:.2} MB", std::fs::metadata(binary()).unwrap().len() as f64 / 1e6);
    first_tokens(&server, &model);
    events(&server, 1);
    events(&server, 50);
    drop(server);
    std::fs::remove_dir_all(folder).expect("the folder is ours");
}

fn binary() -> String {
    format!("{}/target/release/widgetd", env!("CARGO_MANIFEST_DIR"))
}

struct Server {
    child: Child,
    address: SocketAddr,
    started_in: Duration,
}

impl Server {
    fn start(folder: &Path, model_url: &str) -> Self {
        let config = folder.join("widget.toml");
        let text = format!(
            r#"
[limits]
init_per_address = "100000/1m"
messages_per_address = "100000/1m"
events_per_token = "100000/1s"
[server]
max_connections_per_address = 512
[budget]
event_bytes_per_day = "100 GiB"
agent_tokens_per_day = 1000000000
[[model]]
name = "fake"
url = "{model_url}"
model = "scripted"
[[agent]]
id = "demo"
name = "Demo"
allowed_origins = ["{ORIGIN}"]
models = ["fake"]
"#
        );
        std::fs::write(&config, text).unwrap();
        let begun = Instant::now();
        let mut child = Command::new(binary())
            .args(["--listen", "127.0.0.1:0", "--log", "warn"])
            .arg("--config")
            .arg(&config)
            .arg("--data")
            .arg(folder.join("data"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("run cargo build --release first");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).unwrap().trim().trim_end_matches('/').parse().unwrap();
        let mut client = Client::connect(address);
        client.send("GET", "/healthz", "", &Value::Null);
        client.answer();
        Self { child, address, started_in: begun.elapsed() }
    }

    fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    fn token(&self) -> String {
        let mut client = Client::connect(self.address);
        client.send("POST", "/v1/widget/init", &format!("Origin: {ORIGIN}\r\n"), &json!({"agent_id": "demo"}));
        client.answer()["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One keep-alive connection.
struct Client {
    reader: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_nodelay(true).unwrap();
        Self { reader: BufReader::new(socket), address }
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// A whole answer.
    fn answer(&mut self) -> Value {
        let mut length = 0;
        let mut status = String::new();
        loop {
            let mut line = String::new();
            self.reader.read_line(&mut line).unwrap();
            if status.is_empty() {
                status.clone_from(&line);
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).unwrap();
        assert!(status.contains(" 20"), "{status}{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    /// Until a line holds `text`; then to the end of the chunked answer.
    fn time_to(&mut self, text: &str, begun: Instant) -> Duration {
        let mut seen = None;
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "closed before {text}");
            if seen.is_none() && line.contains(text) {
                seen = Some(begun.elapsed());
            }
            if line == "0\r\n" {
                self.reader.read_line(&mut line).unwrap();
                return seen.unwrap_or_else(|| panic!("no {text}"));
            }
        }
    }
}

fn first_tokens(server: &Server, model: &FakeModel) {
    let model_address = model.url().split('/').nth(2).unwrap().parse().unwrap();
    let (mut direct, mut through) = (Client::connect(model_address), Client::connect(server.address));
    let (mut direct_times, mut through_times) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let headers = format!("Authorization: Bearer {}\r\n", server.token());
        let begun = Instant::now();
        direct.send("POST", "/v1/chat/completions", "", &json!({"messages": []}));
        direct_times.push(direct.time_to("\"content\":\"Hello", begun));
        let begun = Instant::now();
        through.send("POST", "/v1/widget/messages/stream", &headers, &json!({"content": "Hello?"}));
        through_times.push(through.time_to("\"text\":\"Hello", begun));
    }
    let mut added: Vec<_> = through_times.iter().zip(&direct_times).map(|(a, b)| a.saturating_sub(*b)).collect();
    for (name, times) in
        [("model alone", &mut direct_times), ("through widgetd", &mut through_times), ("added", &mut added)]
    {
        times.sort();
        let (median, p99) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
        println!("first token, {name:<15} median {:.2} ms, p99 {:.2} ms", ms(median), ms(p99));
    }
}

fn events(server: &Server, batch: usize) {
    let sent = AtomicU64::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..EVENT_CLIENTS {
            scope.spawn(|| {
                let headers = format!("Authorization: Bearer {}\r\n", server.token());
                let event = json!({"type": "scroll_trigger", "props": {"percent": 50}});
                let body = if batch == 1 { event } else { json!({"events": vec![event; batch]}) };
                let mut client = Client::connect(server.address);
                while begun.elapsed() < EVENT_TIME {
                    client.send("POST", "/v1/widget/events", &headers, &body);
                    client.answer();
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let a_second = sent.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    let events = a_second * batch as f64;
    println!(
        "durable events, {batch:>2} a request: {a_second:.0} requests/s, {events:.0} events/s, {EVENT_CLIENTS} connections"
    );
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
