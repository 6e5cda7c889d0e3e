//! URLs and origins of the file. An origin must stand there exactly as browsers send it, because a near miss is the
//! commonest reason why a widget fails on the deployed site; each kind of miss gets its own advice. Pure.

use url::Url;

use crate::config::value::Value;
use crate::domain::origin::{AllowedOrigins, Origin, OriginError};

/// Enough for every site of an owner; the list is walked on each request.
const ALLOWED_ORIGINS_MAX: usize = 200;
/// What browsers take.
pub(super) const URL_CHARS_MAX: usize = 2048;

/// `["*"]`, or `"self"` and exact origins. Wrong entries are complained of and left out.
pub(super) fn allowed_origins(value: &Value) -> AllowedOrigins {
    let mut allowed = AllowedOrigins::default();
    let items = value.list(ALLOWED_ORIGINS_MAX).unwrap_or_default();
    for item in &items {
        match item.found().and_then(|found| found.as_str()) {
            Some("*") if items.len() > 1 => {
                item.complain("allows every origin and stands alone; write [\"*\"], or take it out");
            }
            Some("*") => allowed.any = true,
            Some("self") if allowed.own => item.complain("stands here twice; take one out"),
            Some("self") => allowed.own = true,
            _ => match item.parse(exact_origin) {
                Some(origin) if allowed.exact.contains(&origin) => {
                    item.complain("stands here twice; take one out");
                }
                Some(origin) => allowed.exact.push(origin),
                None => {}
            },
        }
    }
    allowed
}

/// An origin in its normalised form; the error ends with what to write instead where that can be known.
pub(super) fn exact_origin(text: &str) -> Result<Origin, String> {
    let error = match Origin::parse(text) {
        Ok(origin) if origin.as_str() == text => return Ok(origin),
        Ok(origin) => {
            return Err(format!(
                "is not as browsers send it: lower case, punycode, no default port; write \"{origin}\""
            ));
        }
        Err(error) => error,
    };
    let bare = text.trim().trim_matches(['\'', '"']);
    if bare.eq_ignore_ascii_case("self") {
        return Err("is not an origin; write \"self\" for the server's own".to_owned());
    }
    if bare == "null" {
        return Err(
            "cannot be listed: pages without an origin send it (file://, sandboxed frames); serve the page from a \
             web server and write that one's origin"
                .to_owned(),
        );
    }
    let meant = match error {
        OriginError::Wildcard => None,
        OriginError::NoScheme => {
            let host = bare.trim_start_matches('/');
            let is_local = host.starts_with("localhost") || host.starts_with("127.");
            let scheme = if is_local { "http" } else { "https" };
            Origin::of_url(&format!("{scheme}://{host}")).ok()
        }
        OriginError::Path | OriginError::UserInfo | OriginError::Malformed => Origin::of_url(bare).ok(),
    };
    Err(match meant {
        Some(origin) => format!("{error}; write \"{origin}\""),
        None => error.to_string(),
    })
}

/// An absolute URL that a page can link to.
pub(super) fn web_url(text: &str) -> Result<String, String> {
    if text.chars().count() > URL_CHARS_MAX {
        return Err(format!("must be at most {URL_CHARS_MAX} characters"));
    }
    let has_host = |url: &Url| url.host_str().is_some_and(|host| !host.is_empty());
    match Url::parse(text) {
        Ok(url) if is_http(text) && has_host(&url) => Ok(url.into()),
        // javascript:, data:, file: and the like would act in the visitor's page.
        _ => Err("is not a link that is allowed; write a whole URL that begins with https:// or http://".to_owned()),
    }
}

/// Where a button may lead: an absolute URL of a harmless scheme, or a path on the page's own site.
pub(super) fn link(text: &str) -> Result<String, String> {
    let advice = "is not a link that is allowed; write a URL that begins with https://, http://, mailto: or tel:, without a \
                  name before the host, or a path that begins with one \"/\"";
    let is_path = text.starts_with('/') && !text.starts_with("//") && !text.starts_with("/\\");
    let is_harmless = |url: &Url| {
        ["https", "http", "mailto", "tel"].contains(&url.scheme())
            && url.username().is_empty()
            && url.password().is_none()
    };
    if text.chars().count() > URL_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(advice.to_owned());
    }
    match Url::parse(text) {
        Ok(url) if is_harmless(&url) => Ok(url.into()),
        Err(_) if is_path => Ok(text.to_owned()),
        _ => Err(advice.to_owned()),
    }
}

pub(super) fn is_http(url: &str) -> bool {
    ["https://", "http://"]
        .iter()
        .any(|scheme| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the end of the advice.
    fn check(text: &str, expected: &str) {
        let advice = exact_origin(text).expect_err(text);
        assert!(advice.ends_with(expected), "{text}: {advice}");
    }

    #[test]
    fn a_near_miss_is_answered_with_what_was_meant() {
        check("https://Example.com", "write \"https://example.com\"");
        check("https://example.com:443", "write \"https://example.com\"");
        check("https://bücher.example", "write \"https://xn--bcher-kva.example\"");
        check("https://example.com/", "write \"https://example.com\"");
        check("https://example.com/shop?a#b", "write \"https://example.com\"");
        check("https://ann:pw@example.com", "write \"https://example.com\"");
        check("example.com", "write \"https://example.com\"");
        check("//example.com/a", "write \"https://example.com\"");
        check("localhost:3000", "write \"http://localhost:3000\"");
        check(" https://example.com", "write \"https://example.com\"");
        check("'self'", "write \"self\" for the server's own");
        check("https://*.example.com", "allows every origin)");
        check("null", "write that one's origin");
        check("https://", "is not an origin like https://www.example.com");
        check("", "begins with https:// or http://");
    }

    #[test]
    fn what_a_browser_sends_is_taken() {
        for text in [
            "https://example.com",
            "http://localhost:3000",
            "https://xn--bcher-kva.example:8443",
            "http://[::1]:3000",
            "capacitor://localhost",
        ] {
            assert_eq!(exact_origin(text).map(|origin| origin.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn links_lead_to_the_web_only() {
        assert!(web_url("https://example.com/a?b#c").is_ok());
        assert!(web_url("HTTP://example.com").is_ok());
        for bad in [
            "",
            "/pricing",
            "example.com",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            " javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "https:",
            "https://",
        ] {
            assert!(web_url(bad).is_err(), "{bad}");
        }
    }
}
