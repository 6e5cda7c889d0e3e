//! Web origins (RFC 6454) and the list of those that an agent allows.
//!
//! Two origins are the same if their normalised forms are equal: lower case, host in punycode, default port
//! dropped. Never by prefix, suffix or substring.

use std::fmt;

use url::{Host, Url};

/// A normalised `scheme://host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(String);

/// Why a text is no origin. One sentence, shared by the API's hints and the configuration's complaints.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OriginError {
    #[error("has no scheme: an origin begins with https:// or http://")]
    NoScheme,
    #[error("has a path, a query or a fragment: an origin ends after the host and the port")]
    Path,
    #[error("has a user name or a password: an origin has none")]
    UserInfo,
    #[error("has a wildcard: each host is listed by its full name (or [\"*\"] alone allows every origin)")]
    Wildcard,
    #[error("is not an origin like https://www.example.com")]
    Malformed,
}

impl Origin {
    /// Takes `scheme://host[:port]` in any case and normalises it. Anything beside these three parts is an error,
    /// a trailing slash too.
    pub(crate) fn parse(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::NoScheme)?;
        if rest.contains(['/', '?', '#', '\\']) {
            return Err(OriginError::Path);
        }
        if rest.contains('@') {
            return Err(OriginError::UserInfo);
        }
        if rest.contains('*') {
            return Err(OriginError::Wildcard);
        }
        // `Url` drops tabs and newlines and trims blanks, which no origin has. A colon with no port is none either.
        let is_clean = !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '%');
        if !is_clean || rest.is_empty() || rest.ends_with(':') || !is_scheme(scheme) {
            return Err(OriginError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| OriginError::Malformed)?;
        let host = match url.host() {
            Some(Host::Domain(name)) if is_domain(name) => name.to_ascii_lowercase(),
            Some(Host::Domain(_)) | None => return Err(OriginError::Malformed),
            Some(host @ (Host::Ipv4(_) | Host::Ipv6(_))) => host.to_string(),
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{}://{host}{port}", url.scheme())))
    }

    /// The origin of a page or of a service, from its whole URL.
    pub(crate) fn of_url(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(OriginError::NoScheme)?;
        let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        Self::parse(&format!("{scheme}://{host}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a page of the machine that shows it.
    pub(crate) fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.to_canonical().is_loopback(),
            None => false,
        })
    }
}

fn is_scheme(scheme: &str) -> bool {
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn is_domain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an `Origin` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// `null`: a sandboxed frame, a `file:` page. Only `["*"]` allows it.
    Null,
    Origin(Origin),
    /// Not an origin at all, so allowed nowhere.
    Malformed,
}

impl Received {
    pub(crate) fn parse(header: &str) -> Self {
        if header == "null" {
            return Self::Null;
        }
        Origin::parse(header).map_or(Self::Malformed, Self::Origin)
    }
}

/// Which origins may talk to an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AllowedOrigins {
    /// `["*"]`: every origin, for demos.
    pub(crate) any: bool,
    /// `"self"`: the server's own origins.
    pub(crate) own: bool,
    pub(crate) exact: Vec<Origin>,
}

impl AllowedOrigins {
    /// Whether `received` may call; `own` are the origins under which the server itself is reached.
    pub(crate) fn allow(&self, received: &Received, own: &[Origin]) -> bool {
        match received {
            Received::Malformed => false,
            Received::Null => self.any,
            Received::Origin(origin) => self.any || self.exact.contains(origin) || (self.own && own.contains(origin)),
        }
    }

    /// The setting as it stands in `widget.toml` once `origin` is allowed too.
    pub(crate) fn line_with(&self, origin: &Origin) -> String {
        let own = self.own.then_some("self");
        let exact = self.exact.iter().map(Origin::as_str);
        let entries: Vec<_> =
            own.into_iter().chain(exact).chain([origin.as_str()]).map(|entry| format!("\"{entry}\"")).collect();
        format!("allowed_origins = [{}]", entries.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Result<&str, OriginError>) {
        let found = Origin::parse(input);
        assert_eq!(found.as_ref().map(Origin::as_str), expected.as_ref().copied(), "{input:?}");
    }

    #[test]
    fn pages_of_this_machine_are_told_from_those_of_others() {
        for local in [
            "http://localhost:8080",
            "https://a.localhost",
            "http://127.9.9.9",
            "http://[::1]:80",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(Origin::parse(local).unwrap().is_loopback(), "{local}");
        }
        for other in ["https://localhost.example.com", "https://notlocalhost", "http://10.0.0.1", "http://[fd00::1]"] {
            assert!(!Origin::parse(other).unwrap().is_loopback(), "{other}");
        }
    }

    #[test]
    fn equal_origins_have_one_form() {
        check("https://www.example.com", Ok("https://www.example.com"));
        check("HTTPS://WWW.Example.COM", Ok("https://www.example.com"));
        check("https://example.com:443", Ok("https://example.com"));
        check("http://example.com:80", Ok("http://example.com"));
        check("http://example.com:8080", Ok("http://example.com:8080"));
        check("https://bücher.example", Ok("https://xn--bcher-kva.example"));
        check("https://xn--bcher-kva.example", Ok("https://xn--bcher-kva.example"));
        check("http://[::1]:3000", Ok("http://[::1]:3000"));
        check("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080"));
        check("capacitor://localhost", Ok("capacitor://localhost"));
        check("https://example.com.", Ok("https://example.com.")); // another host than example.com
    }

    #[test]
    fn anything_more_than_an_origin_is_refused() {
        check("example.com", Err(OriginError::NoScheme));
        check("//example.com", Err(OriginError::NoScheme));
        check("https://example.com/", Err(OriginError::Path));
        check("https://example.com/a", Err(OriginError::Path));
        check("https://example.com?a", Err(OriginError::Path));
        check("https://example.com#a", Err(OriginError::Path));
        check("https://example.com\\@evil.com", Err(OriginError::Path));
        check("https://example.com@evil.com", Err(OriginError::UserInfo));
        check("https://*.example.com", Err(OriginError::Wildcard));
        for bad in [
            "",
            "https://",
            "https://:443",
            "https://example.com:",
            "https://example.com:99999",
            "https://exa mple.com",
            " https://example.com",
            "https://example.com\t",
            "https://%65xample.com",
            "1https://example.com",
            "https://a,https://b",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_page_has_the_origin_of_its_url() {
        let of = |url| Origin::of_url(url).map(|origin| origin.to_string());
        assert_eq!(of("https://www.Example.com/a/b?c#d"), Ok("https://www.example.com".into()));
        assert_eq!(of("http://localhost:3000/"), Ok("http://localhost:3000".into()));
        assert_eq!(of("www.example.com/a"), Err(OriginError::NoScheme));
    }

    #[test]
    fn look_alikes_are_not_allowed() {
        let origin = |text| Origin::parse(text).unwrap();
        let allowed = AllowedOrigins { exact: vec![origin("https://example.com")], ..Default::default() };
        let allows = |header| allowed.allow(&Received::parse(header), &[]);
        assert!(allows("https://example.com"));
        assert!(allows("https://EXAMPLE.com:443"));
        for bad in [
            "null",
            "http://example.com",
            "https://example.com:8443",
            "https://www.example.com",
            "https://example.com.",
            "https://example.com.evil.net",
            "https://evilexample.com",
            "https://example.com@evil.net",
            "https://example.co",
            "https://example.com/",
            "https://exаmple.com",
            "*",
            "",
        ] {
            assert!(!allows(bad), "{bad}");
        }
    }

    #[test]
    fn self_is_the_servers_own_origin_and_star_is_all() {
        let own = [Origin::parse("http://localhost:8080").unwrap()];
        let to_self = AllowedOrigins { own: true, ..Default::default() };
        assert!(to_self.allow(&Received::parse("http://localhost:8080"), &own));
        assert!(!to_self.allow(&Received::parse("http://localhost:8081"), &own));
        let to_all = AllowedOrigins { any: true, ..Default::default() };
        assert!(to_all.allow(&Received::parse("https://a.example"), &own));
        assert!(to_all.allow(&Received::Null, &own));
        assert!(!to_all.allow(&Received::parse("no origin"), &own));
        assert!(!AllowedOrigins::default().allow(&Received::parse("http://localhost:8080"), &own));
    }
}
