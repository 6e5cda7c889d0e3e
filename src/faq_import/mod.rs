//! Questions and answers out of the files that people have: Markdown and tables. What is found is told with its line, and so
//! is what was passed over; whether it fits into the configuration is not judged here. `fetch` gets such a file from the
//! disk or the web, all else is pure.

mod fetch;
mod html;
mod lines;
mod markdown;
mod table;

pub(crate) use fetch::{fetch, is_url, load};
pub(crate) use table::TableError;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Markdown,
    /// Columns with names, separated by commas, semicolons or tabs.
    Csv,
}

impl Form {
    /// By the end of a file's name or of a URL's path.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit('/').next()?.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" | "mdown" | "mkd" | "mdx" => Some(Self::Markdown),
            "csv" | "tsv" | "tab" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// One question with its answer, as it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) question: String,
    /// In Markdown if the file is.
    pub(crate) answer: String,
    pub(crate) url: Option<String>,
}

/// Something that looked like a question and is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) line: usize,
    pub(crate) why: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) entries: Vec<Entry>,
    pub(crate) passed: Vec<Passed>,
}

/// Reads the text of a file of this form. Markdown cannot be wrong; a table can lack its columns.
pub(crate) fn read(text: &str, form: Form) -> Result<Reading, TableError> {
    // What spreadsheets and editors of Windows begin a file with.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match form {
        Form::Markdown => Ok(markdown::read(&with_plain_ends(text))),
        Form::Csv => table::read(text),
    }
}

/// With line ends as Unix has them, whichever they were.
fn with_plain_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}
