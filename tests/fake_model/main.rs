//! The scripted model server as a program, to try widgetd against without a model.
//!
//! `cargo run --example fake-model -- [PORT] [TOKENS] [PAUSE_MS] [PIECE]…`: answers every question on 127.0.0.1:PORT
//! (8081) with so many words (40), one each PAUSE_MS (50); or with these pieces, in turn.

#![allow(clippy::unwrap_used, clippy::expect_used)] // part of the tests

#[path = "mod.rs"]
mod fake_model;

use std::time::Duration;

use fake_model::{FakeModel, Step, done, finish, head, last_chunk, token, usage};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(default, |text| text.parse().expect("a whole number"));
    let (port, tokens, pause) = (number(8081), number(40), Duration::from_millis(number(50)));
    let pieces: Vec<String> = arguments.collect();
    let model = FakeModel::start_on(&format!("127.0.0.1:{port}"));
    model.always(move |_| {
        let mut script = vec![head()];
        let mut words = pieces.iter().cycle();
        for number in 0..tokens {
            let word = words.next().cloned().unwrap_or_else(|| format!("word{number} "));
            script.extend([token(&word), Step::Pause(pause)]);
        }
        script.extend([finish("stop"), usage(20, tokens), done(), last_chunk()]);
        script
    });
    println!("a scripted model listens on {}", model.url());
    loop {
        std::thread::park();
    }
}
