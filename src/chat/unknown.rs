//! Whether an answer says that its author does not know: then a person may, and the widget offers to take an address. Pure.

use super::prompt::unknown_in;
use crate::domain::agent::Agent;

/// Who does not know says so at the beginning.
const LOOKED_AT_CHARS: usize = 400;

/// How models say it, in the languages of the embedded one: whole words, in lower case.
const PHRASES: [&str; 54] = [
    "i don't know",
    "i do not know",
    "i'm not sure",
    "i am not sure",
    "i'm not aware",
    "i am not aware",
    "i don't have that information",
    "i don't have this information",
    "i don't have information",
    "i don't have any information",
    "i don't have enough information",
    "i don't have specific information",
    "i don't have details",
    "i do not have that information",
    "i do not have this information",
    "i do not have information",
    "i do not have any information",
    "i do not have enough information",
    "i have no information",
    "i couldn't find",
    "i could not find",
    "i can't find",
    "i cannot find",
    "weiß ich leider nicht",
    "weiß ich nicht",
    "ich weiß nicht",
    "ich weiß es nicht",
    "ich weiß es leider nicht",
    "ich weiß das nicht",
    "ich habe dazu keine informationen",
    "dazu habe ich keine informationen",
    "dazu liegen mir keine informationen vor",
    "kann ich leider nicht sagen",
    "no lo sé",
    "no tengo información",
    "no tengo esa información",
    "no dispongo de información",
    "no dispongo de esa información",
    "je ne sais pas",
    "je ne le sais pas",
    "je n'ai pas d'informations",
    "je n'ai pas cette information",
    "je ne dispose pas d'informations",
    "je ne dispose pas de cette information",
    "non lo so",
    "non ho informazioni",
    "non ho questa informazione",
    "non dispongo di informazioni",
    "weet ik helaas niet",
    "weet ik niet",
    "ik weet het niet",
    "não sei",
    "não tenho informações",
    "não tenho essa informação",
];

/// False while the agent has no form to offer.
pub(super) fn offers_lead(agent: &Agent, answer: &str) -> bool {
    agent.appearance.lead_form.enabled && is_unanswered(agent, answer)
}

pub(super) fn is_unanswered(agent: &Agent, answer: &str) -> bool {
    let own = agent.unknown_answer.as_deref().unwrap_or_else(|| unknown_in(&agent.appearance.language));
    answer.trim() == own || does_not_know(answer)
}

fn does_not_know(answer: &str) -> bool {
    let beginning: String = answer.chars().take(LOOKED_AT_CHARS).collect();
    let beginning = beginning.to_lowercase().replace('\u{2019}', "'");
    PHRASES.iter().any(|phrase| has_phrase(&beginning, phrase))
}

/// Whether `phrase` stands in `text` as whole words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(start, _)| {
        let before = text.get(..start).and_then(|text| text.chars().next_back());
        let after = text.get(start + phrase.len()..).and_then(|text| text.chars().next());
        ![before, after].into_iter().flatten().any(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agent::sample;

    #[test]
    fn who_does_not_know_is_told_apart_from_who_does() {
        for ignorant in [
            "I'm sorry, I don't know that.",
            "I don\u{2019}t know.",
            "Hm. I DO NOT KNOW when they open.",
            "I don't have enough information to answer this.",
            "Leider: Das weiß ich leider nicht.",
            "Lo siento, no lo sé.",
            "Je ne sais pas.",
            "Desculpe, não sei.",
        ] {
            assert!(does_not_know(ignorant), "{ignorant}");
        }
        let late = format!("{}I don't know", "It opens at nine. ".repeat(30));
        for knowing in [
            "",
            "I know that.",
            "If you don't know your size, measure it.",
            "You do not know until you try.",
            "Hi, I don't knowingly share data.",
            "El piso no es el séptimo.",
            late.as_str(),
        ] {
            assert!(!does_not_know(knowing), "{knowing}");
        }
    }

    #[test]
    fn every_sentence_of_the_embedded_model_is_one_of_them() {
        for language in ["en", "de", "es", "fr", "it", "nl", "pt", "tlh"] {
            assert!(does_not_know(unknown_in(language)), "{language}");
        }
    }

    #[test]
    fn only_an_agent_with_a_form_offers_it_and_its_own_words_count() {
        let mut agent = sample();
        agent.unknown_answer = Some("Ask the desk.".into());
        assert!(!offers_lead(&agent, "I don't know."));
        agent.appearance.lead_form.enabled = true;
        assert!(offers_lead(&agent, "I don't know."));
        assert!(offers_lead(&agent, "Ask the desk."));
        assert!(!offers_lead(&agent, "Nine to five."));
    }
}
