//! Text from a visitor: trimmed, bounded, counted in characters (Unicode scalar values).

/// Why a text is refused. One sentence, used in field errors of the API.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {max} characters; this has {found}")]
    TooLong { max: usize, found: usize },
    #[error("must not contain the character U+0000")]
    Nul,
}

/// `text` without white space around it, if that leaves 1 to `max` characters.
pub(crate) fn trimmed(text: &str, max: usize) -> Result<&str, TextError> {
    let text = bounded(text.trim(), max)?;
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    Ok(text)
}

/// `text` as it is, if it has at most `max` characters. Empty is allowed.
pub(crate) fn bounded(text: &str, max: usize) -> Result<&str, TextError> {
    // U+0000 ends a text for SQLite's own functions: what was searched would not be what was stored.
    if text.contains('\0') {
        return Err(TextError::Nul);
    }
    let found = text.chars().count();
    if found > max {
        return Err(TextError::TooLong { max, found });
    }
    Ok(text)
}

/// The first `max` characters, for the log: what a client chose is not to fill it.
pub(crate) fn beginning(text: &str, max: usize) -> &str {
    text.char_indices().nth(max).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_after_trimming() {
        assert_eq!(trimmed("  héé \n", 3), Ok("héé"));
        assert_eq!(trimmed("héé!", 3), Err(TextError::TooLong { max: 3, found: 4 }));
        assert_eq!(trimmed(" \t\u{2003}", 3), Err(TextError::Empty));
        assert_eq!(trimmed("a\0b", 3), Err(TextError::Nul));
        assert_eq!(bounded("", 3), Ok(""));
    }

    #[test]
    fn a_beginning_ends_between_characters() {
        for (text, expected) in [("", ""), ("hé", "hé"), ("héé", "héé"), ("héé!", "héé")] {
            assert_eq!(beginning(text, 3), expected);
        }
    }
}
