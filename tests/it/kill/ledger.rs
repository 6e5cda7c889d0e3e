//! What clients were told is stored, and the comparison with what is.
//!
//! The promises, all of them after any kill:
//! * the database is whole: `integrity_check` and `foreign_key_check` find nothing;
//! * what was acknowledged is there once, as it was sent: a question from its `start`, an answer from its `done` or
//!   `error`, a lead and an event from their status;
//! * what was not acknowledged is there whole or not at all: no part of a batch, no lead of two posts;
//! * an answer whose end nobody heard is not there, or is the beginning of what the model said and has all that its
//!   visitor saw; `complete` is only one that the model ended.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::load::said_to;
use crate::support::db;

#[derive(Clone, Default)]
pub(crate) struct Ledger {
    /// By their ids.
    questions: HashMap<String, String>,
    /// Content, and whether it was said to be complete.
    answers: HashMap<String, (String, bool)>,
    /// What was seen of answers whose end nobody heard.
    begun: HashMap<String, String>,
    events: HashSet<String>,
    /// The newest post of each address.
    leads: HashMap<String, u64>,
    posts: usize,
}

/// An id as the database shows it.
fn hex(id: &str) -> String {
    id.replace('-', "")
}

impl Ledger {
    pub(crate) fn question(&mut self, id: &str, content: &str) {
        let before = self.questions.insert(hex(id), content.to_owned());
        assert!(before.is_none_or(|before| before == content), "one id for two questions: {id}");
    }

    pub(crate) fn answer(&mut self, id: &str, content: &str, is_complete: bool) {
        let answer = (content.to_owned(), is_complete);
        let before = self.answers.insert(hex(id), answer.clone());
        assert!(before.is_none_or(|before| before == answer), "told in two ways: {id}");
    }

    /// Somebody saw `content` of this answer, and not its end.
    pub(crate) fn begun(&mut self, id: &str, content: &str) {
        if !content.is_empty() {
            self.begun.insert(hex(id), content.to_owned());
        }
    }

    pub(crate) fn event(&mut self, id: &str) {
        self.events.insert(id.to_owned());
    }

    pub(crate) fn lead(&mut self, email: &str, post: u64) {
        self.leads.insert(email.to_owned(), post);
        self.posts += 1;
    }

    pub(crate) fn summary(&self) -> String {
        let partial = self.answers.values().filter(|(_, is_complete)| !is_complete).count();
        format!(
            "{} questions, {} answers ({partial} partial), {} events, {} leads by {} posts; {} answers ended unheard",
            self.questions.len(),
            self.answers.len(),
            self.events.len(),
            self.leads.len(),
            self.posts,
            self.begun.len(),
        )
    }

    pub(crate) fn has_seen_everything(&self) -> bool {
        let counts = [self.questions.len(), self.answers.len(), self.events.len(), self.leads.len(), self.begun.len()];
        counts.iter().all(|&count| count > 0) && self.posts > self.leads.len()
    }

    /// What is not as it was promised.
    pub(crate) fn compare(&self, folder: &Path) -> Vec<String> {
        let mut problems = Vec::new();
        for problem in db::rows(folder, "select integrity_check from pragma_integrity_check", &[]) {
            complain(&mut problems, problem[0] == "ok", || format!("integrity_check: {}", problem[0]));
        }
        for row in db::rows(folder, "select * from pragma_foreign_key_check", &[]) {
            problems.push(format!("foreign_key_check: {row:?}"));
        }
        let questions = self.compare_questions(folder, &mut problems);
        self.compare_answers(folder, &questions, &mut problems);
        self.compare_events(folder, &mut problems);
        self.compare_leads(folder, &mut problems);
        problems
    }

    /// All questions that are stored, by their ids.
    fn compare_questions(&self, folder: &Path, problems: &mut Vec<String>) -> HashMap<String, String> {
        let rows = db::rows(folder, "select id, content from messages where role = 'user'", &[]);
        let stored: HashMap<_, _> = rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
        let mut contents = HashSet::new();
        for content in stored.values() {
            complain(problems, contents.insert(content), || format!("question {content} is there twice"));
        }
        for (id, content) in &self.questions {
            complain(problems, stored.get(id) == Some(content), || format!("question {content} is lost"));
        }
        stored
    }

    fn compare_answers(&self, folder: &Path, questions: &HashMap<String, String>, problems: &mut Vec<String>) {
        let sql = "select id, question_id, content, status from messages where role = 'assistant'";
        let mut stored = HashMap::new();
        for row in db::rows(folder, sql, &[]) {
            let [id, question, content, status] = row.try_into().expect("four columns");
            let (said, is_whole) = questions.get(&question).map_or_else(Default::default, |text| said_to(text));
            let is_complete = status == "complete";
            let is_beginning = !content.is_empty() && said.starts_with(&content);
            complain(problems, is_beginning && (!is_complete || is_whole && content == said), || {
                format!("{status} answer {id} is {content:?}, and the model said {said:?}")
            });
            stored.insert(id, (content, is_complete));
        }
        for (id, answer) in &self.answers {
            let found = stored.get(id);
            complain(problems, found == Some(answer), || format!("answer {id} is {found:?}, not {answer:?}"));
        }
        for (id, seen) in &self.begun {
            let lacks = stored.get(id).filter(|(content, _)| !content.starts_with(seen));
            complain(problems, lacks.is_none(), || format!("of answer {id} {seen:?} was seen; stored is {lacks:?}"));
        }
    }

    fn compare_events(&self, folder: &Path, problems: &mut Vec<String>) {
        let mut stored = HashSet::new();
        let mut batches: HashMap<(String, usize), usize> = HashMap::new();
        for [id] in db::rows(folder, "select client_id from events", &[]).into_iter().map(one) {
            let (batch, place) = id.split_once('-').expect("an id of the load");
            let (_, size) = place.split_once("of").expect("an id of the load");
            *batches.entry((batch.to_owned(), size.parse().expect("a size"))).or_default() += 1;
            complain(problems, stored.insert(id.clone()), || format!("event {id} is there twice"));
        }
        for ((batch, size), found) in batches {
            complain(problems, found == size, || format!("{found} of the {size} events of batch {batch} are there"));
        }
        for id in self.events.difference(&stored) {
            problems.push(format!("event {id} is lost"));
        }
    }

    fn compare_leads(&self, folder: &Path, problems: &mut Vec<String>) {
        let sql = "select email, name, message, json_extract(fields, '$.post') from leads";
        let mut stored: HashMap<String, u64> = HashMap::new();
        for row in db::rows(folder, sql, &[]) {
            let [email, name, message, field] = row.try_into().expect("four columns");
            let is_of_one_post = name == message && message == field;
            complain(problems, is_of_one_post, || format!("lead {email} is of two posts: {name}, {message}, {field}"));
            let before = stored.insert(email.clone(), name.parse().expect("the number of a post"));
            complain(problems, before.is_none(), || format!("lead {email} is there twice"));
        }
        for (email, post) in &self.leads {
            let found = stored.get(email);
            // A later post that nobody acknowledged may be there.
            complain(problems, found >= Some(post), || format!("lead {email} is of post {found:?}, not {post}"));
        }
    }
}

fn one(row: Vec<String>) -> [String; 1] {
    row.try_into().expect("one column")
}

fn complain(problems: &mut Vec<String>, is_well: bool, problem: impl FnOnce() -> String) {
    if !is_well {
        problems.push(problem());
    }
}
