//! What went wrong once, each with its symptom.

use std::process::Stdio;

use crate::support::config::Config;
use crate::support::server::{Folder, widgetd};

/// `widgetd check | head -1` panicked: what it printed found nobody to read it.
#[test]
fn a_standard_output_that_is_closed_is_no_failure() {
    let folder = Folder::new();
    folder.write("widget.toml", &Config::new("http://127.0.0.1:9/v1").to_toml());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = widgetd()
        .args(["check", "--config"])
        .arg(folder.path().join("widget.toml"))
        .stdout(Stdio::from(writer))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
