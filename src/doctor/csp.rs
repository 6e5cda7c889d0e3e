//! Content-Security-Policy, Level 3, as far as the widget meets it: what a policy says of a script, a call, a picture. Pure.
//!
//! Section numbers are those of the W3C's draft. What a policy does to inline scripts, styles and frames is no concern here: the
//! widget has none. Browsers also match IP addresses by name, which section 6.7.2.10 leaves to later versions: so does this.

use percent::decode;
use url::Url;

mod percent;

/// Of one policy that are looked at, more than there are names of: each is compared with those before it.
const DIRECTIVES_MAX: usize = 256;

/// One policy: all that a page has must allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// In their order; of two with one name the first counts (section 2.2.1).
    directives: Vec<Directive>,
}

/// As `script-src 'self' https://a.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Directive {
    /// In lower case.
    name: String,
    values: Vec<String>,
}

/// Which directives speak for a kind of request, the nearest first (section 6.8.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Script,
    Connect,
    Image,
}

impl Kind {
    const fn chain(self) -> &'static [&'static str] {
        match self {
            Self::Script => &["script-src-elem", "script-src", "default-src"],
            Self::Connect => &["connect-src", "default-src"],
            Self::Image => &["img-src", "default-src"],
        }
    }

    /// What to write where only `default-src` is there.
    const fn own_name(self) -> &'static str {
        match self {
            Self::Script => "script-src",
            Self::Connect => "connect-src",
            Self::Image => "img-src",
        }
    }
}

/// A `<script src>` that stands in the page.
pub(super) struct ScriptRequest<'a> {
    pub(super) url: &'a Url,
    pub(super) nonce: Option<&'a str>,
    pub(super) integrity: Option<&'a str>,
}

impl Policy {
    /// The policies of one header line, which commas separate (section 2.2.2), or of one `<meta>`.
    pub(super) fn parse_list(text: &str) -> Vec<Self> {
        text.split(',').map(Self::parse).filter(|policy| !policy.directives.is_empty()).collect()
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut directives: Vec<Directive> = Vec::new();
        for part in text.split(';').take(DIRECTIVES_MAX) {
            let mut words = part.split_ascii_whitespace();
            let Some(name) = words.next().map(str::to_ascii_lowercase) else {
                continue;
            };
            if directives.iter().all(|known| known.name != name) {
                directives.push(Directive { name, values: words.map(str::to_owned).collect() });
            }
        }
        Self { directives }
    }

    /// The values of a directive, if it is there.
    pub(super) fn values(&self, name: &str) -> Option<&[String]> {
        self.directives.iter().find(|known| known.name == name).map(|known| known.values.as_slice())
    }

    /// The directive that speaks for this kind; none: everything of the kind is allowed.
    fn effective(&self, kind: Kind) -> Option<&Directive> {
        kind.chain().iter().find_map(|name| self.directives.iter().find(|known| known.name == *name))
    }

    /// The directive that speaks for this kind, as it stands there.
    pub(super) fn line(&self, kind: Kind) -> Option<String> {
        self.effective(kind).map(|directive| show(&directive.name, &directive.values))
    }

    /// The same with one more source; a `default-src` stays as it is and gets a directive of this kind beside it.
    pub(super) fn line_with(&self, kind: Kind, source: &str) -> String {
        let Some(Directive { name, values }) = self.effective(kind) else {
            return format!("{} {source}", kind.own_name());
        };
        let name = if name == "default-src" { kind.own_name() } else { name };
        let kept = values.iter().filter(|value| !value.eq_ignore_ascii_case("'none'")).cloned();
        show(name, &kept.chain([source.to_owned()]).collect::<Vec<_>>())
    }

    /// Whether sources of the directive for scripts are ignored, so that only nonces and hashes count.
    pub(super) fn is_strict_dynamic(&self) -> bool {
        let has = |directive: &Directive| directive.values.iter().any(|it| it.eq_ignore_ascii_case("'strict-dynamic'"));
        self.effective(Kind::Script).is_some_and(has)
    }

    /// Section 6.7.1.1, "Script directives pre-request check".
    pub(super) fn allows_script(&self, script: &ScriptRequest<'_>, page: &Url) -> bool {
        let Some(directive) = self.effective(Kind::Script) else {
            return true;
        };
        let values = &directive.values;
        has_nonce(values, script.nonce)
            || has_all_digests(values, script.integrity)
            // What stands in the page was not inserted by a script that is trusted already.
            || (!self.is_strict_dynamic() && matches_any(values, script.url, page))
    }

    /// Section 6.7.2.7, "Does url match source list".
    pub(super) fn allows(&self, kind: Kind, url: &Url, page: &Url) -> bool {
        self.effective(kind).is_none_or(|directive| matches_any(&directive.values, url, page))
    }
}

fn show(name: &str, values: &[String]) -> String {
    [name].into_iter().chain(values.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
}

/// Section 6.7.2.3, "Does nonce match source list".
fn has_nonce(values: &[String], nonce: Option<&str>) -> bool {
    let Some(nonce) = nonce.filter(|nonce| !nonce.is_empty()) else {
        return false;
    };
    values.iter().any(|value| quoted(value).and_then(|it| strip_prefix(it, "nonce-")) == Some(nonce))
}

/// Section 6.7.2.4, "Does request's integrity metadata match source list": every digest of the tag is in the list.
fn has_all_digests(values: &[String], integrity: Option<&str>) -> bool {
    let digests: Vec<_> = integrity.unwrap_or_default().split_ascii_whitespace().collect();
    // The two alphabets of base64 are one here, as section 2.3.1 has it.
    let plain = |digest: &str| digest.replace('-', "+").replace('_', "/");
    let is_listed = |digest: &str| values.iter().filter_map(|value| quoted(value)).any(|it| plain(it) == plain(digest));
    !digests.is_empty() && digests.into_iter().all(is_listed)
}

fn quoted(value: &str) -> Option<&str> {
    value.strip_prefix('\'')?.strip_suffix('\'')
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// An empty list and `'none'` match nothing.
fn matches_any(values: &[String], url: &Url, page: &Url) -> bool {
    values.iter().any(|value| matches(value, url, page))
}

/// Section 6.7.2.8, "Does url match expression in origin".
fn matches(expression: &str, url: &Url, page: &Url) -> bool {
    if expression == "*" {
        return matches!(url.scheme(), "http" | "https") || url.scheme() == page.scheme();
    }
    if expression.eq_ignore_ascii_case("'self'") {
        let ports = (port(page), port(url));
        let is_same = page.scheme() == url.scheme() && ports.0 == ports.1;
        let is_upgrade = (page.scheme(), url.scheme()) == ("http", "https")
            && (ports.0 == ports.1 || ports == (Some(80), Some(443)));
        return page.host_str() == url.host_str() && (is_same || is_upgrade);
    }
    if expression.starts_with('\'') {
        return false;
    }
    if let Some(scheme) = expression.strip_suffix(':') {
        return scheme_matches(scheme, url.scheme());
    }
    host_matches(expression, url, page)
}

/// Section 6.7.2.9, "scheme-part matches".
fn scheme_matches(listed: &str, scheme: &str) -> bool {
    listed.eq_ignore_ascii_case(scheme) || (listed.eq_ignore_ascii_case("http") && scheme == "https")
}

/// `[scheme://]host[:port][/path]`.
fn host_matches(expression: &str, url: &Url, page: &Url) -> bool {
    let (scheme, rest) = match expression.split_once("://") {
        Some((scheme, rest)) => (scheme, rest),
        None => (page.scheme(), expression),
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // The colons inside of [::1] separate no port.
    let (host, listed_port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    scheme_matches(scheme, url.scheme())
        && host_part_matches(host, url.host_str().unwrap_or_default())
        && port_matches(listed_port, scheme, url)
        && path_matches(path, url.path())
}

/// Section 6.7.2.10, "host-part matches": a wildcard stands for one label or more.
fn host_part_matches(listed: &str, host: &str) -> bool {
    match listed.strip_prefix('*') {
        Some("") => !host.is_empty(),
        Some(end) if end.starts_with('.') => {
            let end = end.to_ascii_lowercase();
            host.to_ascii_lowercase().strip_suffix(&end).is_some_and(|label| !label.is_empty())
        }
        _ => listed.eq_ignore_ascii_case(host),
    }
}

/// Section 6.7.2.11, "port-part matches".
fn port_matches(listed: &str, scheme: &str, url: &Url) -> bool {
    let found = port(url);
    match listed {
        "*" => true,
        "" => url.port().is_none() || found == default_port(scheme),
        "80" if url.scheme() == "https" => matches!(found, Some(80 | 443)),
        listed => listed.parse().ok() == found,
    }
}

fn port(url: &Url) -> Option<u16> {
    url.port_or_known_default()
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// Section 6.7.2.12, "path-part matches": whole, or below a folder.
fn path_matches(listed: &str, path: &str) -> bool {
    let (listed, path) = (decode(listed), decode(path));
    match listed.as_slice() {
        [] | b"/" => true,
        folder if folder.ends_with(b"/") => path.starts_with(folder),
        whole => path == whole,
    }
}

#[cfg(test)]
mod tests;
