//! The bearer token of a conversation: a JWT (RFC 7519) signed with HS256 by one of the configured keys.
//!
//! `jwt-simple` binds the algorithm and compares tags in constant time. What it lets through is refused here: its
//! default tolerance of 15 minutes, a missing or far `exp`, any `kid`, a missing `typ` and short keys. `iat` may lie
//! ahead of the clock: one that stepped back must not sign everybody out.

use std::collections::HashSet;
use std::time::Duration;

use jwt_simple::JWTError;
use jwt_simple::algorithms::{HS256Key, MACLike};
use jwt_simple::claims::JWTClaims;
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::{Duration as JwtDuration, Token, UnixTimeStamp};
use serde::{Deserialize, Serialize};

use crate::domain::id::{self, AgentId, ConversationId, VisitorId};
use crate::domain::secret::Secret;
use crate::domain::time::Timestamp;

/// How long a token is good for: `exp` is `iat` and this, exactly.
pub(crate) const LIFETIME: Duration = Duration::from_secs(3600);
/// HMAC-SHA-256 with less than its output's size is weaker than it need be (RFC 7518, section 3.2).
pub(crate) const KEY_BYTES_MIN: usize = 32;

const ISSUER: &str = "widget";
const TOKEN_BYTES_MAX: usize = 2048;

/// What a token says, once verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) visitor: VisitorId,
    pub(crate) agent: AgentId,
    pub(crate) conversation: ConversationId,
    /// The token's own id: what limits count by.
    pub(crate) jti: String,
    pub(crate) expires_at: Timestamp,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("the token is not one that this server signs")]
    Invalid,
    #[error("the token has expired")]
    Expired,
}

/// Why keys cannot sign.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("there is no signing key")]
    None,
    /// By its place in the list, from 1.
    #[error("key {position} has {found} bytes; a signing key has at least {KEY_BYTES_MIN}")]
    Short { position: usize, found: usize },
}

/// The claims beside the registered ones.
#[derive(Serialize, Deserialize)]
struct Scope {
    aid: String,
    cid: String,
}

/// The signing keys. The first signs, all verify, so that a key can be rotated without signing anybody out.
pub(crate) struct Tokens {
    first: SigningKey,
    others: Vec<SigningKey>,
}

struct SigningKey {
    kid: String,
    key: HS256Key,
}

impl SigningKey {
    /// The `kid` is a tag made with the key itself: stable, and it gives nothing of the key away.
    fn new(secret: &Secret) -> Self {
        let key = HS256Key::from_bytes(secret.expose().as_bytes());
        let tag = key.authentication_tag(b"widgetd kid");
        let kid = tag.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
        let key = key.with_key_id(&kid);
        Self { kid, key }
    }
}

impl Tokens {
    /// Takes at least one key, each of at least [`KEY_BYTES_MIN`].
    pub(crate) fn new(secrets: &[Secret]) -> Result<Self, KeyError> {
        let (first, others) = secrets.split_first().ok_or(KeyError::None)?;
        for (index, secret) in secrets.iter().enumerate() {
            let found = secret.expose().len();
            if found < KEY_BYTES_MIN {
                return Err(KeyError::Short { position: index + 1, found });
            }
        }
        Ok(Self { first: SigningKey::new(first), others: others.iter().map(SigningKey::new).collect() })
    }

    /// A fresh token for this conversation, good for [`LIFETIME`] from `now`.
    pub(crate) fn sign(
        &self,
        agent: &AgentId,
        visitor: VisitorId,
        conversation: ConversationId,
        now: Timestamp,
    ) -> Signed {
        // Whole seconds, since a NumericDate is one here; rounded down, so that no token outlives its hour.
        let issued_at = u64::try_from(now.seconds()).unwrap_or(0);
        let expires_at = issued_at + LIFETIME.as_secs();
        let claims = JWTClaims {
            issued_at: Some(UnixTimeStamp::from_secs(issued_at)),
            expires_at: Some(UnixTimeStamp::from_secs(expires_at)),
            invalid_before: None,
            issuer: Some(ISSUER.to_owned()),
            subject: Some(visitor.to_string()),
            audiences: None,
            jwt_id: Some(id::random_hex()),
            nonce: None,
            custom: Scope { aid: agent.to_string(), cid: conversation.to_string() },
        };
        // It fails only if the claims were no JSON, and these are strings and whole numbers.
        let token = self.first.key.authenticate(claims).unwrap_or_default();
        Signed { token, expires_at: Timestamp::from_ms(i64::try_from(expires_at * 1000).unwrap_or(i64::MAX)) }
    }

    /// What `token` says at `now`, if one of the keys signed it, it has all seven claims, and its hour is not over.
    pub(crate) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let key = self.key_of(token).ok_or(TokenError::Invalid)?;
        let options = VerificationOptions {
            accept_future: true,
            required_key_id: Some(key.kid.clone()),
            required_signature_type: Some("JWT".to_owned()),
            allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
            time_tolerance: None,
            max_token_length: Some(TOKEN_BYTES_MAX),
            artificial_time: Some(UnixTimeStamp::from_millis(u64::try_from(now.ms()).unwrap_or(0))),
            ..VerificationOptions::default()
        };
        let claims = key.key.verify_token::<Scope>(token, Some(options)).map_err(|error| {
            match error.downcast_ref::<JWTError>() {
                Some(JWTError::TokenHasExpired) => TokenError::Expired,
                _ => TokenError::Invalid,
            }
        })?;
        checked(claims, now)
    }

    fn key_of(&self, token: &str) -> Option<&SigningKey> {
        let metadata = Token::decode_metadata(token).ok()?;
        let kid = metadata.key_id()?;
        std::iter::once(&self.first).chain(&self.others).find(|key| key.kid == kid)
    }
}

/// A token and the moment at which it ends.
#[derive(Clone, Debug)]
pub(crate) struct Signed {
    pub(crate) token: String,
    pub(crate) expires_at: Timestamp,
}

/// The claims that the library does not insist on.
fn checked(claims: JWTClaims<Scope>, now: Timestamp) -> Result<Claims, TokenError> {
    let invalid = TokenError::Invalid;
    let issued_at = claims.issued_at.ok_or(invalid)?;
    let expires_at = claims.expires_at.ok_or(invalid)?;
    if issued_at.as_ticks().checked_add(JwtDuration::from_secs(LIFETIME.as_secs()).as_ticks())
        != Some(expires_at.as_ticks())
    {
        return Err(invalid);
    }
    // No token of ours has an `nbf`; one that has must not be taken before it (RFC 7519, section 4.1.5).
    if claims.invalid_before.is_some_and(|from| i64::try_from(from.as_millis()).map_or(true, |from| now.ms() < from)) {
        return Err(invalid);
    }
    let expires_at = Timestamp::from_ms(i64::try_from(expires_at.as_millis()).map_err(|_| invalid)?);
    if now >= expires_at {
        return Err(TokenError::Expired);
    }
    Ok(Claims {
        visitor: claims.subject.as_deref().and_then(VisitorId::parse).ok_or(invalid)?,
        agent: AgentId::parse(&claims.custom.aid).map_err(|_| invalid)?,
        conversation: ConversationId::parse(&claims.custom.cid).ok_or(invalid)?,
        jti: claims.jwt_id.filter(|jti| !jti.is_empty()).ok_or(invalid)?,
        expires_at,
    })
}

#[cfg(test)]
mod tests;
