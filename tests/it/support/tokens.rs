//! Tokens of every kind, good and bad, signed by hand: header and claims are whatever a test wants.

use jwt_simple::algorithms::{HS256Key, MACLike};
use serde_json::{Value, json};

/// The key of the servers under test.
pub(crate) const SECRET: &str = "a secret for tests that is longer than 32 bytes";

/// A token that is being made.
#[derive(Clone, Debug)]
pub(crate) struct Forgery {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    secret: String,
}

impl Forgery {
    /// Starts from a token that the server issued, with the server's own key.
    pub(crate) fn of(token: &str) -> Self {
        let mut parts = token.split('.');
        let header = decoded(parts.next().expect("a header"));
        let claims = decoded(parts.next().expect("claims"));
        Self { header, claims, secret: SECRET.to_owned() }
    }

    pub(crate) fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    /// Sets a claim; `null` takes it away.
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    /// As if it had been issued so many seconds ago: 3600 is the second at which it ends.
    pub(crate) fn issued_ago(self, seconds: i64) -> Self {
        let issued_at = now() - seconds;
        self.claim("iat", json!(issued_at)).claim("exp", json!(issued_at + 3600))
    }

    pub(crate) fn secret(mut self, secret: &str) -> Self {
        self.secret = secret.to_owned();
        self
    }

    pub(crate) fn sign(&self) -> String {
        sign(&self.header.to_string(), &self.claims.to_string(), &self.secret)
    }

    /// `header.claims.` and no signature.
    pub(crate) fn unsigned(&self) -> String {
        let signed = self.sign();
        signed[..=signed.rfind('.').expect("three parts")].to_owned()
    }
}

/// HS256 over texts that need not be JSON.
pub(crate) fn sign(header: &str, claims: &str, secret: &str) -> String {
    let content = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let tag = HS256Key::from_bytes(secret.as_bytes()).authentication_tag(content.as_bytes());
    format!("{content}.{}", encode(&tag))
}

/// Seconds since the epoch.
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.expect("after 1970").as_secs()).expect("before the end of time")
}

fn set(object: &mut Value, name: &str, value: Value) {
    let members = object.as_object_mut().expect("an object");
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.to_owned(), value),
    };
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&decode(part)).expect("JSON in a token")
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64url without padding (RFC 4648, section 5).
fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, i| bits << 8 | u32::from(*group.get(i).unwrap_or(&0)));
        for place in 0..=group.len() {
            let index = (bits >> (18 - 6 * place)) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        text.bytes().map(|b| ALPHABET.iter().position(|&known| known == b).expect("base64url") as u32).collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = (0..4).fold(0u32, |bits, i| bits << 6 | group.get(i).unwrap_or(&0));
        bytes.extend((1..group.len()).map(|place| (bits >> (24 - 8 * place)) as u8));
    }
    bytes
}
