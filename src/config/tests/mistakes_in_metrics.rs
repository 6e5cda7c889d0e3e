//! One mistake each in what `[admin]` says of the metrics.

use super::*;

/// The complaints about these lines of `[admin]`, which begin in line 2.
fn check(lines: &[&str], expected: &str) {
    let text = format!("[admin]\n{}\n{AGENT}", lines.join("\n"));
    assert_eq!(complaints(&text), [expected], "about:\n{text}");
}

fn warnings(lines: &[&str]) -> Vec<String> {
    good(&format!("[admin]\n{}\n{AGENT}", lines.join("\n"))).warnings
}

const LISTEN: &str = "listen = \"127.0.0.1:8081\"";
const TOKEN: &str = "metrics_token_env = \"METRICS_TOKEN\"";

#[test]
fn a_token_that_can_be_guessed_or_not_be_sent_is_refused_without_showing_it() {
    check(
        &[LISTEN, "metrics_token_env = \"GOOD_KEY\""],
        "3 admin.metrics_token_env: \"GOOD_KEY\" gives a token that is no line of ASCII of at least 16 characters; make \
         one with: openssl rand -hex 32",
    );
    check(
        &[LISTEN, "metrics_token_env = \"BROKEN_KEY\""],
        "3 admin.metrics_token_env: \"BROKEN_KEY\" gives a token that is no line of ASCII of at least 16 characters; make \
         one with: openssl rand -hex 32",
    );
    check(
        &[LISTEN, "metrics_token = \"0123456789abcdef\""],
        "3 admin.metrics_token: a token does not stand in this file; put it in a variable and write metrics_token_env = \
         \"METRICS_TOKEN\", or in a file and write metrics_token_file = \"metrics.token\"",
    );
    check(
        &[LISTEN, TOKEN, "metrics_token_file = \"metrics.token\""],
        "4 admin.metrics_token_file: metrics_token_env and metrics_token_file are both set; take one out",
    );
}

#[test]
fn who_listens_beyond_this_machine_without_a_token_is_told_what_to_write() {
    let [warning] = &warnings(&["listen = \"0.0.0.0:8081\""])[..] else { panic!("one warning") };
    assert!(warning.contains("admin.metrics_token_env: not set, and [admin] listens beyond this machine"), "{warning}");
    assert!(warning.contains("write metrics_token_env = \"METRICS_TOKEN\""), "{warning}");
    for lines in [&[LISTEN][..], &[LISTEN, TOKEN], &["listen = \"0.0.0.0:8081\"", TOKEN], &["listen = \"[::1]:8081\""]]
    {
        assert_eq!(warnings(lines), [""; 0], "{lines:?}");
    }
}

#[test]
fn a_token_without_an_address_opens_nothing_and_says_so() {
    let [warning] = &warnings(&[TOKEN])[..] else { panic!("one warning") };
    assert!(warning.contains("admin.metrics_token_env: opens nothing"), "{warning}");
    assert!(warning.contains("listen = \"127.0.0.1:8081\""), "{warning}");
}
