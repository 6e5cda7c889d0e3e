//! A table of `widget.toml`, read key by key.
//!
//! Not serde: it would stop at the first mistake. A section hands out typed values, notes down every value of another
//! type or out of range, and at the end every key that nobody asked for, with the one that was probably meant.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::complaint::Notes;
use super::units;
use crate::limiter::Rate;

pub(super) struct Section<'a> {
    table: Option<&'a DeTable<'a>>,
    path: String,
    span: Range<usize>,
    notes: &'a Notes<'a>,
    asked: RefCell<Vec<&'static str>>,
}

/// A text of the file, with its place, for judgements that are made elsewhere.
pub(super) struct Text<'a> {
    pub(super) value: &'a str,
    key: String,
    span: Range<usize>,
    notes: &'a Notes<'a>,
}

impl Text<'_> {
    /// Notes that this text is wrong; `message` says why and what to write instead.
    pub(super) fn complain(&self, message: impl Display) {
        self.notes.add(
            &self.span,
            &*self.key,
            format!("{:?} {message}", self.value),
        );
    }

    /// What `parse` makes of it; its error is the complaint.
    pub(super) fn parsed<T, E: Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(self.value).map_err(|error| self.complain(error)).ok()
    }
}

impl<'a> Section<'a> {
    pub(super) fn root(table: &'a Spanned<DeTable<'a>>, notes: &'a Notes<'a>) -> Self {
        Self::new(Some(table.get_ref()), String::new(), 0..0, notes)
    }

    fn new(
        table: Option<&'a DeTable<'a>>,
        path: String,
        span: Range<usize>,
        notes: &'a Notes<'a>,
    ) -> Self {
        Self {
            table,
            path,
            span,
            notes,
            asked: RefCell::default(),
        }
    }

    /// Notes that something is wrong with a key, or is missing, at the key's place or the section's.
    pub(super) fn complain(&self, name: &str, message: impl Display) {
        let span = self
            .get(name)
            .map_or_else(|| self.span.clone(), Spanned::span);
        self.notes.add(&span, self.key(name), message.to_string());
    }

    /// Whether the file has this key.
    pub(super) fn has(&self, name: &'static str) -> bool {
        self.asked.borrow_mut().push(name);
        self.get(name).is_some()
    }

    pub(super) fn text(&self, name: &'static str, chars_max: usize) -> Option<Text<'a>> {
        let value = self.value(name)?;
        let text = self.string(value, self.key(name))?;
        let chars = text.value.chars().count();
        if chars > chars_max || text.value.contains('\0') {
            self.complain(
                name,
                format!("has {chars} characters; write at most {chars_max}, without U+0000"),
            );
            return None;
        }
        Some(text)
    }

    /// A text that may not be empty.
    pub(super) fn required(&self, name: &'static str, chars_max: usize) -> Option<Text<'a>> {
        if !self.has(name) {
            self.complain(name, "is missing: write it, it has no default");
            return None;
        }
        let text = self.text(name, chars_max)?;
        if text.value.trim().is_empty() {
            self.complain(name, "is empty: write something");
            return None;
        }
        Some(text)
    }

    pub(super) fn string_or(&self, name: &'static str, default: &str, chars_max: usize) -> String {
        self.text(name, chars_max)
            .map_or_else(|| default.to_owned(), |text| text.value.to_owned())
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.text(name, 100)?;
        let chosen = choices.iter().find(|(word, _)| *word == text.value);
        if chosen.is_none() {
            let words: Vec<_> = choices
                .iter()
                .map(|(word, _)| format!("{word:?}"))
                .collect();
            text.complain(format!("is not known: write one of {}", words.join(", ")));
        }
        chosen.map(|(_, value)| *value)
    }

    pub(super) fn bool_or(&self, name: &'static str, default: bool) -> bool {
        let Some(value) = self.value(name) else {
            return default;
        };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(name, value, "true or false");
            default
        })
    }

    pub(super) fn number_or(
        &self,
        name: &'static str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> u64 {
        let Some(value) = self.value(name) else {
            return default;
        };
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        match number.map(u64::try_from) {
            Some(Ok(number)) if range.contains(&number) => return number,
            Some(_) => {
                let found = self.shown(value);
                self.complain(
                    name,
                    format!(
                        "{found} is out of range: write {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
            }
            None => self.wrong_type(
                name,
                value,
                &format!("a whole number from {} to {}", range.start(), range.end()),
            ),
        }
        default
    }

    /// The same, for counts in memory.
    pub(super) fn count_or(
        &self,
        name: &'static str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let range = *range.start() as u64..=*range.end() as u64;
        usize::try_from(self.number_or(name, default as u64, range)).unwrap_or(default)
    }

    pub(super) fn decimal(&self, name: &'static str, range: RangeInclusive<f32>) -> Option<f32> {
        let value = self.value(name)?;
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().replace('_', "").parse::<f32>().ok(),
            DeValue::Integer(number) => number.as_str().parse::<f32>().ok(),
            _ => None,
        };
        match number {
            Some(number) if range.contains(&number) => Some(number),
            _ => {
                let found = self.shown(value);
                self.complain(
                    name,
                    format!(
                        "{found} is no number from {} to {}",
                        range.start(),
                        range.end()
                    ),
                );
                None
            }
        }
    }

    pub(super) fn duration_or(
        &self,
        name: &'static str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(text) = self.text(name, 100) else {
            return default;
        };
        match units::duration(text.value) {
            Some(duration) if range.contains(&duration) => return duration,
            Some(_) => {
                let (start, end) = (units::shown(*range.start()), units::shown(*range.end()));
                text.complain(format!("is out of range: write {start:?} to {end:?}"));
            }
            None => text.complain(format!(
                "is no duration: write it like {:?}",
                units::shown(default)
            )),
        }
        default
    }

    pub(super) fn size_or(&self, name: &'static str, default: u64) -> u64 {
        let Some(text) = self.text(name, 100) else {
            return default;
        };
        units::size(text.value).unwrap_or_else(|| {
            text.complain("is no size: write it like \"256 MiB\", in B, KiB, MiB, GiB or TiB");
            default
        })
    }

    pub(super) fn rate_or(&self, name: &'static str, default: Rate) -> Rate {
        let Some(text) = self.text(name, 100) else {
            return default;
        };
        units::rate(text.value).unwrap_or_else(|| {
            text.complain(
                "is no rate: write it like \"60/1m\", 1 to 100000 requests in \"100ms\" to \"24h\"",
            );
            default
        })
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &'static str, max: usize, chars_max: usize) -> Vec<Text<'a>> {
        let Some(list) = self.array(name, max) else {
            return Vec::new();
        };
        let texts = list.iter().enumerate().filter_map(|(index, value)| {
            let key = format!("{}[{index}]", self.key(name));
            let text = self.string(value, key)?;
            if text.value.chars().count() > chars_max {
                text.complain(format!("is too long: write at most {chars_max} characters"));
                return None;
            }
            Some(text)
        });
        texts.collect()
    }

    /// A table inside this one; an empty one if it is not there.
    pub(super) fn section(&self, name: &'static str) -> Section<'a> {
        let Some(value) = self.value(name) else {
            return Self::new(None, self.key(name), self.span.clone(), self.notes);
        };
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(name, value, &format!("a table: [{}]", self.key(name)));
        }
        Self::new(table, self.key(name), value.span(), self.notes)
    }

    /// Tables under one name: `[[agent]]`.
    pub(super) fn sections(&self, name: &'static str, max: usize) -> Vec<Section<'a>> {
        let Some(list) = self.array(name, max) else {
            return Vec::new();
        };
        let sections = list.iter().enumerate().map(|(index, value)| {
            let key = format!("{}[{index}]", self.key(name));
            let table = value.get_ref().as_table();
            if table.is_none() {
                self.notes.add(
                    &value.span(),
                    &*key,
                    format!(
                        "is {}: write [[{}]] before its keys",
                        value.get_ref().type_str(),
                        self.key(name)
                    ),
                );
            }
            Self::new(table, key, value.span(), self.notes)
        });
        sections.collect()
    }

    /// All keys of a table that has names of the owner's choice, with their texts.
    pub(super) fn entries(self) -> Vec<(String, Text<'a>)> {
        let entries = self
            .table
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| {
                let name: &str = name.get_ref();
                Some((name.to_owned(), self.string(value, self.key(name))?))
            });
        entries.collect()
    }

    /// Notes every key that nobody asked for: the last thing that is done with a section.
    pub(super) fn finish(&self) {
        let asked = self.asked.borrow();
        for (name, _) in self.table.iter().copied().flatten() {
            let found: &str = name.get_ref();
            if asked.contains(&found) {
                continue;
            }
            let meant = asked
                .iter()
                .map(|known| (strsim::jaro_winkler(known, found), *known))
                .filter(|(likeness, _)| *likeness > 0.8)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            let message = match meant {
                Some((_, known)) => format!("is not a key here: did you mean \"{known}\"?"),
                None => {
                    let mut known: Vec<&str> = asked.clone();
                    known.sort_unstable();
                    known.dedup();
                    format!("is not a key here: there are {}", known.join(", "))
                }
            };
            self.notes.add(&name.span(), self.key(found), message);
        }
    }

    fn key(&self, name: &str) -> String {
        match (self.path.is_empty(), name.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{name}", self.path),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.get(name)
    }

    fn value(&self, name: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(name);
        self.get(name)
    }

    fn string(&self, value: &'a Spanned<DeValue<'a>>, key: String) -> Option<Text<'a>> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            let found = self.shown(value);
            self.notes.add(
                &value.span(),
                &*key,
                format!("{found} is no text: write it in quotes"),
            );
        }
        Some(Text {
            value: text?,
            key,
            span: value.span(),
            notes: self.notes,
        })
    }

    fn array(&self, name: &'static str, max: usize) -> Option<&'a [Spanned<DeValue<'a>>]> {
        let value = self.value(name)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(name, value, "a list, in [ ]");
            return None;
        };
        if list.len() > max {
            self.complain(
                name,
                format!("has {} entries: write at most {max}", list.len()),
            );
        }
        Some(list)
    }

    fn wrong_type(&self, name: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        self.complain(
            name,
            format!(
                "{} is {}: write {wanted}",
                self.shown(value),
                value.get_ref().type_str()
            ),
        );
    }

    /// The value as it stands in the file, if it is short.
    fn shown(&self, value: &Spanned<DeValue<'_>>) -> String {
        match value.get_ref() {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.as_str().to_owned(),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "this".into(),
            DeValue::Table(_) => "this".into(),
        }
    }
}
