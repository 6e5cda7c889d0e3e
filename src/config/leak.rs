//! Finds API keys where none may stand: whatever is in a system prompt or an FAQ can be asked for by a visitor, and
//! whatever is in `widget.toml` ends up in a repository. Pure; used on every text of the file.

/// Prefixes of well-known keys, how much must follow to be one, and whose they are.
const KEYS: [(&str, usize, &str); 11] = [
    ("sk-", 16, "a model provider"),
    ("gsk_", 16, "a model provider"),
    ("hf_", 20, "a model provider"),
    ("AKIA", 16, "AWS"),
    ("ASIA", 16, "AWS"),
    ("AIza", 30, "Google"),
    ("xoxb-", 10, "Slack"),
    ("xoxp-", 10, "Slack"),
    ("ghp_", 20, "GitHub"),
    ("github_pat_", 20, "GitHub"),
    ("glpat-", 16, "GitLab"),
];

/// Whose key `text` seems to hold.
pub(crate) fn kind_of_key(text: &str) -> Option<&'static str> {
    if text.contains("PRIVATE KEY-----") {
        return Some("a key pair");
    }
    KEYS.iter()
        .find(|(prefix, length_min, _)| {
            text.match_indices(prefix).any(|(at, _)| {
                let starts_a_word = !text[..at].ends_with(|c: char| c.is_alphanumeric());
                starts_a_word && is_key_material(&text[at + prefix.len()..], *length_min)
            })
        })
        .map(|(_, _, owner)| *owner)
}

/// The text itself, or the end of a complaint about the key in it.
pub(super) fn refuse_key(text: &str) -> Result<&str, String> {
    kind_of_key(text).map_or(Ok(text), |owner| {
        Err(format!(
            "seems to hold a secret key of {owner}, and visitors can ask for this text; take it out, and put a \
             model's key in a variable (key_env) or a file (key_file)"
        ))
    })
}

/// Words with hyphens are no key: the longest run without them must look like one, with a digit in it.
fn is_key_material(rest: &str, length_min: usize) -> bool {
    let is_key_char = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let end = rest.find(|c| !is_key_char(c)).unwrap_or(rest.len());
    let key = &rest[..end];
    let has_random_run =
        key.split(['-', '_']).any(|run| run.len() >= length_min.min(10) && run.bytes().any(|b| b.is_ascii_digit()));
    key.len() >= length_min && has_random_run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_wherever_they_stand() {
        for text in [
            "sk-proj-Ab3dEfGh1jKlMn0pQrSt",
            "Use sk-0123456789abcdef0123456789abcdef to call.",
            "key=sk-ant-api03-Zx9yW8vU7tS6rQ5p",
            "AKIAIOSFODNN7EXAMPLE",
            "(xoxb-123456789012-abcdefghij)",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(kind_of_key(text).is_some(), "{text}");
        }
    }

    #[test]
    fn words_are_no_keys() {
        for text in [
            "",
            "sk-",
            "Keys look like sk-… and stay on the server.",
            "our task-management-and-planning-2024 page",
            "sk-learn-and-other-python-libraries",
            "AKIA",
            "Slack tokens start with xoxb-",
        ] {
            assert_eq!(kind_of_key(text), None, "{text}");
        }
    }
}
