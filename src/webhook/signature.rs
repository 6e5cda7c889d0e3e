//! `X-Widgetd-Signature: t=SECONDS,v1=HEX`: proves to a receiver that a body is ours, and when it was sent. HMAC-SHA256
//! (RFC 2104) over the moment, a dot and the body, so that neither can be changed and an old one not be played again.

use hmac_sha256::HMAC;

use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

pub(super) fn sign(secret: &Secret, body: &str, now: Timestamp) -> String {
    let seconds = now.seconds();
    let tag = HMAC::mac(format!("{seconds}.{body}"), secret.expose());
    let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `printf '%s' '1700000000.{"a":1}' | openssl dgst -sha256 -hmac SECRET`.
    #[test]
    fn a_signature_is_what_others_make_of_the_same_text() {
        let secret = Secret::new("0123456789abcdef0123456789abcdef");
        let signature = sign(&secret, r#"{"a":1}"#, Timestamp::from_ms(1_700_000_000_999));
        assert_eq!(signature, "t=1700000000,v1=f05f2539e3ae1c49aec5f8cfdad75ef6b06480b133973ffbb7ec9e18827af177");
        assert_ne!(signature, sign(&secret, r#"{"a":1}"#, Timestamp::from_ms(1_700_000_001_000)));
        assert_ne!(signature, sign(&secret, r#"{"a":2}"#, Timestamp::from_ms(1_700_000_000_000)));
        assert_ne!(signature, sign(&Secret::new("x"), r#"{"a":1}"#, Timestamp::from_ms(1_700_000_000_000)));
    }
}
