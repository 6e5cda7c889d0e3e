//! What was found, and what to write instead: the words are made where the finding is.

use serde::Serialize;

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// The widget does not work, or does harm.
    Error,
    /// It works, and something will be missed.
    Warning,
    /// It may be meant so.
    Note,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// In kebab-case. It stays the same over versions, for scripts.
    pub(crate) id: &'static str,
    pub(crate) severity: Severity,
    pub(crate) found: String,
    /// What to do, as a sentence.
    pub(crate) advice: String,
    /// What to write or to run, line by line; it may be empty.
    pub(crate) lines: Vec<String>,
}

/// Not inlined: there are a hundred of them, and none is in a hurry.
impl Finding {
    #[inline(never)]
    pub(super) fn error(id: &'static str, found: impl Into<String>) -> Self {
        Self::new(id, Severity::Error, found.into())
    }

    #[inline(never)]
    pub(super) fn warning(id: &'static str, found: impl Into<String>) -> Self {
        Self::new(id, Severity::Warning, found.into())
    }

    #[inline(never)]
    pub(super) fn note(id: &'static str, found: impl Into<String>) -> Self {
        Self::new(id, Severity::Note, found.into())
    }

    fn new(id: &'static str, severity: Severity, found: String) -> Self {
        Self { id, severity, found, advice: String::new(), lines: Vec::new() }
    }

    /// What to do about it.
    #[inline(never)]
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// A line that mends it.
    #[inline(never)]
    pub(super) fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }
}

/// All that was found, the worst first, and what was looked at and is fine.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    /// The page, after its redirects.
    pub(crate) page: String,
    /// The agent that the page asks for.
    pub(crate) agent: Option<String>,
    /// By which the server was called.
    pub(crate) server: String,
    /// Whether the page's HTML was seen to have a tag that a browser acts on. If not, nobody here knows that the widget shows.
    pub(crate) has_tag: bool,
    pub(crate) findings: Vec<Finding>,
    pub(crate) fine: Vec<String>,
}

impl Report {
    #[inline(never)]
    pub(super) fn add(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    #[inline(never)]
    pub(super) fn fine(&mut self, what: impl Into<String>) {
        self.fine.push(what.into());
    }

    /// Whether nothing keeps the widget from working.
    pub(crate) fn is_healthy(&self) -> bool {
        self.count(Severity::Error) == 0
    }

    pub(crate) fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}
