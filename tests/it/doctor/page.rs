//! What is wrong with the page, or with what `widget.toml` says of it.

use super::{Scene, page_with};
use crate::support::web::Told;

/// The page shows `html`; the one finding's line, put there instead, mends it.
#[track_caller]
fn mended(html: impl FnOnce(&Scene) -> String, id: &str) {
    let scene = Scene::start();
    scene.show(&html(&scene));
    let lines = scene.diagnosis().only(id, "error");
    scene.show(&lines[0]);
    scene.diagnosis().healthy();
}

#[test]
fn a_page_without_a_tag_gets_one() {
    mended(|_| "<p>Hello</p>".into(), "tag-missing");
}

#[test]
fn a_tag_inside_a_comment_is_not_taken_for_one() {
    mended(|scene| format!("<!-- {} -->", scene.tag()), "tag-in-comment");
}

#[test]
fn a_tag_inside_a_template_is_not_taken_for_one() {
    mended(|scene| format!("<template>{}</template>", scene.tag()), "tag-in-template");
}

#[test]
fn an_agent_that_is_misspelt_is_told_with_the_one_that_was_meant() {
    mended(|scene| scene.tag().replace("demo", "dmeo"), "agent-unknown");
}

#[test]
fn a_tag_of_another_server_is_told() {
    mended(|scene| scene.tag().replace(&scene.relay.origin(), "http://127.0.0.1:9"), "tag-other-server");
}

#[test]
fn a_script_at_a_wrong_path_is_told() {
    mended(|scene| scene.tag().replace("/widget.js", "/assets/widget.js"), "tag-path");
}

#[test]
fn an_integrity_of_another_version_is_told() {
    let wrong = "integrity=\"sha384-AAAA\" crossorigin async";
    mended(|scene| scene.tag().replace("/widget.js", &pinned()).replace("async", wrong), "integrity-mismatch");
}

#[test]
fn a_pinned_tag_without_crossorigin_is_told() {
    let whole = tag_that_check_pins();
    let integrity = whole.split('"').find(|word| word.starts_with("sha384-")).unwrap().to_owned();
    let attribute = format!("integrity=\"{integrity}\" async");
    mended(
        |scene| scene.tag().replace("/widget.js", &pinned()).replace("async", &attribute),
        "integrity-without-crossorigin",
    );
}

/// The path of the script that never changes.
fn pinned() -> String {
    let whole = tag_that_check_pins();
    let at = whole.find("/w/").unwrap();
    whole[at..].split('"').next().unwrap().to_owned()
}

fn tag_that_check_pins() -> String {
    let scene = Scene::start();
    let told = String::from_utf8(scene.run(&["check"]).stdout).unwrap();
    told.lines().find(|line| line.contains("pinned") && line.contains("demo")).unwrap().to_owned()
}

#[test]
fn a_tag_for_a_site_elsewhere_needs_a_public_url() {
    let scene = Scene::with(|config| {
        config.unset("server", "public_url").unset("server", "trusted_proxies");
    });
    let report = scene.ask("http://nowhere.invalid/");
    assert!(report.ids().contains(&"public-url-missing"), "{:#}", report.document);
}

#[test]
fn of_a_page_that_was_seen_in_part_it_is_not_said_that_it_has_no_tag() {
    let scene = Scene::start();
    scene.show(&format!("{}{}", "x".repeat(4 << 20), scene.tag()));
    let report = scene.diagnosis();
    assert_eq!((report.ids(), report.code), (vec!["page-too-large", "tag-missing"], 0), "{:#}", report.document);
}

#[test]
fn a_second_tag_is_a_warning() {
    let scene = Scene::start();
    scene.show(&format!("{0}{0}", scene.tag()));
    scene.diagnosis().only("tag-twice", "warning");
}

#[test]
fn a_tag_manager_that_may_insert_the_tag_is_no_error() {
    let scene = Scene::start();
    scene.show("<script src=\"https://www.googletagmanager.com/gtm.js?id=GTM-1\" async></script>");
    let report = scene.diagnosis();
    report.only("tag-missing", "warning");
    assert!(report.document["findings"][0]["found"].as_str().unwrap().contains("tag manager"));
}

#[test]
fn an_origin_that_is_not_allowed_gets_the_line_that_allows_it() {
    let mut scene = Scene::with(|config| {
        config.agent("demo").origins(&["https://shop.internal"]);
    });
    let lines = scene.diagnosis().only("origin-not-allowed", "error");
    scene.follow("allowed_origins", &lines[0]);
    scene.diagnosis().healthy();
}

#[test]
fn the_origin_at_the_end_of_redirects_is_the_one_that_counts() {
    let mut scene = Scene::start();
    let there = format!("http://localhost:{}/shop?a=b", scene.web.port());
    scene.web.tell("/shop?a=b", Told::html(&page_with(&scene.tag())));
    scene.web.tell("/old", Told::redirect("/older"));
    scene.web.tell("/older", Told::redirect(&there));
    let address = format!("{}/old", scene.web.origin());
    let report = scene.ask(&address);
    let lines = report.only("origin-not-allowed", "error");
    assert_eq!(report.document["page"], there);
    assert!(lines[0].contains(&format!("\"http://localhost:{}\"", scene.web.port())), "{lines:?}");
    scene.follow("allowed_origins", &lines[0]);
    scene.ask(&address).healthy();
}

#[test]
fn a_look_alike_of_an_allowed_origin_is_named() {
    let scene = Scene::start();
    let page = format!("http://127.0.0.1:{}", scene.web.port());
    let mut scene = scene;
    let alike = page.replace("http:", "https:");
    scene.reload(|config| {
        config.agent("demo").origins(&[&alike]);
    });
    let report = scene.diagnosis();
    report.only("origin-not-allowed", "error");
    let found = report.document["findings"][0]["found"].as_str().unwrap();
    assert!(found.contains(&alike) && found.contains("scheme"), "{found}");
}

#[test]
fn a_path_on_which_the_widget_is_hidden_is_told() {
    let mut scene = Scene::with(|config| {
        config.agent("demo").set("restricted_paths", "[\"/checkout*\", \"/admin\"]");
    });
    scene.web.tell("/checkout/pay", Told::html(&page_with(&scene.tag())));
    let page = format!("{}/checkout/pay", scene.web.origin());
    scene.diagnosis().healthy();
    let lines = scene.ask(&page).only("path-restricted", "error");
    assert_eq!(lines, ["restricted_paths = [\"/admin\"]"]);
    scene.follow("restricted_paths", &lines[0]);
    scene.ask(&page).healthy();
}

#[test]
fn a_policy_that_blocks_the_script_and_its_calls_gets_the_lines_that_let_them_in() {
    let scene = Scene::start();
    let tell = |policy: &str| {
        let header = format!("Content-Security-Policy: {policy}");
        scene.web.tell("/", Told::html(&page_with(&scene.tag())).header(&header));
    };
    tell("default-src 'self'; img-src *");
    let report = scene.diagnosis();
    assert_eq!((report.ids(), report.code), (vec!["csp-script", "csp-connect"], 1));
    let lines: Vec<_> = (0..2).map(|at| report.document["findings"][at]["lines"][0].as_str().unwrap()).collect();
    tell(&format!("default-src 'self'; img-src *; {}", lines.join("; ")));
    scene.diagnosis().healthy();
}

#[test]
fn a_policy_of_a_meta_element_counts_as_one_of_a_header() {
    let scene = Scene::start();
    let with = |policy: &str| {
        let meta = format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">");
        scene.show(&format!("{meta}{}", scene.tag()));
    };
    with("connect-src 'none'");
    let lines = scene.diagnosis().only("csp-connect", "error");
    with(&lines[0]);
    scene.diagnosis().healthy();
}

#[test]
fn a_policy_that_only_reports_is_a_note() {
    let scene = Scene::start();
    let header = "Content-Security-Policy-Report-Only: script-src 'self'";
    scene.web.tell("/", Told::html(&page_with(&scene.tag())).header(header));
    scene.diagnosis().only("csp-report-only", "note");
}

#[test]
fn a_page_that_cannot_be_had_is_told_in_plain_words() {
    let scene = Scene::start();
    let told = |url: &str| {
        let report = scene.ask(url);
        let finding = &report.document["findings"][0];
        (finding["id"].as_str().unwrap().to_owned(), finding["found"].as_str().unwrap().to_owned())
    };
    let (id, found) = told(&format!("{}/nowhere", scene.web.origin()));
    assert!(id == "page-status" && found.contains("404"), "{found}");
    let (id, found) = told("http://127.0.0.1:9/");
    assert!(id == "page-unreachable" && found.contains("nothing listens"), "{found}");
    let (id, found) = told("http://nowhere.invalid/");
    assert!(id == "page-unreachable" && found.contains("nowhere.invalid is not known"), "{found}");
    scene.web.tell("/a.pdf", Told::new("200 OK\r\nContent-Type: application/pdf", ""));
    assert_eq!(told(&format!("{}/a.pdf", scene.web.origin())).0, "page-not-html");
    scene.web.tell("/round", Told::redirect("/round"));
    assert_eq!(told(&format!("{}/round", scene.web.origin())).0, "page-redirects");
}

#[test]
fn a_clock_that_is_wrong_is_told() {
    let scene = Scene::start();
    let header = "Date: Sun, 06 Nov 1994 08:49:37 GMT";
    scene.web.tell("/", Told::html(&page_with(&scene.tag())).header(header));
    let lines = scene.diagnosis().only("clock-off", "warning");
    assert_eq!(lines, ["timedatectl set-ntp true"]);
}
