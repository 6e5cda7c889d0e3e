use proptest::prelude::*;

use super::*;

const SCRIPT: &str = "https://chat.example.com/widget.js";

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Whether a page on `page` with this policy may load `script` by a plain tag.
fn allows(policy: &str, page: &str, script: &str) -> bool {
    let script = ScriptRequest { url: &url(script), nonce: None, integrity: None };
    Policy::parse(policy).allows_script(&script, &url(page))
}

#[test]
fn a_script_is_allowed_by_the_nearest_directive() {
    for (policy, expected) in [
        ("", true),
        ("img-src 'none'", true),
        ("default-src *", true),
        ("default-src 'self'", false),
        ("default-src 'none'; script-src https://chat.example.com", true),
        ("default-src https://chat.example.com; script-src 'self'", false),
        ("script-src 'self'; script-src-elem https://chat.example.com", true),
        ("script-src https://chat.example.com; script-src-elem 'self'", false),
        ("script-src", false),
        ("script-src 'none'", false),
        ("SCRIPT-SRC HTTPS://CHAT.EXAMPLE.COM", true),
        ("script-src 'self'; script-src *", false),
        (" ; ;script-src  chat.example.com ;", true),
        ("script-src 'unsafe-inline' 'unsafe-eval'", false),
    ] {
        assert_eq!(allows(policy, "https://www.example.com/", SCRIPT), expected, "{policy}");
    }
}

#[test]
fn a_source_matches_as_browsers_match_it() {
    let http = "http://www.example.com/";
    let https = "https://www.example.com/";
    for (source, page, script, expected) in [
        ("*", https, SCRIPT, true),
        ("https:", https, SCRIPT, true),
        ("http:", https, SCRIPT, true),
        ("https:", https, "http://chat.example.com/widget.js", false),
        ("data:", https, SCRIPT, false),
        ("chat.example.com", https, SCRIPT, true),
        ("chat.example.com", http, SCRIPT, true),
        ("chat.example.com", https, "http://chat.example.com/widget.js", false),
        ("http://chat.example.com", https, SCRIPT, true),
        ("https://chat.example.com", http, "http://chat.example.com/widget.js", false),
        ("*.example.com", https, SCRIPT, true),
        ("*.example.com", https, "https://a.b.example.com/widget.js", true),
        ("*.example.com", https, "https://example.com/widget.js", false),
        ("*.example.com", https, "https://evilexample.com/widget.js", false),
        ("*.chat.example.com", https, SCRIPT, false),
        ("example.com", https, SCRIPT, false),
        ("https://chat.example.com:443", https, SCRIPT, true),
        ("https://chat.example.com:8443", https, SCRIPT, false),
        ("https://chat.example.com:*", https, "https://chat.example.com:8443/widget.js", true),
        ("https://chat.example.com", https, "https://chat.example.com:8443/widget.js", false),
        ("http://chat.example.com:80", https, SCRIPT, true),
        ("http://localhost:8080", "http://localhost:3000/", "http://localhost:8080/widget.js", true),
        ("http://[::1]:8080", "http://[::1]:3000/", "http://[::1]:8080/widget.js", true),
        ("http://[::1]", "http://[::1]:3000/", "http://[::1]:8080/widget.js", false),
        ("127.0.0.1:8080", "http://localhost:3000/", "http://127.0.0.1:8080/widget.js", true),
        ("https://chat.example.com/", https, SCRIPT, true),
        ("https://chat.example.com/widget.js", https, SCRIPT, true),
        ("https://chat.example.com/widget%2Ejs", https, SCRIPT, true),
        ("https://chat.example.com/widget", https, SCRIPT, false),
        ("https://chat.example.com/w/", https, SCRIPT, false),
        ("https://chat.example.com/w/", https, "https://chat.example.com/w/ab/widget.js", true),
        ("'self'", "https://chat.example.com/shop", SCRIPT, true),
        ("'self'", "http://chat.example.com/shop", SCRIPT, true),
        ("'self'", https, SCRIPT, false),
        ("'self'", "https://chat.example.com:8443/", SCRIPT, false),
        ("'SELF'", "https://chat.example.com/", SCRIPT, true),
        ("self", https, SCRIPT, false),
        ("'none'", https, SCRIPT, false),
        ("'nonce-abc'", https, SCRIPT, false),
        ("'strict-dynamic' *", https, SCRIPT, false),
    ] {
        assert_eq!(allows(&format!("script-src {source}"), page, script), expected, "{source} on {page}: {script}");
    }
}

#[test]
fn nonces_and_digests_let_a_script_in() {
    for (policy, nonce, integrity, expected) in [
        ("script-src 'nonce-abc'", Some("abc"), None, true),
        ("script-src 'Nonce-abc'", Some("abc"), None, true),
        ("script-src 'nonce-abc'", Some("ABC"), None, false),
        ("script-src 'nonce-'", Some(""), None, false),
        ("script-src 'nonce-abc' 'strict-dynamic'", Some("abc"), None, true),
        ("script-src 'nonce-abc' 'strict-dynamic' https:", None, None, false),
        ("script-src 'sha384-xyz='", None, Some("sha384-xyz="), true),
        ("script-src 'sha384-x-_='", None, Some("sha384-x+/="), true),
        ("script-src 'sha384-xyz='", None, Some("sha384-xyz= sha384-other="), false),
        ("script-src 'sha384-xyz='", None, None, false),
        ("script-src 'sha384-xyz='", None, Some(" "), false),
    ] {
        let script = ScriptRequest { url: &url(SCRIPT), nonce, integrity };
        let found = Policy::parse(policy).allows_script(&script, &url("https://www.example.com/"));
        assert_eq!(found, expected, "{policy} {nonce:?} {integrity:?}");
    }
}

#[test]
fn calls_and_pictures_have_directives_of_their_own() {
    let page = url("https://www.example.com/");
    let call = url("https://chat.example.com/v1/widget/init");
    for (policy, connects, shows) in [
        ("default-src 'self'", false, false),
        ("default-src 'self'; connect-src https://chat.example.com", true, false),
        ("default-src 'self'; img-src *", false, true),
        ("connect-src https://chat.example.com/v1/", true, true),
        ("script-src 'none'", true, true),
        ("default-src https://chat.example.com; connect-src 'self'", false, true),
    ] {
        let policy_read = Policy::parse(policy);
        assert_eq!(policy_read.allows(Kind::Connect, &call, &page), connects, "{policy}");
        assert_eq!(policy_read.allows(Kind::Image, &call, &page), shows, "{policy}");
    }
}

#[test]
fn the_line_that_mends_a_policy_is_made_of_its_own() {
    for (policy, kind, expected) in [
        ("script-src 'self'", Kind::Script, "script-src 'self' S"),
        ("script-src 'none'", Kind::Script, "script-src S"),
        ("script-src", Kind::Script, "script-src S"),
        ("script-src-elem a; script-src b", Kind::Script, "script-src-elem a S"),
        ("default-src 'self' data:", Kind::Connect, "connect-src 'self' data: S"),
        ("default-src 'none'", Kind::Image, "img-src S"),
    ] {
        assert_eq!(Policy::parse(policy).line_with(kind, "S"), expected, "{policy}");
    }
}

#[test]
fn a_header_may_hold_several_policies() {
    let policies = Policy::parse_list("script-src 'self', default-src *, ,");
    assert_eq!(policies.len(), 2);
    assert_eq!(policies[1].line(Kind::Script).as_deref(), Some("default-src *"));
}

proptest! {
    #[test]
    fn no_policy_makes_it_panic(text in "(script-src|default-src)( ['*a-z:/.%é\\[\\]0-9-]{0,12}){0,4}|\\PC{0,40}") {
        for policy in Policy::parse_list(&text) {
            let page = url("https://www.example.com/");
            let script = ScriptRequest { url: &url(SCRIPT), nonce: Some("a"), integrity: Some("sha384-a") };
            policy.allows_script(&script, &page);
            for kind in [Kind::Script, Kind::Connect, Kind::Image] {
                policy.allows(kind, script.url, &page);
                let mended = Policy::parse(&policy.line_with(kind, "https://chat.example.com"));
                prop_assert!(policy.is_strict_dynamic() || mended.allows(kind, script.url, &page), "{text}");
            }
        }
    }
}
