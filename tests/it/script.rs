//! `GET /widget.js` and `GET /w/HASH/widget.js`: the embeddable widget (RFC 9110, sections 8.8.3 and 12.5.3).

use crate::support::client::{Request, Response};
use crate::support::server::{Folder, widgetd};
use crate::support::site::{Shared, Site};

static SITE: Shared = Shared::new(Site::start);

const SCRIPT: &[u8] = include_bytes!("../../src/widget/dist/widget.js");
const BROTLI: &[u8] = include_bytes!("../../src/widget/dist/widget.js.br");
const GZIP: &[u8] = include_bytes!("../../src/widget/dist/widget.js.gz");

fn script(site: &Site, accepted: &str) -> Response {
    site.call(&Request::get("/widget.js").header("Accept-Encoding", accepted))
}

/// The address that `widgetd check` prints for pages that pin the script.
fn pinned_path() -> String {
    let folder = Folder::new();
    let config = folder.write("widget.toml", include_str!("../../widget.toml"));
    let output = widgetd().arg("check").arg("--config").arg(config).output().expect("widgetd runs");
    let printed = String::from_utf8(output.stdout).expect("widgetd prints text");
    let start = printed.find("/w/").expect("the pinned tag");
    let end = printed[start..].find('"').expect("the end of its address");
    printed[start..start + end].to_owned()
}

#[test]
fn any_page_may_load_the_script_and_keep_it_for_five_minutes() {
    let site = SITE.get();
    let response = script(&site, "identity");
    assert_eq!(response.status, 200);
    assert_eq!(response.body, SCRIPT);
    for (name, value) in [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Cache-Control", "public, max-age=300, stale-while-revalidate=86400"),
        ("Access-Control-Allow-Origin", "*"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Timing-Allow-Origin", "*"),
        ("Vary", "Accept-Encoding"),
        ("X-Content-Type-Options", "nosniff"),
    ] {
        assert_eq!(response.must(name), value);
    }
    assert_eq!(site.get("/widget.js?agent=demo").body, SCRIPT);
}

#[test]
fn it_comes_as_small_as_the_client_can_take_it() {
    let site = SITE.get();
    for (accepted, coding, body) in
        [("gzip, deflate, br", Some("br"), BROTLI), ("gzip", Some("gzip"), GZIP), ("br;q=0", None, SCRIPT)]
    {
        let response = script(&site, accepted);
        assert_eq!(response.header("Content-Encoding"), coding, "{accepted}");
        assert!(response.body == body, "{accepted}");
    }
}

#[test]
fn each_coding_has_a_strong_tag_of_its_own() {
    let site = SITE.get();
    let tags = ["br", "gzip", "identity"].map(|accepted| script(&site, accepted).must("ETag").to_owned());
    assert!(tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2], "{tags:?}");
    for (accepted, tag) in ["br", "gzip", "identity"].iter().zip(&tags) {
        assert!(tag.starts_with('"'), "a strong tag: {tag}");
        let request = Request::get("/widget.js").header("Accept-Encoding", accepted).header("If-None-Match", tag);
        let response = site.call(&request);
        assert_eq!((response.status, response.must("ETag"), response.body.len()), (304, tag.as_str(), 0));
        assert_eq!(response.must("Vary"), "Accept-Encoding");
    }
    let other = Request::get("/widget.js").header("Accept-Encoding", "br").header("If-None-Match", &tags[1]);
    assert_eq!(site.call(&other).status, 200);
}

#[test]
fn the_address_with_its_hash_stands_for_this_script_for_ever() {
    let site = SITE.get();
    let response = site.get(&pinned_path());
    assert_eq!((response.status, response.body.as_slice()), (200, SCRIPT));
    assert_eq!(response.must("Cache-Control"), "public, max-age=31536000, immutable");
    for other in ["/w/0123456789abcdef/widget.js", "/w//widget.js", "/w/widget.js"] {
        site.get(other).refused(404, "not_found");
    }
}

#[test]
fn it_is_for_reading_alone() {
    let site = SITE.get();
    for path in ["/widget.js", &pinned_path()] {
        let head = site.call(&Request::new("HEAD", path));
        assert_eq!((head.status, head.must("Content-Length")), (200, SCRIPT.len().to_string().as_str()));
        assert_eq!(site.call(&Request::new("DELETE", path)).must("Allow"), "GET, HEAD");
    }
}
