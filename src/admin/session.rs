//! Who is logged in: a random cookie, of which the database has the hash alone.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac_sha256::{HMAC, Hash};
use rouille::Request;

use super::{ROOT, Refusal};
use crate::domain::id;
use crate::domain::time::Timestamp;
use crate::store::Store;

/// A session that is not used for so long is over, and any after so many days.
const IDLE: Duration = Duration::from_hours(12);
pub(super) const LIFETIME: Duration = Duration::from_hours(7 * 24);
/// How exactly it is noted when a session was used: a write for each page would be for nothing.
const NOTED: Duration = Duration::from_mins(1);

/// With the prefix a browser takes the cookie from this very host by TLS alone (RFC 6265bis, section 4.1.3.2).
const TLS_NAME: &str = "__Host-widgetd_admin";
const PLAIN_NAME: &str = "widgetd_admin";

/// What the cookie's value is used for beside itself.
const TOKEN_PURPOSE: &[u8] = b"widgetd admin form token";

pub(super) struct Session {
    secret: [u8; 32],
}

impl Session {
    pub(super) fn new() -> Self {
        Self { secret: id::random_bytes() }
    }

    /// What is stored of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Hash::hash(&self.secret)
    }

    /// What each form of its pages carries: no other site can know it.
    pub(super) fn token(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(HMAC::mac(TOKEN_PURPOSE, self.secret))
    }

    pub(super) fn is_token(&self, text: &str) -> bool {
        let token = BASE64_URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        // In constant time.
        token.is_some_and(|token| HMAC::verify(TOKEN_PURPOSE, self.secret, &token))
    }

    fn parse(text: &str) -> Option<Self> {
        let secret = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        Some(Self { secret })
    }

    /// The cookie that begins it.
    pub(super) fn cookie(&self, is_tls: bool) -> String {
        cookie(is_tls, &BASE64_URL_SAFE_NO_PAD.encode(self.secret), LIFETIME)
    }
}

/// Takes the cookie away.
pub(super) fn no_cookie(is_tls: bool) -> String {
    cookie(is_tls, "", Duration::ZERO)
}

fn cookie(is_tls: bool, value: &str, max_age: Duration) -> String {
    let seconds = max_age.as_secs();
    if is_tls {
        // The prefix wants the path "/".
        format!("{TLS_NAME}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict; Secure")
    } else {
        format!("{PLAIN_NAME}={value}; Path={ROOT}; Max-Age={seconds}; HttpOnly; SameSite=Strict")
    }
}

/// The session of the request's cookie, if it is good; its use is noted.
pub(super) fn find(http: &Request, is_tls: bool, store: &Store, now: Timestamp) -> Result<Option<Session>, Refusal> {
    let name = if is_tls { TLS_NAME } else { PLAIN_NAME };
    let Some(session) =
        rouille::input::cookies(http).filter(|(known, _)| *known == name).find_map(|(_, value)| Session::parse(value))
    else {
        return Ok(None);
    };
    let Some(seen_at) = store.admin_session(session.hash(), now, now.minus(IDLE))? else {
        return Ok(None);
    };
    if now.since(seen_at) > NOTED {
        // A disk that is full must not keep the owner out: without the note the session ends earlier, no more.
        if let Err(error) = store.see_admin_session(session.hash(), now).wait() {
            tracing::warn!(%error, "admin page: that the session goes on cannot be noted");
        }
    }
    Ok(Some(session))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_its_sessions_alone() {
        let (one, other) = (Session::new(), Session::new());
        assert!(one.is_token(&one.token()));
        assert_eq!(one.token(), Session::parse(&BASE64_URL_SAFE_NO_PAD.encode(one.secret)).unwrap().token());
        for text in ["", "x", &other.token(), &one.token()[1..], &format!("{}A", one.token())] {
            assert!(!one.is_token(text), "{text}");
        }
    }

    #[test]
    fn a_cookie_is_for_this_host_and_this_room_alone() {
        let session = Session::new();
        let plain = session.cookie(false);
        assert!(plain.starts_with("widgetd_admin="), "{plain}");
        assert!(plain.ends_with("; Path=/admin; Max-Age=604800; HttpOnly; SameSite=Strict"), "{plain}");
        let tls = session.cookie(true);
        assert!(tls.starts_with("__Host-widgetd_admin="), "{tls}");
        assert!(tls.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"), "{tls}");
    }
}
