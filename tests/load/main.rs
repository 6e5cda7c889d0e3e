//! Measures the release build on this machine, beside the model alone and nginx, in turns, in one run.
//!
//! `scripts/bench.sh` builds all and runs it. `cargo run --release --example measure -- [--rounds N] [FIGURE…]` measures some of
//! it: `first-token`, `lag`, `full-speed`, `many`, `memory`, `init`, `events`, `history`, `vanish`, `start`. A line of the table is
//! printed as soon as it is known. `-- soak SECONDS` is another thing: see `scripts/soak.sh`.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a tool for developers
#![allow(unreachable_pub)]

mod client;
mod figures;
mod history;
mod model;
mod servers;
mod soak;
mod stats;

use figures::Bench;
use servers::Server;

/// The clock that tokens are stamped with, the same in every process.
fn clock_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("after boot")
}

fn main() {
    let mut rounds = 5;
    let mut figures = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "model" => model::main(),
            "--rounds" => rounds = arguments.next().and_then(|text| text.parse().ok()).expect("--rounds N"),
            figure => figures.push(figure.to_owned()),
        }
    }
    raise_descriptor_limit();
    let is_soak = figures.first().is_some_and(|figure| figure == "soak");
    let folder = std::env::temp_dir().join(format!("widgetd-bench-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a new folder");
    let is_well = if is_soak {
        let seconds = figures.get(1).map_or(120, |text| text.parse().expect("soak SECONDS"));
        soak::run(&folder, std::time::Duration::from_secs(seconds))
    } else {
        measure(&folder, rounds, &figures);
        true
    };
    std::fs::remove_dir_all(folder).expect("the folder is ours");
    if !is_well {
        std::process::exit(1);
    }
}

fn measure(folder: &std::path::Path, rounds: usize, figures: &[String]) {
    let model = Server::model();
    let nginx = Server::nginx(folder, model.address);
    let widgetd = Server::widgetd(folder, "main", model.address, 2100);
    let bench = Bench { folder, rounds, model, nginx, widgetd };
    let wanted = |name: &str| figures.is_empty() || figures.iter().any(|figure| figure == name);
    println!("| figure | aim | measured, median of {rounds} rounds |\n|---|---|---|");
    if wanted("start") {
        bench.size_and_start();
    }
    if wanted("first-token") {
        bench.first_token(0);
        bench.first_token(20_000);
    }
    if wanted("lag") {
        bench.token_lag();
    }
    if wanted("full-speed") {
        bench.full_speed();
    }
    if wanted("many") {
        bench.many_streams();
    }
    if wanted("memory") {
        bench.memory();
    }
    if wanted("init") {
        bench.short_requests(&bench.widgetd);
    }
    if wanted("events") {
        bench.events(&bench.widgetd);
    }
    if wanted("history") {
        history::measure(folder, &bench.model, rounds);
    }
    if wanted("vanish") {
        bench.vanishing();
    }
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a limit of open files");
}
