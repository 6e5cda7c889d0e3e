//! Keys where they must not be: what stands in a prompt or an answer is told to visitors sooner or later.

/// How keys of well-known services begin, and how long the rest at least is.
const KEYS: [(&str, usize); 10] = [
    ("sk-", 20),
    ("sk_live_", 16),
    ("rk_live_", 16),
    ("AKIA", 16),
    ("AIza", 30),
    ("ghp_", 30),
    ("github_pat_", 30),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("glpat-", 16),
];

pub(super) fn looks_like_a_key(text: &str) -> bool {
    if text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----") {
        return true;
    }
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.split(|c: char| !is_of_key(c)).any(|word| {
        KEYS.iter().any(|(start, rest)| {
            word.strip_prefix(start)
                .is_some_and(|tail| tail.len() >= *rest && tail.chars().any(|c| c.is_ascii_digit()))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_from_words() {
        for key in [
            "use sk-proj-abcdefghij0123456789 now",
            "AKIAIOSFODNN7EXAMPLE0",
            "(ghp_abcdefghijklmnopqrstuvwxyz012345)",
            "-----BEGIN RSA PRIVATE KEY-----",
        ] {
            assert!(looks_like_a_key(key), "{key}");
        }
        for text in [
            "",
            "sk-",
            "a task-oriented-assistant-for-all",
            "write to sk-team@example.com",
            "AKIA",
        ] {
            assert!(!looks_like_a_key(text), "{text}");
        }
    }
}
