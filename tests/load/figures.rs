//! The figures, each measured for the model alone, nginx and widgetd in turns, median of the rounds.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::client::{self, Seen, Slot};
use crate::servers::{self, Server, message};
use crate::stats::{median, quantile, row};

pub struct Bench<'a> {
    pub folder: &'a Path,
    pub rounds: usize,
    pub model: Server,
    pub nginx: Server,
    pub widgetd: Server,
}

/// Who is asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Via {
    Model,
    Nginx,
    Widgetd,
}

const ALL: [Via; 3] = [Via::Model, Via::Nginx, Via::Widgetd];

impl Via {
    const fn name(self) -> &'static str {
        match self {
            Self::Model => "model alone",
            Self::Nginx => "nginx",
            Self::Widgetd => "widgetd",
        }
    }
}

/// Streams to run at once.
struct Plan<'a> {
    streams: usize,
    /// Questions that each asks, one after another.
    asks: usize,
    directive: &'a str,
    /// Over which the streams' beginnings are spread.
    spread: Duration,
}

impl Bench<'_> {
    fn server(&self, via: Via) -> &Server {
        match via {
            Via::Model => &self.model,
            Via::Nginx => &self.nginx,
            Via::Widgetd => &self.widgetd,
        }
    }

    fn stream(&self, via: Via, plan: &Plan<'_>) -> Seen {
        let server = self.server(via);
        let slots = (0..plan.streams).map(|slot| Slot {
            requests: (0..plan.asks)
                .map(|_| message((via == Via::Widgetd).then(|| server.token()).as_deref(), plan.directive))
                .collect(),
            // By the golden ratio: evenly, and out of step with the pace of the tokens.
            delay: plan.spread.mul_f64((slot as f64 * 0.618_034).fract()),
            leave_after: None,
        });
        let slots = slots.collect();
        let seen = client::stream(server.address, marker(via), slots);
        assert_eq!(seen.failed, 0, "{}: {} answers of {} failed", via.name(), seen.failed, seen.answers + seen.failed);
        seen
    }

    /// Added to the model alone: the quantiles of each round less the model's of the same round.
    fn added(&self, plan: &Plan<'_>, of: fn(&Seen) -> &[f64]) -> Vec<(&'static str, String)> {
        let mut rounds = [(); 3].map(|()| (Vec::new(), Vec::new()));
        for _ in 0..self.rounds {
            for (index, via) in ALL.into_iter().enumerate() {
                let seen = self.stream(via, plan);
                rounds[index].0.push(quantile(of(&seen), 0.5) / 1e3);
                rounds[index].1.push(quantile(of(&seen), 0.99) / 1e3);
            }
        }
        let base = (median(&rounds[0].0), median(&rounds[0].1));
        let mut values = vec![("model alone", format!("{:.2} / {:.2} ms", base.0, base.1))];
        for (index, via) in ALL.into_iter().enumerate().skip(1) {
            let less = |mine: &[f64], other: &[f64]| {
                median(&mine.iter().zip(other).map(|(mine, other)| mine - other).collect::<Vec<_>>())
            };
            let (middle, high) = (less(&rounds[index].0, &rounds[0].0), less(&rounds[index].1, &rounds[0].1));
            values.push((via.name(), format!("+{middle:.2} / +{high:.2} ms")));
        }
        values
    }

    /// Median and p99 of the time to the first token.
    pub fn first_token(&self, think_us: u64) {
        for (streams, aim) in [(1, "≤ 0.3 / 1 ms"), (50, "≤ 0.35 / 2 ms"), (200, "≤ 0.5 / 2 ms")] {
            let plan = match streams {
                1 => {
                    Plan { streams, asks: 100, directive: &format!("bench:5:5000:{think_us}"), spread: Duration::ZERO }
                }
                _ => Plan {
                    streams,
                    asks: 4,
                    directive: &format!("bench:20:25000:{think_us}"),
                    spread: Duration::from_millis(500 + think_us / 1000),
                },
            };
            let figure = format!("first token added, {streams} streams, model thinks {} ms", think_us / 1000);
            row(&figure, aim, &self.added(&plan, |seen| &seen.first_us));
        }
    }

    /// How late a token is, 200 streams of 100 tokens a second.
    pub fn token_lag(&self) {
        let plan = Plan { streams: 200, asks: 1, directive: "bench:300:10000:0", spread: Duration::from_secs(1) };
        let mut rounds = [(); 3].map(|()| (Vec::new(), Vec::new(), Vec::new()));
        for _ in 0..self.rounds {
            for (index, via) in ALL.into_iter().enumerate() {
                let before = self.server(via).cpu_s();
                let seen = self.stream(via, &plan);
                rounds[index].0.push(quantile(&seen.lag_us, 0.5) / 1e3);
                rounds[index].1.push(quantile(&seen.lag_us, 0.99) / 1e3);
                rounds[index].2.push((self.server(via).cpu_s() - before) * 100_000.0 / seen.lag_us.len() as f64);
            }
        }
        let mut values = Vec::new();
        for (via, (middle, high, _)) in ALL.into_iter().zip(&rounds) {
            values.push((via.name(), format!("{:.2} / {:.2} ms", median(middle), median(high))));
        }
        row("lag of a token, 200 streams of 100 tokens/s", "≤ 0.4 / 2 ms", &values);
        let cpu: Vec<_> = ALL[1..]
            .iter()
            .zip(&rounds[1..])
            .map(|(via, round)| (via.name(), format!("{:.2} s", median(&round.2))))
            .collect();
        row("CPU for 100 000 tokens, paced", "≤ 2.0 s", &cpu);
    }

    /// Tokens a second, and what they cost, when nobody waits.
    pub fn full_speed(&self) {
        let plan = Plan { streams: 50, asks: 1, directive: "bench:4000:0:0", spread: Duration::ZERO };
        let mut rounds = [(); 3].map(|()| (Vec::new(), Vec::new()));
        for _ in 0..self.rounds {
            for (index, via) in ALL.into_iter().enumerate() {
                let before = self.server(via).cpu_s();
                let seen = self.stream(via, &plan);
                rounds[index].0.push(200_000.0 / seen.elapsed.as_secs_f64());
                rounds[index].1.push((self.server(via).cpu_s() - before) / 2.0);
            }
        }
        let speeds: Vec<_> =
            ALL.into_iter().zip(&rounds).map(|(via, round)| (via.name(), format!("{:.0}", median(&round.0)))).collect();
        row("tokens a second at full speed, 50 streams", "≥ 150 000", &speeds);
        let cpu: Vec<_> = ALL[1..]
            .iter()
            .zip(&rounds[1..])
            .map(|(via, round)| (via.name(), format!("{:.2} s", median(&round.1))))
            .collect();
        row("CPU for 100 000 tokens, full speed", "≤ 0.5 s", &cpu);
    }

    /// 2 000 streams at once, with `/init` beside them.
    pub fn many_streams(&self) {
        let plan = Plan { streams: 2000, asks: 1, directive: "bench:100:100000:0", spread: Duration::from_secs(3) };
        let (address, before) = (self.widgetd.address, self.widgetd.cpu_s());
        let probe = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(4));
            client::repeat(address, &[servers::init()], Duration::from_secs(5), Duration::from_millis(5))
        });
        let seen = self.stream(Via::Widgetd, &plan);
        let short = probe.join().expect("the prober");
        let cpu = (self.widgetd.cpu_s() - before) / seen.elapsed.as_secs_f64();
        row(
            "2 000 streams, a token each 100 ms",
            "/init p99 < 10 ms",
            &[
                ("held", format!("{}", seen.answers)),
                (
                    "/init",
                    format!(
                        "{:.2} / {:.2} ms",
                        quantile(&short.latency_us, 0.5) / 1e3,
                        quantile(&short.latency_us, 0.99) / 1e3
                    ),
                ),
                (
                    "token lag",
                    format!("{:.2} / {:.2} ms", quantile(&seen.lag_us, 0.5) / 1e3, quantile(&seen.lag_us, 0.99) / 1e3),
                ),
                ("of a core", format!("{:.0} %", cpu * 100.0)),
            ],
        );
    }

    /// Idle as a fresh `widget.toml` has it; with room for 200 streams, and those; with room for 1 000.
    pub fn memory(&self) {
        let idle = Server::widgetd(self.folder, "memory-64", self.model.address, 64).resident_mib();
        let few = Server::widgetd(self.folder, "memory-200", self.model.address, 200);
        let at_200 = self.resident_with(&few, 200);
        let many = Server::widgetd(self.folder, "memory-1000", self.model.address, 1000);
        let before = self.resident_with(&many, 200);
        let further = (self.resident_with(&many, 1000) - before) * 1024.0 / 800.0;
        row(
            "memory: idle / at 200 streams / each further",
            "≤ 12 / 25 MB / 64 KB",
            &[
                ("widgetd", format!("{idle:.1} / {at_200:.1} MiB / {further:.0} KiB")),
                ("nginx", format!("{:.1} MiB", self.nginx.resident_mib())),
            ],
        );
    }

    /// While each of so many streams speaks.
    fn resident_with(&self, server: &Server, streams: usize) -> f64 {
        let requests = server.tokens(streams).into_iter().map(|token| message(Some(&token), "bench:50:100000:0"));
        // Not all at once: a thousand would be more than the server lets wait.
        let slots = requests.enumerate().map(|(n, request)| Slot {
            requests: vec![request],
            delay: Duration::from_millis(2 * n as u64),
            leave_after: None,
        });
        let (slots, address) = (slots.collect(), server.address);
        let load = std::thread::spawn(move || client::stream(address, marker(Via::Widgetd), slots));
        let begun = std::time::Instant::now();
        while stats(self.model.address)[1] < streams as u64 {
            assert!(begun.elapsed() < Duration::from_secs(30), "not all of {streams} streams speak");
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(300)); // so that each has spoken
        let resident = server.resident_mib();
        assert_eq!(load.join().expect("the load").failed, 0);
        resident
    }

    pub fn short_requests(&self, server: &Server) {
        let requests = vec![servers::init(); 64];
        let mut rounds = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let before = server.cpu_s();
            let seen = client::repeat(server.address, &requests, Duration::from_secs(3), Duration::ZERO);
            rounds.0.push(seen.a_second());
            rounds.1.push((server.cpu_s() - before) * 1e6 / seen.ok() as f64);
        }
        row(
            "/init a second, 64 connections",
            "≥ 20 000; ≤ 30 µs CPU",
            &[("widgetd", format!("{:.0}; {:.0} µs", median(&rounds.0), median(&rounds.1)))],
        );
    }

    pub fn events(&self, server: &Server) {
        let event = r#"{"type":"scroll_trigger","props":{"percent":50}}"#;
        let mut values = Vec::new();
        for batch in [1, 50] {
            let body =
                if batch == 1 { event.into() } else { format!(r#"{{"events":[{}]}}"#, vec![event; batch].join(",")) };
            let requests: Vec<_> = server
                .tokens(64)
                .iter()
                .map(|token| servers::post("/v1/widget/events", &format!("Authorization: Bearer {token}\r\n"), &body))
                .collect();
            let rates: Vec<f64> = (0..self.rounds)
                .map(|_| client::repeat(server.address, &requests, Duration::from_secs(3), Duration::ZERO).a_second())
                .collect();
            let rate = median(&rates);
            values.push(if batch == 1 {
                ("requests/s", format!("{rate:.0}"))
            } else {
                ("events/s in batches of 50", format!("{:.0}", rate * 50.0))
            });
        }
        row("durable /events", "≥ 10 000; ≥ 100 000", &values);
    }

    pub fn size_and_start(&self) {
        let starts: Vec<f64> = (0..self.rounds)
            .map(|round| Server::widgetd(self.folder, &format!("start-{round}"), self.model.address, 64))
            .map(|server| server.started_in.as_secs_f64() * 1e3)
            .collect();
        let bytes = std::fs::metadata(servers::binary()).map_or(0, |file| file.len());
        row(
            "start to first answer; binary",
            "≤ 50 ms; ≤ 8 MB",
            &[("widgetd", format!("{:.0} ms; {:.2} MB", median(&starts), bytes as f64 / 1e6))],
        );
    }

    /// A hundred clients that hang up in the middle.
    pub fn vanishing(&self) {
        let before = stats(self.model.address);
        let slots =
            self.widgetd.tokens(100).iter().map(|token| message(Some(token), "bench:1000:50000:0")).collect::<Vec<_>>();
        let slots = slots.into_iter().map(|request| Slot {
            requests: vec![request],
            delay: Duration::ZERO,
            leave_after: Some(Duration::from_millis(700)),
        });
        client::stream(self.widgetd.address, marker(Via::Widgetd), slots.collect());
        let left_at = crate::clock_ns();
        let mut after = stats(self.model.address);
        for _ in 0..100 {
            if after[1] == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
            after = stats(self.model.address);
        }
        row(
            "model calls closed after the client left",
            "100 within 2 s",
            &[
                ("closed", format!("{}", after[2] - before[2])),
                ("the last after", format!("{:.0} ms", (after[3].saturating_sub(left_at)) as f64 / 1e6)),
            ],
        );
    }
}

/// Connections opened, answers under way, answers left, when the last was left.
fn stats(model: SocketAddr) -> [u64; 4] {
    let (_, body) = client::once(model, b"GET /stats HTTP/1.1\r\nHost: bench\r\n\r\n");
    let mut numbers = body.split(' ').map(|number| number.parse().unwrap_or(0));
    [(); 4].map(|()| numbers.next().unwrap_or(0))
}

/// What stands before a token's stamp.
const fn marker(via: Via) -> &'static str {
    match via {
        Via::Widgetd => "\"text\":\"",
        Via::Model | Via::Nginx => "\"content\":\"",
    }
}
