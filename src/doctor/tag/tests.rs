use proptest::prelude::*;

use super::*;

const RIGHT: &str = "<script src=\"https://chat.example.com/widget.js\" data-agent-id=\"acme\" async></script>";

fn judge_on(page: &str, html: &str, is_public: bool, wanted: Option<&str>) -> (Option<Tag>, Vec<Finding>) {
    let origin = |text| Origin::parse(text).unwrap();
    let server = origin(if is_public { "https://chat.example.com" } else { "http://127.0.0.1:8080" });
    let own = [server.clone(), origin("http://localhost:8080")];
    let known = Known { server: &server, is_public, own: &own, agents: vec!["acme", "support"], wanted };
    let mut findings = Vec::new();
    let tag = judge(&Markup::parse(html), &Url::parse(page).unwrap(), &known, &mut findings);
    (tag, findings)
}

fn ids(html: &str) -> Vec<&'static str> {
    judge_on("https://www.example.com/shop", html, true, None).1.into_iter().map(|finding| finding.id).collect()
}

#[track_caller]
fn check(html: &str, expected: &[&str]) {
    assert_eq!(ids(html), expected, "{html}");
}

#[test]
fn all_three_ways_of_naming_the_agent_are_understood() {
    for html in [
        RIGHT,
        "<script src=https://chat.example.com/widget.js?agent=acme async></script>",
        "<script>window.widgetdSettings = {agentId: \"acme\"};</script><script src=https://chat.example.com/widget.js></script>",
        "<script>window.widgetdSettings={'agentId':'acme'}</script><script src=https://chat.example.com/widget.js></script>",
        "<script>widgetdSettings.agentId = `acme`</script><script src=https://chat.example.com/widget.js></script>",
        "<base href=https://chat.example.com/><script src=widget.js data-agent-id=acme></script>",
        "<script type=text/javascript src=//chat.example.com/widget.js data-agent-id=acme></script>",
        "<script type=module src=https://chat.example.com/widget.js data-agent-id=acme></script>",
    ] {
        check(html, &[]);
        let (tag, _) = judge_on("https://www.example.com/shop", html, true, None);
        assert_eq!(tag.unwrap().agent.as_deref(), Some("acme"), "{html}");
    }
    check(&widget::pinned_tag("https://chat.example.com", "acme"), &[]);
}

#[test]
fn a_tag_that_is_not_there_or_not_run_is_told() {
    check("<p>Hello</p>", &["tag-missing"]);
    check("<script src=/site.js></script>", &["tag-missing"]);
    check(&format!("<!-- {RIGHT} -->"), &["tag-in-comment"]);
    check(&format!("<noscript>{RIGHT}</noscript>"), &["tag-in-noscript"]);
    check(&format!("<template>{RIGHT}</template>"), &["tag-in-template"]);
    check(&format!("<!-- {RIGHT} -->{RIGHT}"), &[]);
    check(&RIGHT.replace("async", "nomodule"), &["tag-nomodule"]);
    check(&RIGHT.replace("async", "type=text/plain"), &["tag-held-back"]);
    check("<script type=module src=https://chat.example.com/widget.js?agent=acme></script>", &["tag-module"]);
    let inserted = "<script>s.src = 'https://chat.example.com/widget.js'; s.dataset.agentId = 'acme'</script>";
    check(inserted, &["tag-inserted"]);
}

#[test]
fn a_tag_manager_makes_the_missing_tag_a_warning() {
    let html = "<script src=https://www.googletagmanager.com/gtm.js?id=GTM-1></script>";
    let (_, findings) = judge_on("https://www.example.com/", html, true, None);
    assert_eq!((findings[0].id, findings[0].severity), ("tag-missing", crate::doctor::Severity::Warning));
}

#[test]
fn a_tag_that_is_wrong_is_told() {
    check(&format!("{RIGHT}{RIGHT}"), &["tag-twice"]);
    check(&RIGHT.replace("acme", ""), &["agent-missing"]);
    check("<script src=https://chat.example.com/widget.js></script>", &["agent-missing"]);
    check(&RIGHT.replace("acme", "acne"), &["agent-unknown"]);
    check(&RIGHT.replace("chat.", "old."), &["tag-other-server"]);
    check(&RIGHT.replace("/widget.js", "/static/widget.js"), &["tag-path"]);
    check(&RIGHT.replace("/widget.js", "/widgets.js"), &["tag-path"]);
    check(&RIGHT.replace("/widget.js", "/w/0123456789abcdef/widget.js"), &["tag-pinned-old"]);
    check(&RIGHT.replace("https:", "http:"), &["tag-mixed-content"]);
    check(&RIGHT.replace("https://chat.example.com", "http://localhost:8080"), &["tag-on-loopback"]);
    let late =
        "<script src=https://chat.example.com/widget.js></script><script>widgetdSettings={agentId:'acme'}</script>";
    check(late, &["settings-after-tag"]);
}

#[test]
fn an_integrity_that_browsers_would_refuse_is_told() {
    let pinned = widget::pinned_tag("https://chat.example.com", "acme");
    check(&pinned.replace("sha384-", "sha384-A"), &["integrity-mismatch"]);
    check(&pinned.replace(" crossorigin=\"anonymous\"", ""), &["integrity-without-crossorigin"]);
    check(&pinned.replace(&format!("/w/{}", widget::hash()), ""), &["integrity-unpinned"]);
    check(&pinned.replace("sha384-", "sha1-"), &[]);
    let (_, findings) =
        judge_on("https://chat.example.com/", &pinned.replace(" crossorigin=\"anonymous\"", ""), true, None);
    assert_eq!(findings, [], "of its own origin a script may be compared");
}

#[test]
fn the_line_that_mends_a_tag_is_a_right_tag() {
    for wrong in [
        String::new(),
        format!("<!-- {RIGHT} -->"),
        RIGHT.replace("acme", "acne"),
        RIGHT.replace("chat.", "old."),
        RIGHT.replace("/widget.js", "/w/0123456789abcdef/widget.js"),
        RIGHT.replace("https:", "http:"),
        widget::pinned_tag("https://chat.example.com", "acme").replace("sha384-", "sha384-A"),
    ] {
        let (_, findings) = judge_on("https://www.example.com/shop", &wrong, true, None);
        check(&findings[0].lines[0], &[]);
    }
}

#[test]
fn without_a_public_url_the_tag_tells_it() {
    let (_, findings) = judge_on("https://www.example.com/", RIGHT, false, None);
    assert_eq!(
        (findings[0].id, &*findings[0].lines[0]),
        ("public-url-unknown", "public_url = \"https://chat.example.com\"")
    );
    let local = RIGHT.replace("https://chat.example.com", "http://localhost:8080");
    assert_eq!(judge_on("http://localhost:3000/", &local, false, None).1, []);
}

#[test]
fn the_agent_that_the_caller_wants_is_compared() {
    let (_, findings) = judge_on("https://www.example.com/", RIGHT, true, Some("support"));
    assert_eq!(findings[0].id, "agent-other");
    assert!(findings[0].lines[0].contains("\"support\""));
}

proptest! {
    /// A page is what others write.
    #[test]
    fn no_page_makes_it_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                "\\PC{0,8}",
                Just("<script ".to_owned()),
                Just("src=https://chat.example.com/widget.js".to_owned()),
                Just("</script>".to_owned()),
                Just("<!--".to_owned()),
                Just("-->".to_owned()),
                Just("<template>".to_owned()),
                Just("</noscript>".to_owned()),
                Just("widgetdSettings".to_owned()),
                Just("agentId:'".to_owned()),
                Just("<base href=".to_owned()),
                Just(">".to_owned()),
            ],
            0..20,
        )
    ) {
        judge_on("https://www.example.com/", &pieces.concat(), true, None);
    }
}
