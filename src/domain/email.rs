//! An email address as the key of a lead.

use std::fmt;

/// Of the whole address (RFC 5321, section 4.5.3.1.3, less the angle brackets).
const BYTES_MAX: usize = 254;
/// Of the part before the `@` (RFC 5321, section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;

/// A valid address: trimmed, in lower case, its domain in punycode. The syntax is that of HTML's
/// `<input type=email>` (WHATWG HTML, "valid email address"), with a domain of two labels or more.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Email(String);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmailError {
    #[error("must be an email address like name@example.com")]
    Syntax,
    #[error("must be at most 254 bytes")]
    TooLong,
}

impl Email {
    pub(crate) fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.len() > BYTES_MAX {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Syntax)?;
        let is_local = (1..=LOCAL_BYTES_MAX).contains(&local.len())
            && local.bytes().all(|b| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b));
        if !is_local {
            return Err(EmailError::Syntax);
        }
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Syntax)?;
        if domain.split('.').count() < 2 || !domain.split('.').all(is_label) {
            return Err(EmailError::Syntax);
        }
        let address = format!("{}@{domain}", local.to_ascii_lowercase());
        if address.len() > BYTES_MAX {
            return Err(EmailError::TooLong);
        }
        Ok(Self(address))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// Personal data: not for logs.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Result<&str, EmailError>) {
        let found = Email::parse(input);
        assert_eq!(found.as_ref().map(Email::as_str), expected.as_ref().copied(), "{input:?}");
    }

    #[test]
    fn one_person_has_one_key() {
        check(" Ann@Example.COM ", Ok("ann@example.com"));
        check("ann+shop@bücher.example", Ok("ann+shop@xn--bcher-kva.example"));
        check("ann@BÜCHER.example", Ok("ann@xn--bcher-kva.example"));
        check("o'neil@example.co.uk", Ok("o'neil@example.co.uk"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@localhost",
            "ann@example..com",
            "ann@-a.com",
            "a b@example.com",
            "a@b@example.com",
            "ann@example.com\r\nBcc: x@y.com",
            "ann@exa mple.com",
            "\"ann\"@example.com",
            "änn@example.com",
            "ann@example.com.",
            "ann@[127.0.0.1]",
            "<ann@example.com>",
        ] {
            check(bad, Err(EmailError::Syntax));
        }
        check(&format!("{}@example.com", "a".repeat(65)), Err(EmailError::Syntax));
        check(&format!("a@{}.com", "b".repeat(260)), Err(EmailError::TooLong));
    }
}
