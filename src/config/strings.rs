//! `[agent.strings]`: what the widget says of its own accord. The texts of each language that comes with widgetd are a file in
//! `src/widget/words`; an agent's own win over them, key by key.

use std::collections::BTreeMap;

use crate::config::section::Section;

/// A sentence or two in a narrow panel.
const STRING_CHARS_MAX: usize = 300;

/// The texts of a language, by the primary subtag of its tag (RFC 5646). The first has all keys that there are.
const LANGUAGES: [(&str, &str); 8] = [
    ("en", include_str!("../widget/words/en.json")),
    ("ar", include_str!("../widget/words/ar.json")),
    ("de", include_str!("../widget/words/de.json")),
    ("es", include_str!("../widget/words/es.json")),
    ("fr", include_str!("../widget/words/fr.json")),
    ("it", include_str!("../widget/words/it.json")),
    ("nl", include_str!("../widget/words/nl.json")),
    ("pt", include_str!("../widget/words/pt.json")),
];

/// Every key, in the agent's language if it is one of ours, else in English.
pub(super) fn read(section: &Section, language: &str) -> BTreeMap<&'static str, String> {
    let mut strings = texts_in(language);
    for (key, text) in &mut strings {
        if let Some(own) = section.get(key).line(STRING_CHARS_MAX) {
            *text = own;
        }
    }
    strings
}

fn texts_in(language: &str) -> BTreeMap<&'static str, String> {
    let primary = language.split('-').next().unwrap_or_default();
    let known = LANGUAGES.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(primary));
    let (_, json) = known.unwrap_or(&LANGUAGES[0]);
    // What is compiled in is well-formed: a test reads each file.
    serde_json::from_str(json).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_text_and_the_same_places_for_a_number() {
        let english = texts_in("en");
        assert!(english.len() > 40);
        for (language, json) in LANGUAGES {
            let texts: BTreeMap<&str, String> = serde_json::from_str(json).unwrap();
            assert!(texts.keys().eq(english.keys()), "{language}");
            for (key, text) in &texts {
                assert_eq!(text.matches("{n}").count(), english[key].matches("{n}").count(), "{language}: {key}");
                assert!((1..=STRING_CHARS_MAX).contains(&text.chars().count()), "{language}: {key}");
            }
        }
    }

    #[test]
    fn a_language_without_texts_is_spoken_to_in_english() {
        assert_eq!(texts_in("tlh")["send"], "Send");
        assert_eq!(texts_in("EN-gb")["send"], "Send");
    }
}
