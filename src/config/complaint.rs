//! What is wrong with `widget.toml`: all of it at once, worded for the person who wrote it.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    /// From 1; 0: the mistake is not in a line of the file.
    pub(crate) line: usize,
    /// The key, such as `agent[0].theme.accent`; empty: the file as a whole.
    pub(crate) key: String,
    /// What was found, and what to write instead.
    pub(crate) message: String,
}

/// Everything that is wrong, in the order of its lines.
#[derive(Clone, Debug)]
pub(crate) struct Complaints {
    pub(crate) source: PathBuf,
    pub(crate) list: Vec<Complaint>,
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = self.source.display();
        for Complaint { line, key, message } in &self.list {
            let place = if *line == 0 {
                format!("{source}")
            } else {
                format!("{source}:{line}")
            };
            let separator = if key.is_empty() { "" } else { ": " };
            writeln!(f, "{place}: {key}{separator}{message}")?;
        }
        match self.list.len() {
            1 => write!(f, "widgetd: 1 mistake in the configuration"),
            count => write!(f, "widgetd: {count} mistakes in the configuration"),
        }
    }
}

/// Where mistakes are noted down while the file is read.
pub(super) struct Notes<'a> {
    text: &'a str,
    list: RefCell<Vec<Complaint>>,
}

impl<'a> Notes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            list: RefCell::default(),
        }
    }

    pub(super) fn add(
        &self,
        span: &Range<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) {
        // An empty span at the start stands for the file as a whole.
        let line = if *span == (0..0) {
            0
        } else {
            self.line(span.start)
        };
        self.list.borrow_mut().push(Complaint {
            line,
            key: key.into(),
            message: message.into(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }

    pub(super) fn into_complaints(self, source: PathBuf) -> Complaints {
        let mut list = self.list.into_inner();
        list.sort_by_key(|complaint| complaint.line);
        Complaints { source, list }
    }

    fn line(&self, offset: usize) -> usize {
        1 + self
            .text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
    }
}
