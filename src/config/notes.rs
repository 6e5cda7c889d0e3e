//! What is noted while a file is read: complaints, warnings, and which keys the reader asked for.
//!
//! A file with a fault of syntax is still judged, but only as far as its text can be trusted: what stands before the
//! first fault. Absences are not complained of in such a file, since what is missing may be what was torn off.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::config::complaint::{Complaint, Complaints, nearest};
use crate::config::syntax;

/// Where a value stands, or would.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As `agent[0].name`.
    pub(super) key: String,
    /// In bytes from the start of the file.
    pub(super) offset: usize,
}

/// A key in the file that nobody asked for.
pub(super) struct Unknown {
    pub(super) place: Place,
    pub(super) key: String,
    /// The header of its section, as `[[agent]]`.
    pub(super) header: String,
    /// The keys that this section has.
    pub(super) siblings: Vec<&'static str>,
}

/// Collects through shared references, so that sections, values and checks can all complain as they go.
#[derive(Default)]
pub(super) struct Notes {
    line_ends: Vec<usize>,
    /// The offset of the first fault of syntax.
    torn_at: Option<usize>,
    complaints: RefCell<Vec<Complaint>>,
    warnings: RefCell<Vec<(usize, String)>>,
    unknown: RefCell<Vec<Unknown>>,
    /// Every key asked for, with the header of its section.
    known: RefCell<BTreeSet<(String, &'static str)>>,
}

impl Notes {
    pub(super) fn new(text: &str, faults: &[toml::de::Error]) -> Self {
        let notes = Self { line_ends: text.match_indices('\n').map(|(offset, _)| offset).collect(), ..Self::default() };
        let offset_of = |error: &toml::de::Error| error.span().map_or(text.len(), |span| span.start);
        let mut faults: Vec<_> = faults.iter().map(|error| (offset_of(error), error.message())).collect();
        faults.sort_unstable();
        // One slip gives several faults on its line; the first says what it is.
        faults.dedup_by_key(|(offset, _)| notes.line(*offset));
        for (offset, message) in &faults {
            notes.push(Some(*offset), String::new(), syntax::explained(text, *offset, message));
        }
        Self { torn_at: faults.first().map(|(offset, _)| *offset), ..notes }
    }

    /// `text` says what was found at `place` and what to write instead.
    pub(super) fn complain(&self, place: &Place, text: String) {
        if self.torn_at.is_none_or(|torn_at| place.offset < torn_at) {
            self.push(Some(place.offset), place.key.clone(), text);
        }
    }

    /// As [`Self::complain`], of something that the file lacks.
    pub(super) fn complain_of_absence(&self, place: &Place, text: String) {
        if self.torn_at.is_none() {
            self.complain(place, text);
        }
    }

    /// Of a variable or a flag: `name` is what the person set.
    pub(super) fn complain_of_override(&self, name: &str, text: String) {
        self.push(None, name.to_owned(), text);
    }

    /// Something that is allowed and probably not what the owner wants.
    pub(super) fn warn(&self, place: &Place, text: &str) {
        let text = format!("{}: {text}", place.key);
        self.warnings.borrow_mut().push((place.offset, text));
    }

    pub(super) fn ask(&self, header: &str, key: &'static str) {
        self.known.borrow_mut().insert((header.to_owned(), key));
    }

    pub(super) fn unknown(&self, unknown: Unknown) {
        self.unknown.borrow_mut().push(unknown);
    }

    /// The warnings, each with its line, or all complaints. Sections must be gone by now: they note what is unknown
    /// when they are dropped.
    pub(super) fn conclude(self, source: PathBuf) -> Result<Vec<String>, Complaints> {
        for unknown in self.unknown.take() {
            let text = self.advise_on_unknown(&unknown);
            self.complain(&unknown.place, text);
        }
        let mut list = self.complaints.take();
        if list.is_empty() {
            let mut warnings = self.warnings.take();
            warnings.sort();
            let shown = |(offset, text)| format!("{}:{}: {text}", source.display(), self.line(offset));
            return Ok(warnings.into_iter().map(shown).collect());
        }
        list.sort_by_key(|complaint| complaint.line.unwrap_or(0));
        Err(Complaints { source, list, torn: self.torn_at.is_some() })
    }

    /// Every key asked for, as `[server] listen`.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeSet<(String, &'static str)> {
        self.known.borrow().clone()
    }

    /// The value is not shown: it may be a secret under a wrong name.
    fn advise_on_unknown(&self, unknown: &Unknown) -> String {
        let siblings = unknown.siblings.iter().copied();
        if let Some(meant) = nearest(&unknown.key, siblings) {
            return format!("is not a key of {}; did you mean {meant}?", unknown.header);
        }
        let known = self.known.borrow();
        let homes: Vec<_> =
            known.iter().filter(|(_, key)| *key == unknown.key).map(|(header, _)| header.as_str()).collect();
        if !homes.is_empty() {
            // TOML gives a key to the last header above it, wherever the writer wanted it.
            return format!(
                "is a key of {}, not of {}; move it up to stand right under that header",
                homes.join(" and "),
                unknown.header
            );
        }
        let siblings = unknown.siblings.join(", ");
        format!("is not a key of {}; it has: {siblings}", unknown.header)
    }

    fn push(&self, offset: Option<usize>, key: String, text: String) {
        let line = offset.map(|offset| self.line(offset));
        self.complaints.borrow_mut().push(Complaint { line, key, text });
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|&end| end < offset)
    }
}
