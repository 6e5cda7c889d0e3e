//! The owner's password: Argon2id with the first of OWASP's settings (Password Storage Cheat Sheet, 2024), in PHC form.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::domain::id;

pub(crate) const CHARS_MIN: usize = 12;
/// A bound on what is hashed; no person types more.
pub(crate) const CHARS_MAX: usize = 1024;

/// Memory in KiB, passes over it, and lanes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    #[error("a password has at least {CHARS_MIN} characters; a few words that do not belong together are good")]
    TooShort,
    #[error("a password has at most {CHARS_MAX} characters")]
    TooLong,
    #[error("a password has no control characters")]
    Control,
    #[error("the password could not be hashed: {0}")]
    Hash(String),
}

/// What is stored of a password that will do.
pub(crate) fn hash(password: &str) -> Result<String, PasswordError> {
    match password.chars().count() {
        ..CHARS_MIN => return Err(PasswordError::TooShort),
        count if count > CHARS_MAX => return Err(PasswordError::TooLong),
        _ if password.chars().any(char::is_control) => return Err(PasswordError::Control),
        _ => {}
    }
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash(error.to_string());
    let hasher = hasher().map_err(|error| failed(&error))?;
    let hash = hasher.hash_password_with_salt(password.as_bytes(), &id::random_bytes::<16>());
    Ok(hash.map_err(|error| failed(&error))?.to_string())
}

/// Whether it is the one of which `stored` is the hash. Takes some 20 ms and 19 MiB, whatever was tried.
pub(crate) fn is_right(tried: &str, stored: &str) -> Result<bool, PasswordError> {
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash(error.to_string());
    let hash = PasswordHash::new(stored).map_err(|error| failed(&error))?;
    match hasher().map_err(|error| failed(&error))?.verify_password(tried.as_bytes(), &hash) {
        Ok(()) => Ok(true),
        Err(Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(failed(&error)),
    }
}

fn hasher() -> Result<Argon2<'static>, argon2::Error> {
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, LANES, None)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_tells_its_password_from_others() {
        let stored = hash("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(is_right("correct horse battery", &stored).unwrap());
        for tried in ["", "correct horse batterz", "correct horse battery ", "Correct horse battery"] {
            assert!(!is_right(tried, &stored).unwrap(), "{tried}");
        }
        assert_ne!(stored, hash("correct horse battery").unwrap(), "each has a salt of its own");
    }

    #[test]
    fn a_password_that_is_soon_guessed_is_refused() {
        assert!(matches!(hash("elevenchars"), Err(PasswordError::TooShort)));
        assert!(hash("zwölfzeichen").is_ok(), "characters count, not bytes");
        assert!(matches!(hash(&"x".repeat(1025)), Err(PasswordError::TooLong)));
        assert!(matches!(hash("with a line\nbreak"), Err(PasswordError::Control)));
    }

    #[test]
    fn what_is_no_hash_lets_nobody_in() {
        assert!(is_right("anything", "").is_err());
        assert!(is_right("anything", "$argon2id$v=19$m=19456,t=2,p=1$AAAA").is_err());
    }
}
