//! What is wrong with a configuration, as a person at a terminal wants to read it: where, what was found, what to write
//! instead, all mistakes of the file at once. Nothing here judges; the rooms' parts of `config` do.

use std::fmt;
use std::path::PathBuf;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// Counted from 1; none when the mistake is not in the file (a variable, the file itself).
    pub(crate) line: Option<usize>,
    /// As `agent[0].allowed_origins[1]`, counted from 0; empty when no key is to blame.
    pub(crate) key: String,
    /// What was found and what to write instead. Untrusted text in it is quoted and escaped.
    pub(crate) text: String,
}

/// All mistakes of one configuration, sorted by line. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaints {
    pub(crate) source: PathBuf,
    pub(crate) list: Vec<Complaint>,
    /// The file is not TOML to its end, so that what comes after its first fault was not judged.
    pub(crate) torn: bool,
}

impl Complaints {
    /// The one mistake of a configuration that cannot even be read.
    pub(super) fn unreadable(source: PathBuf, text: String) -> Self {
        let complaint = Complaint { line: None, key: String::new(), text };
        Self { source, list: vec![complaint], torn: false }
    }
}

impl std::error::Error for Complaints {}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.display();
        for complaint in &self.list {
            match complaint.line {
                Some(line) => write!(f, "{source}:{line}: ")?,
                None if complaint.key.is_empty() => write!(f, "{source}: ")?,
                None => {}
            }
            if !complaint.key.is_empty() {
                write!(f, "{}: ", complaint.key)?;
            }
            writeln!(f, "{}", complaint.text)?;
        }
        match self.list.len() {
            1 => write!(f, "1 mistake in the configuration")?,
            count => write!(f, "{count} mistakes in the configuration")?,
        }
        if self.torn {
            f.write_str("; what follows the first one that breaks TOML's syntax was not looked at")?;
        }
        Ok(())
    }
}

/// The candidate that was probably meant by `word`, if one is near enough to be worth naming.
pub(crate) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase().replace(['-', ' '], "_");
    // A third of the letters may be wrong; two words that share a part of four letters are near, too.
    let letters_wrong_max = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, candidate);
            let shares_part =
                word.len() >= 4 && candidate.len() >= 4 && (candidate.contains(&word) || word.contains(candidate));
            (distance <= letters_wrong_max || shares_part).then_some((distance, candidate))
        })
        .min()
        .map(|(_, candidate)| candidate)
}

/// `text` in quotes, with what a terminal would act on escaped, and not longer than a line can bear.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.chars().count() <= CHARS_MAX {
        return format!("{text:?}");
    }
    let head: String = text.chars().take(CHARS_MAX).collect();
    let shown = format!("{head:?}");
    format!("{}…\"", shown.trim_end_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_named_and_a_far_one_is_not() {
        let keys = ["listen", "allowed_origins", "models", "workers"];
        let check = |word, expected| assert_eq!(nearest(word, keys), expected, "{word}");
        check("lisen", Some("listen"));
        check("Listen", Some("listen"));
        check("origins", Some("allowed_origins"));
        check("allowed-origins", Some("allowed_origins"));
        check("model", Some("models"));
        check("colour", None);
        check("x", None);
    }

    #[test]
    fn a_quoted_text_cannot_move_the_cursor() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "\"a\\u{1b}[2J\\n\"");
        assert_eq!(quoted(&"é".repeat(99)), format!("\"{}…\"", "é".repeat(60)));
    }
}
