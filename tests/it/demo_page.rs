//! The demo page: a shop of several pages with the widget on it, under a strict policy, while the agent `demo` is configured.

use std::path::Path;

use crate::support::config::Agent;
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

const PATHS: [&str; 4] = ["/", "/products", "/pricing", "/checkout"];

/// The paths of all files of the site but its page, and of the widget's words, as they are served.
fn file_paths() -> Vec<String> {
    let widget = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/widget");
    let mut paths = paths_below(&widget.join("site"), "/site");
    paths.retain(|path| path != "/site/index.html");
    paths.extend(paths_below(&widget.join("words"), "/site/words"));
    assert!(paths.len() > 10, "{paths:?}");
    paths
}

/// The files in `root` and its folders, by their paths below `prefix`.
fn paths_below(root: &Path, prefix: &str) -> Vec<String> {
    let mut folders = vec![root.to_owned()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                paths.push(format!("{prefix}/{}", path.strip_prefix(root).unwrap().display()));
            }
        }
    }
    paths
}

/// The values of an attribute in the page.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    html.split(&format!(" {attribute}=\"")).skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

#[test]
fn the_demo_page_and_its_files_are_there_while_the_demo_agent_is() {
    let site = SITE.get();
    let without = Site::with(|config| {
        config.remove_agent("demo");
    });
    for path in file_paths().iter().map(String::as_str).chain(PATHS) {
        let response = site.get(path);
        assert_eq!(response.status, 200, "{path}");
        assert_eq!(response.must("X-Content-Type-Options"), "nosniff", "{path}");
        let content_type = match path.rsplit_once('.') {
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "json")) => "application/json; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        assert_eq!(response.must("Content-Type"), content_type, "{path}");
        without.get(path).refused(404, "not_found");
    }
    without.get("/healthz").expect(200);
}

#[test]
fn without_an_agent_demo_it_shows_the_first_that_its_own_pages_may_use() {
    let site = Site::with(|config| {
        config.remove_agent("demo");
        config.add_agent(Agent::new("elsewhere", "https://a.example"));
        config.add_agent(Agent::new("here", "self"));
        config.add_agent(Agent::new("here-too", "self"));
    });
    assert_eq!(values(&site.get("/").text(), "data-agent-id"), ["here"]);
    assert_eq!(values(&site.get("/pricing").text(), "data-agent-id"), ["here"]);
    assert_eq!(site.get("/site/site.js").status, 200);
    assert_eq!(values(&SITE.get().get("/").text(), "data-agent-id"), ["demo"]);
}

#[test]
fn its_policy_allows_neither_inline_code_nor_html_from_text() {
    let site = SITE.get();
    for path in PATHS {
        let page = site.get(path);
        let policy = page.must("Content-Security-Policy");
        for part in ["default-src 'none'", "script-src 'self';", "require-trusted-types-for 'script'"] {
            assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
        }
        let html = page.text();
        for tag in ["<style", "<script>", " onclick=", " style="] {
            assert!(!html.contains(tag), "its own policy forbids {tag}");
        }
    }
}

#[test]
fn everything_that_the_page_names_is_served_by_the_same_server() {
    let site = SITE.get();
    let html = site.get("/").text();
    let mut named = values(&html, "href");
    named.extend(values(&html, "src"));
    named.retain(|address| !address.starts_with('#') && *address != "/widget.js");
    assert!(named.len() > 15, "{named:?}");
    for address in named {
        assert!(address.starts_with('/') && !address.starts_with("//"), "{address} is elsewhere");
        let path = address.split('#').next().unwrap();
        assert_eq!(site.get(path).status, 200, "{address}");
    }
}
