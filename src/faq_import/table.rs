//! Tables with a line of names: what spreadsheets and help desks export.

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::faq_import::{Entry, Passed, Reading, with_plain_ends};

/// What the columns are called, in lower case; the first of each is ours.
const QUESTION: [&str; 10] =
    ["question", "questions", "q", "frage", "question (en)", "pregunta", "domanda", "vraag", "pergunta", "title"];
const ANSWER: [&str; 10] =
    ["answer", "answers", "a", "antwort", "réponse", "reponse", "respuesta", "risposta", "antwoord", "resposta"];
const URL: [&str; 5] = ["url", "link", "href", "source", "learn more"];
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(
        "line 1 must name the columns: question, answer and, if you like, url, separated by commas, semicolons or tabs; it \
         reads \"{found}\""
    )]
    NoColumns { found: String },
    #[error(
        "line {line}: a cell of this row begins with a quote that is never closed, and all that follows would be in it"
    )]
    Unclosed { line: usize },
    #[error("line {line} cannot be read: {source}")]
    Broken { line: u64, source: csv::Error },
}

struct Columns {
    question: usize,
    answer: usize,
    url: Option<usize>,
}

/// What is put behind the text to see whether it is read as a row of its own.
const END: &str = "end of the table";

pub(super) fn read(text: &str) -> Result<Reading, TableError> {
    let text = without_separator_line(text);
    let Some((separator, columns)) =
        SEPARATORS.iter().find_map(|separator| Some((*separator, columns(text, *separator)?)))
    else {
        let found = text.lines().next().unwrap_or_default().chars().take(60).collect();
        return Err(TableError::NoColumns { found });
    };
    let mut reading = Reading::default();
    let mut last = 1;
    for record in reader(text, separator).records() {
        let record = record
            .map_err(|source| TableError::Broken { line: source.position().map_or(1, csv::Position::line), source })?;
        last = line_of(&record, text);
        read_record(&record, last, &columns, &mut reading);
    }
    if is_closed(text, separator) { Ok(reading) } else { Err(TableError::Unclosed { line: last }) }
}

/// Without the line "sep=;" that Excel writes before the names. Its end stays, so that lines are counted as they stand.
fn without_separator_line(text: &str) -> &str {
    let Some(rest) = text.strip_prefix("sep=") else { return text };
    rest.find(['\r', '\n']).filter(|length| *length <= 1).map_or(text, |length| &rest[length..])
}

/// Whether the last cell ends: a reader of CSV takes the end of the file for a quote's end too.
fn is_closed(text: &str, separator: u8) -> bool {
    let text = format!("{text}\n{END}\n");
    let last = reader(&text, separator).into_records().last();
    last.is_some_and(|record| record.is_ok_and(|record| record.get(0) == Some(END)))
}

fn reader(text: &str, separator: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().delimiter(separator).flexible(true).trim(Trim::All).from_reader(text.as_bytes())
}

/// None where this separator makes no names that are known.
fn columns(text: &str, separator: u8) -> Option<Columns> {
    let mut reader = reader(text, separator);
    let names: Vec<String> = reader.headers().ok()?.iter().map(str::to_lowercase).collect();
    // In the order of the list: a "title" beside a "question" is not the question.
    let column = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
    Some(Columns { question: column(&QUESTION)?, answer: column(&ANSWER)?, url: column(&URL) })
}

/// Where a record begins, counted from 1: its position is told as of the end of the one before, with blank lines still to come.
fn line_of(record: &StringRecord, text: &str) -> usize {
    let start = record.position().and_then(|position| usize::try_from(position.byte()).ok()).unwrap_or_default();
    let rest = text.get(start..).unwrap_or_default();
    let begin = start + rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    1 + text.bytes().take(begin).filter(|byte| *byte == b'\n').count()
}

fn read_record(record: &StringRecord, line: usize, columns: &Columns, reading: &mut Reading) {
    let cell = |column: usize| record.get(column).unwrap_or_default();
    let (question, answer) = (cell(columns.question), cell(columns.answer));
    let mut pass = |why: String| reading.passed.push(Passed { line, why });
    match (question, answer) {
        ("", "") => {}
        ("", _) => pass("an answer without a question".to_owned()),
        (question, "") => pass(format!("\"{question}\" has no answer")),
        (question, answer) => {
            let url = columns.url.map(cell).filter(|url| !url.is_empty()).map(str::to_owned);
            let question = question.split_whitespace().collect::<Vec<_>>().join(" ");
            reading.entries.push(Entry { line, question, answer: with_plain_ends(answer), url });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each entry as `line question|answer|url`.
    #[track_caller]
    fn check(text: &str, expected: &[&str], passed: &[&str]) {
        let reading =
            super::super::read(text, super::super::Form::Csv).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let found: Vec<_> = reading
            .entries
            .iter()
            .map(|e| format!("{} {}|{}|{}", e.line, e.question, e.answer, e.url.as_deref().unwrap_or_default()))
            .collect();
        assert_eq!(found, expected, "{text}");
        let told: Vec<_> = reading.passed.iter().map(|passed| format!("{} {}", passed.line, passed.why)).collect();
        assert_eq!(told, passed, "{text}");
    }

    #[test]
    fn columns_are_found_by_name_in_any_order_case_and_separator() {
        check("question,answer\nHow?,So.\n", &["2 How?|So.|"], &[]);
        check("\u{feff}Answer;URL;Question\r\nSo.;https://a.example;How?\r\n", &["2 How?|So.|https://a.example"], &[]);
        check("id\tFrage\tAntwort\n7\tWie?\tSo, ja.\n", &["2 Wie?|So, ja.|"], &[]);
        check("Title,Question,Answer\nx,How?,So.\n", &["2 How?|So.|"], &[]);
        check(" question , answer \n How? , So. \n", &["2 How?|So.|"], &[]);
    }

    #[test]
    fn an_answer_may_have_lines_and_what_follows_keeps_its_own_number() {
        check(
            "question,answer\n\"How?\",\"So,\r\nand \"\"so\"\".\"\n\nWhen?,Now.\n",
            &["2 How?|So,\nand \"so\".|", "5 When?|Now.|"],
            &[],
        );
    }

    #[test]
    fn what_is_half_there_is_told_with_its_line() {
        check(
            "question,answer,url\nHow?\n,So.,\n,,\nWhen?,Now.,,more\n",
            &["5 When?|Now.|"],
            &["2 \"How?\" has no answer", "3 an answer without a question"],
        );
    }

    #[test]
    fn a_quote_that_is_never_closed_swallows_nothing() {
        let told = read("question,answer\nHow?,So.\nWhen?,\"Now.\nWhere?,There.\n").unwrap_err().to_string();
        assert!(told.starts_with("line 3: a cell of this row begins with a quote"), "{told}");
        check(
            "question,answer\nHow long?,5\" or so\nWhen?,\"Now.\"",
            &["2 How long?|5\" or so|", "3 When?|Now.|"],
            &[],
        );
    }

    #[test]
    fn the_line_that_excel_puts_before_the_names_is_none_of_them() {
        check("sep=;\r\nQuestion;Answer\r\nHow?;So.\r\n", &["3 How?|So.|"], &[]);
    }

    #[test]
    fn a_table_without_names_is_refused_with_those_that_it_needs() {
        for text in ["", "How?,So.\n", "question\nHow?\n", "# FAQ\n\n## How?\n"] {
            let told = read(text).unwrap_err().to_string();
            assert!(told.contains("line 1 must name the columns: question, answer"), "{told}");
        }
    }
}
