//! The FAQ of every agent as an FTS5 index, in memory: it is made anew from each configuration, so that a reload is
//! atomic and the file holds only data.
//!
//! FTS5 finds and ranks; whether a match is good enough to answer with is decided by how much of the question it covers.
//! Each word weighs by how rare it is in the agent's FAQ, and words that it never uses weigh too: "What is the capital of
//! France?" is then not answered by whatever shares "what is".

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, params};

use super::StoreError;
use crate::domain::agent::Agent;
use crate::domain::id::AgentId;

/// An entry that shares words with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct FaqHit {
    /// Its place in the agent's FAQ.
    pub(crate) faq: usize,
    /// Whether it covers enough of the question to be its answer.
    pub(crate) good: bool,
    /// The part of the question's weight that it covers, 0–1; words of its answer count for less than those of its
    /// question.
    pub(crate) score: f64,
}

/// From here on an entry is taken for the answer. Chosen by the questions in the tests below.
const GOOD: f64 = 0.5;
/// What a word is worth that stands in the answer and not in the question.
const ANSWER_SHARE: f64 = 0.55;
/// Words of a question that are looked at.
const WORDS_MAX: usize = 16;
/// Shorter words are not corrected, and not taken for the beginning of longer ones.
const LONG_WORD_CHARS: usize = 5;

/// The index of one configuration.
pub(crate) struct FaqIndex(HashMap<AgentId, Mutex<AgentIndex>>);

struct AgentIndex {
    connection: Connection,
    entries: usize,
}

impl FaqIndex {
    pub(crate) fn build(agents: &[Arc<Agent>]) -> Result<Self, StoreError> {
        let with_faq = agents.iter().filter(|agent| !agent.faq.is_empty());
        with_faq
            .map(|agent| Ok((agent.id().clone(), Mutex::new(AgentIndex::build(agent)?))))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The entries that share words with `question`, best first, at most `limit`.
    pub(crate) fn search(&self, agent: &AgentId, question: &str, limit: usize) -> Vec<FaqHit> {
        let Some(index) = self.0.get(agent) else {
            return Vec::new();
        };
        index.lock().search(question, limit).unwrap_or_else(|error| {
            tracing::warn!(%agent, %error, "the FAQ could not be searched");
            Vec::new()
        })
    }
}

impl AgentIndex {
    fn build(agent: &Agent) -> Result<Self, StoreError> {
        let connection = Connection::open_in_memory()?;
        // Porter's stemmer is for English alone.
        let stemmer = if agent.appearance.language.starts_with("en") { "porter " } else { "" };
        connection.execute_batch(&format!(
            "create virtual table faq using fts5 (question, answer, tokenize = '{stemmer}unicode61 remove_diacritics 2');
             create virtual table terms using fts5vocab (faq, row);"
        ))?;
        for (place, entry) in agent.faq.iter().enumerate() {
            connection
                .prepare_cached("insert into faq (rowid, question, answer) values (?1, ?2, ?3)")?
                .execute(params![i64::try_from(place).unwrap_or(i64::MAX), entry.question, entry.answer])?;
        }
        Ok(Self { connection, entries: agent.faq.len() })
    }

    fn search(&self, question: &str, limit: usize) -> Result<Vec<FaqHit>, StoreError> {
        let mut weights = 0.0;
        let mut scores: HashMap<usize, f64> = HashMap::new();
        let mut patterns = Vec::new();
        for word in content_words(question) {
            let found = self.find(&word)?;
            let weight = weight(found.entries.len(), self.entries);
            weights += weight;
            for (entry, in_question) in found.entries {
                let share = if in_question { 1.0 } else { ANSWER_SHARE };
                *scores.entry(entry).or_default() += weight * share;
            }
            patterns.push(found.pattern);
        }
        if scores.is_empty() {
            return Ok(Vec::new());
        }
        let ranks = self.ranks(&patterns.join(" OR "))?;
        let mut hits: Vec<_> = scores
            .into_iter()
            .map(|(faq, score)| FaqHit { faq, score: score / weights, good: score / weights >= GOOD })
            .collect();
        let rank = |hit: &FaqHit| ranks.get(&hit.faq).copied().unwrap_or(0.0);
        // BM25 decides between entries that cover the same; it is smaller for the better one.
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(rank(a).total_cmp(&rank(b))).then(a.faq.cmp(&b.faq)));
        hits.truncate(limit);
        Ok(hits)
    }

    /// Where a word stands: as it is written, or as a likely misspelling of a word that the FAQ uses.
    fn find(&self, word: &str) -> Result<Found, StoreError> {
        let found = self.matching(pattern(word))?;
        if !found.entries.is_empty() || word.chars().count() < LONG_WORD_CHARS {
            return Ok(found);
        }
        match self.correction(word)? {
            // A term is a stem already: as a prefix it finds the words that it came from.
            Some(term) => self.matching(format!("\"{term}\"*")),
            None => Ok(found),
        }
    }

    fn matching(&self, pattern: String) -> Result<Found, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "select rowid, rowid in (select rowid from faq where faq match '{question}: (' || ?1 || ')')
             from faq where faq match ?1",
        )?;
        let rows = statement.query_map([&pattern], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
        let entries = rows
            .map(|row| row.map(|(place, in_question)| (usize::try_from(place).unwrap_or(usize::MAX), in_question)))
            .collect::<Result<_, _>>()?;
        Ok(Found { pattern, entries })
    }

    /// The term of the FAQ that is one edit away, if there is one.
    fn correction(&self, word: &str) -> Result<Option<String>, StoreError> {
        let mut statement = self.connection.prepare_cached("select term from terms where length(term) >= 4")?;
        let terms = statement.query_map([], |row| row.get::<_, String>(0))?;
        for term in terms {
            let term = term?;
            // The stem may lack the ending that the word has.
            let head: String = word.chars().take(term.chars().count()).collect();
            if strsim::osa_distance(word, &term) == 1
                || (head.len() < word.len() && strsim::osa_distance(&head, &term) == 1)
            {
                return Ok(Some(term));
            }
        }
        Ok(None)
    }

    fn ranks(&self, pattern: &str) -> Result<HashMap<usize, f64>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("select rowid, bm25(faq, 3.0, 1.0) from faq where faq match ?1")?;
        let rows = statement.query_map([pattern], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?)))?;
        rows.map(|row| Ok(row.map(|(place, rank)| (usize::try_from(place).unwrap_or(usize::MAX), rank))?)).collect()
    }
}

/// How much a word says: the rarer it is, the more (the inverse document frequency of BM25). One that the FAQ never uses
/// says somewhat less than one that it uses once: people have more words for a thing than a FAQ.
fn weight(documents: usize, entries: usize) -> f64 {
    const UNKNOWN: f64 = 0.75;
    let idf = |documents: f64| (1.0 + (entries as f64 + 1.0) / (documents + 0.5)).ln();
    if documents == 0 { UNKNOWN * idf(1.0) } else { idf(documents as f64) }
}

struct Found {
    pattern: String,
    /// Entries that have the word, and whether it stands in their question.
    entries: Vec<(usize, bool)>,
}

/// An FTS5 query for one word: quoted, so that nothing a visitor writes is an operator; long words find longer ones too.
fn pattern(word: &str) -> String {
    let quoted = format!("\"{}\"", word.replace('"', ""));
    if word.chars().count() >= LONG_WORD_CHARS { format!("({quoted} OR {quoted}*)") } else { quoted }
}

/// The words that say what is asked, in lower case, each once.
fn content_words(question: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let all = question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase);
    for word in all.filter(|word| !STOP_WORDS.contains(&word.as_str())) {
        if !words.contains(&word) && words.len() < WORDS_MAX {
            words.push(word);
        }
    }
    words
}

/// Words that say nothing of the subject, in the larger European languages.
const STOP_WORDS: &[&str] = &[
    // English
    "a", "about", "all", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "did",
    "do", "does", "for", "from", "get", "give", "has", "have", "hello", "hey", "hi", "how", "i", "if", "in", "into",
    "is", "it", "its", "just", "know", "like", "ll", "me", "much", "my", "need", "no", "not", "of", "on", "one", "or",
    "our", "please", "s", "should", "so", "some", "tell", "than", "thank", "thanks", "that", "the", "their", "them",
    "then", "there", "they", "this", "to", "use", "used", "ve", "want", "was", "we", "were", "what", "when", "where",
    "which", "who", "why", "will", "with", "would", "you", "your", "re", "m", "t", "d", // German
    "aber", "alle", "als", "am", "auch", "auf", "aus", "bei", "bin", "bitte", "da", "das", "dass", "dem", "den", "der",
    "des", "die", "dies", "diese", "du", "ein", "eine", "einem", "einen", "einer", "es", "für", "gibt", "habe",
    "haben", "hat", "ich", "ihr", "ihre", "im", "ist", "kann", "kannst", "man", "mein", "meine", "mich", "mir", "mit",
    "muss", "nach", "nicht", "oder", "sich", "sie", "sind", "und", "uns", "von", "vor", "wann", "warum", "was",
    "welche", "wer", "werden", "wie", "will", "wir", "wird", "wo", "zu", "zum", "zur", "über", "viel",
    // French
    "au", "aux", "avec", "ce", "ces", "comment", "dans", "de", "du", "elle", "en", "est", "et", "il", "je", "la", "le",
    "les", "mes", "mon", "ne", "nous", "ou", "où", "par", "pas", "peut", "pour", "quand", "que", "quel", "quelle",
    "qui", "sont", "sur", "un", "une", "vos", "votre", "vous", // Spanish, Italian, Portuguese, Dutch
    "al", "como", "con", "cuando", "cuál", "cómo", "del", "el", "los", "las", "mi", "para", "por", "puedo", "qué",
    "se", "son", "su", "una", "y", "che", "come", "di", "dove", "gli", "ho", "io", "lo", "non", "per", "posso",
    "quando", "sono", "com", "não", "o", "os", "onde", "um", "uma", "zijn", "een", "het", "ik", "hoe", "kan", "met",
    "naar", "niet", "van", "voor", "waar", "wat", "welke",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::agent::{Faq, sample};

    fn index(language: &str, faq: &[(&str, &str)]) -> (FaqIndex, AgentId) {
        let mut agent = sample();
        agent.appearance.language = language.into();
        agent.faq = faq
            .iter()
            .map(|(question, answer)| Faq { question: (*question).into(), answer: (*answer).into(), url: None })
            .collect();
        let id = agent.id().clone();
        (FaqIndex::build(&[Arc::new(agent)]).unwrap(), id)
    }

    const SHOP: &[(&str, &str)] = &[
        ("What does it cost?", "The basic plan is 9 euros a month; the price of the team plan is 29 euros."),
        ("How long does shipping take?", "Orders leave us within a day and arrive after two to four days."),
        ("Can I return an order?", "Yes, within 30 days. The refund arrives within a week."),
        ("Which payment methods do you accept?", "Cards, PayPal and invoices for companies."),
        ("Where are you located?", "Our workshop is in Bremen, Germany."),
        ("How do I reset my password?", "Use the link \"forgot password\" on the login page."),
        ("Do you ship abroad?", "We deliver to all countries of the European Union."),
        ("How can I contact support?", "Write to help@shop.example or call on weekdays from nine to five."),
        ("Is my data safe?", "All data stays on our own servers in Germany and is encrypted."),
        ("What are your opening hours?", "The workshop is open from ten to six, Monday to Friday."),
    ];

    fn answered_by(index: &(FaqIndex, AgentId), question: &str) -> Option<usize> {
        index.0.search(&index.1, question, 5).first().filter(|hit| hit.good).map(|hit| hit.faq)
    }

    #[test]
    fn questions_find_their_entry_or_none() {
        let index = index("en", SHOP);
        for (question, expected) in [
            ("What does it cost?", Some(0)),
            ("how much does it cost", Some(0)),
            ("price?", Some(0)),
            ("What is the prise of the team plan?", Some(0)),
            ("costs", Some(0)),
            ("How long does shipping take", Some(1)),
            ("how long until shipping?", Some(1)),
            ("can I return my order", Some(2)),
            ("I want to return something I ordered", Some(2)),
            ("refund", Some(2)),
            ("payment methods", Some(3)),
            ("Do you accept PayPal?", Some(3)),
            ("accepted payments", Some(3)),
            ("where are you located?", Some(4)),
            ("I forgot my password", Some(5)),
            ("reset pasword", Some(5)),
            ("do you ship abroad?", Some(6)),
            ("contact support", Some(7)),
            ("is my data encrypted?", Some(8)),
            ("opening hours", Some(9)),
            ("When are you open on Monday?", Some(9)),
            ("What is the capital of France?", None),
            ("Who won the football match yesterday?", None),
            ("Write me a poem about cats", None),
            ("how are you?", None),
            ("hello", None),
            ("", None),
            ("???", None),
            ("\" OR NEAR( * faq:", None),
            ("tell me a joke about Germany and its kings", None),
            ("日本語で話せますか", None),
        ] {
            assert_eq!(answered_by(&index, question), expected, "{question}");
        }
    }

    #[test]
    fn german_is_found_without_a_stemmer() {
        let index = index(
            "de",
            &[
                ("Was kostet das?", "Der Basistarif kostet 9 Euro im Monat."),
                ("Wie lange dauert der Versand?", "Zwei bis vier Tage."),
                ("Kann ich eine Bestellung zurückgeben?", "Ja, innerhalb von 30 Tagen."),
            ],
        );
        for (question, expected) in [
            ("Wie viel kostet es?", Some(0)),
            ("versand dauer", Some(1)),
            ("Wie lange dauert die Lieferung mit Versand?", Some(1)),
            ("Bestellung zuruckgeben", Some(2)),
            ("Wie heißt die Hauptstadt von Frankreich?", None),
        ] {
            assert_eq!(answered_by(&index, question), expected, "{question}");
        }
    }

    #[test]
    fn an_agent_without_a_faq_finds_nothing() {
        let index = index("en", &[]);
        assert!(index.0.search(&index.1, "price", 5).is_empty());
    }
}
