//! What went wrong once, each with its symptom.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::config::Config;
use crate::support::server::{Folder, widgetd};

/// `widgetd | head -1` killed it: the second line that it printed found nobody to read it.
#[test]
fn a_standard_output_that_is_closed_does_not_stop_the_server() {
    let folder = Folder::new();
    folder.write("widget.toml", &Config::new("http://127.0.0.1:9/v1").to_toml());
    let mut child = widgetd()
        .args(["--listen", "127.0.0.1:0", "--config"])
        .arg(folder.path().join("widget.toml"))
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap(); // and closes it
    let address = line.split("http://").nth(1).unwrap().trim().trim_end_matches('/');
    for _ in 0..5 {
        crate::support::client::Connection::open(address.parse().unwrap());
    }
    let is_running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_running, "it stopped after {line}");
}
