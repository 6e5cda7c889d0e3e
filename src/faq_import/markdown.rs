//! Markdown as people write their questions in: headings with the answer below, "Q:" and "A:", and what unfolds
//! (`<details>`). Answers stay Markdown, which the widget shows.

use crate::faq_import::lines::{self, Kind, Line};
use crate::faq_import::{Entry, Passed, Reading, html};

/// The words before a question and an answer; those of one letter count as capitals alone.
const QUESTION: [&str; 4] = ["Q", "F", "question", "frage"];
const ANSWER: [&str; 3] = ["A", "answer", "antwort"];

/// `text` has no line ends of Windows.
pub(super) fn read(text: &str) -> Reading {
    let lines = lines::of(text);
    let mut reader = Reader { reading: Reading::default(), open: None, title: title(&lines) };
    let mut next = 0;
    while let Some(line) = lines.get(next) {
        next += match &line.kind {
            Kind::Heading { level, text } => {
                reader.heading(*level, text, line);
                1
            }
            Kind::Text => match details(&lines[next..]).filter(|_| !reader.is_in_question()) {
                Some(Details { question, answer, count }) => {
                    reader.close();
                    reader.begin(line.number, &question, Style::Details);
                    reader.answer(&answer);
                    reader.close();
                    count
                }
                None => {
                    reader.text(line);
                    1
                }
            },
            Kind::Code => {
                reader.answer(line.text);
                1
            }
            Kind::Hidden | Kind::HeadingBegin => 1,
        };
    }
    reader.close();
    reader.reading
}

/// The line of a heading that is the document's: the first, if it stands above all others and asks nothing.
fn title(lines: &[Line]) -> Option<usize> {
    let mut headings = lines.iter().filter_map(|line| match &line.kind {
        Kind::Heading { level, text } => Some((*level, text, line.number)),
        _ => None,
    });
    let (level, text, number) = headings.next()?;
    let others: Vec<_> = headings.map(|(level, ..)| level).collect();
    let is_title = !others.is_empty() && others.iter().all(|other| *other > level) && !text.trim_end().ends_with('?');
    is_title.then_some(number)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Heading {
        level: u8,
    },
    /// Whether the answer has begun.
    Pair {
        is_answered: bool,
    },
    Details,
}

/// A question whose answer is being read.
struct Open {
    line: usize,
    question: String,
    style: Style,
    answer: String,
}

struct Reader {
    reading: Reading,
    open: Option<Open>,
    title: Option<usize>,
}

impl Reader {
    fn heading(&mut self, level: u8, text: &str, line: &Line) {
        // A part of a long answer.
        let is_part = self.open.as_ref().is_some_and(|open| {
            let above = matches!(open.style, Style::Heading { level: above } if above < level);
            above && open.question.ends_with('?') && !open.answer.trim().is_empty() && !plain(text).ends_with('?')
        });
        if is_part {
            self.answer(line.text);
            return;
        }
        self.close();
        let question = marked(text, &QUESTION).map_or_else(|| text.to_owned(), |rest| rest.to_owned());
        self.begin(line.number, &plain(&question), Style::Heading { level });
    }

    fn text(&mut self, line: &Line) {
        if let Some(question) = marked(line.text, &QUESTION) {
            self.close();
            self.begin(line.number, &plain(&question), Style::Pair { is_answered: false });
            return;
        }
        let Some(open) = &mut self.open else { return };
        let is_first = open.answer.trim().is_empty();
        if is_first && let Some(answer) = marked(line.text, &ANSWER) {
            if let Style::Pair { is_answered } = &mut open.style {
                *is_answered = true;
            }
            self.answer(&without_tags(&answer));
            return;
        }
        match &mut open.style {
            Style::Pair { is_answered } if !*is_answered => {
                // A question may go on over lines; what stands apart from it, or behind its mark, answers it.
                let is_blank = line.text.trim().is_empty();
                if is_blank || open.question.ends_with('?') {
                    *is_answered = true;
                    self.answer(&without_tags(line.text));
                } else {
                    let more = plain(line.text);
                    open.question = format!("{} {more}", open.question).trim().to_owned();
                }
            }
            _ => self.answer(&without_tags(line.text)),
        }
    }

    /// Whether what unfolds here belongs to the answer of a question that a heading asks.
    fn is_in_question(&self) -> bool {
        let asks = |open: &Open| matches!(open.style, Style::Heading { .. }) && open.question.ends_with('?');
        self.open.as_ref().is_some_and(asks)
    }

    fn begin(&mut self, line: usize, question: &str, style: Style) {
        self.open = Some(Open { line, question: question.to_owned(), style, answer: String::new() });
    }

    fn answer(&mut self, text: &str) {
        if let Some(open) = &mut self.open {
            open.answer.push_str(text);
            open.answer.push('\n');
        }
    }

    /// Ends the question that is being read.
    fn close(&mut self) {
        let Some(Open { line, question, answer, .. }) = self.open.take() else { return };
        let answer = without_rules(&answer);
        let why = if self.title == Some(line) {
            format!("\"{question}\" is taken for the title of the file")
        } else if question.is_empty() {
            "a heading without words".to_owned()
        } else if answer.is_empty() {
            format!("\"{question}\" has no answer below it")
        } else {
            self.reading.entries.push(Entry { line, question, answer: answer.to_owned(), url: None });
            return;
        };
        self.reading.passed.push(Passed { line, why });
    }
}

/// The answer without blank lines around it, and without the lines that separate it from the next one.
fn without_rules(answer: &str) -> &str {
    let mut answer = answer.trim_end();
    while let Some(line) = answer.lines().next_back() {
        let is_rule =
            line.trim().len() >= 3 && ['-', '*', '_'].iter().any(|c| line.trim().chars().all(|found| found == *c));
        if !is_rule {
            break;
        }
        answer = answer[..answer.len() - line.len()].trim_end();
    }
    // White space before the first line may make code of it.
    let blank = answer.len() - answer.trim_start().len();
    let start = answer[..blank].rfind('\n').map_or(0, |newline| newline + 1);
    &answer[start..]
}

/// What follows one of the words and a colon, bold or not: `**Q:** How?`, `**Q1: How?**`, `- Question: How?`.
fn marked(line: &str, words: &[&str]) -> Option<String> {
    let bare = line.trim_start().trim_start_matches(['-', '+', '>']).trim_start();
    let without_bold = bare.trim_start_matches(['*', '_']);
    let bold = &bare[..bare.len() - without_bold.len()];
    if bold.len() > 3 || without_bold.starts_with(char::is_whitespace) {
        return None;
    }
    let rest = words.iter().find_map(|word| {
        let (start, rest) = without_bold.split_at_checked(word.len())?;
        let is_word = if word.len() == 1 { start == *word } else { start.eq_ignore_ascii_case(word) };
        let rest = rest.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        // The colon stands before the end of what is bold, or behind it.
        let before = rest.strip_prefix(':');
        let behind = rest.strip_prefix(bold).and_then(|rest| rest.strip_prefix(':')).map(|rest| (rest, ""));
        before.map(|rest| (rest, bold)).or(behind).filter(|_| is_word)
    });
    let (rest, bold) = rest?;
    let without_end = rest.strip_prefix(bold).or_else(|| rest.trim_end().strip_suffix(bold));
    Some(without_end.unwrap_or(rest).trim().to_owned())
}

/// A line of an answer, which is not code. In a table's row a tag that breaks the line would break the table.
fn without_tags(line: &str) -> String {
    if line.trim_start().starts_with('|') { line.to_owned() } else { html::to_markdown(line) }
}

/// A question as plain text: it is shown as it is.
fn plain(source: &str) -> String {
    let source = html::to_markdown(source);
    let mut text = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(c) = rest.chars().next() {
        if let Some((shown, after)) = link(rest) {
            text.push_str(&plain(shown));
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' if rest.starts_with(|c: char| c.is_ascii_punctuation()) => {
                let escaped = rest.chars().next().unwrap_or_default();
                text.push(escaped);
                rest = &rest[escaped.len_utf8()..];
            }
            '*' | '`' => {}
            // Within a word it is a part of it.
            '_' if !text.ends_with(char::is_alphanumeric) || !rest.starts_with(char::is_alphanumeric) => {}
            c => text.push(c),
        }
    }
    // An anchor's name, and the number of a list.
    let text = text.rsplit_once("{#").filter(|(_, id)| id.ends_with('}')).map_or(text.as_str(), |(before, _)| before);
    let digits = text.trim_start().bytes().take_while(u8::is_ascii_digit).count();
    let numbered =
        text.trim_start()[digits..].strip_prefix(['.', ')']).filter(|rest| digits > 0 && rest.starts_with(' '));
    numbered.unwrap_or(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What is shown of a link or a picture that begins here, and what follows it.
fn link(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix("![").or_else(|| text.strip_prefix('['))?;
    let (shown, rest) = inner.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!shown.contains('[')).then_some((shown, after))
}

struct Details {
    question: String,
    answer: String,
    /// Of lines.
    count: usize,
}

/// What unfolds, if it begins in the first of these lines. One without a summary asks nothing.
fn details(lines: &[Line]) -> Option<Details> {
    if !lines.first()?.text.trim_start().get(..8)?.eq_ignore_ascii_case("<details") {
        return None;
    }
    // Those within belong to the answer.
    let mut depth = 0;
    let count = 1 + lines.iter().position(|line| {
        let text = if line.kind == Kind::Code { String::new() } else { line.text.to_ascii_lowercase() };
        depth += text.matches("<details").count();
        depth -= text.matches("</details").count().min(depth);
        depth == 0
    })?;
    let source: Vec<_> = lines[..count].iter().filter(|line| line.kind != Kind::Hidden).map(|line| line.text).collect();
    let source = source.join("\n");
    let lower = source.to_ascii_lowercase();
    let summary = lower.find("<summary")?;
    let begin = summary + lower[summary..].find('>')? + 1;
    let end = begin + lower[begin..].find("</summary>")?;
    let answer = &source[end + "</summary>".len()..];
    let answer = &answer[..answer.to_ascii_lowercase().rfind("</details")?];
    let question = plain(&source[begin..end]);
    let question = marked(&question, &QUESTION).unwrap_or(question);
    Some(Details { question, answer: html::to_markdown(answer.trim()), count })
}

#[cfg(test)]
mod tests;
