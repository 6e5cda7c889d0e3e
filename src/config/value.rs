//! One value of the file, which may be absent, and the ways to read it. Each way gives the value, or `None` when it is
//! absent or wrong; wrong has then been complained of, with what to write instead.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use crate::config::complaint::{nearest, quoted};
use crate::config::leak;
use crate::config::notes::{Notes, Place};
use crate::config::section::dotted;
use crate::config::units;
use crate::domain::{money, text};
use crate::limiter::Rate;

#[derive(Clone)]
pub(super) struct Value<'a> {
    found: Option<&'a DeValue<'a>>,
    place: Place,
    /// Complaints do not show what was found.
    hidden: bool,
    notes: &'a Notes,
}

impl<'a> Value<'a> {
    pub(super) fn new(found: Option<&'a DeValue<'a>>, place: Place, notes: &'a Notes) -> Self {
        Self { found, place, hidden: false, notes }
    }

    pub(super) fn is_present(&self) -> bool {
        self.found.is_some()
    }

    pub(super) fn found(&self) -> Option<&'a DeValue<'a>> {
        self.found
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The same value, absent being a mistake; `example` is a line that would do.
    pub(super) fn required(self, example: &str) -> Self {
        if self.found.is_none() {
            let text = format!("is missing; write {example}");
            self.notes.complain_of_absence(&self.place, text);
        }
        self
    }

    /// The same value, which may be a secret.
    pub(super) fn hidden(self) -> Self {
        Self { hidden: true, ..self }
    }

    /// `text` follows what was found: "is not …; write …".
    pub(super) fn complain(&self, text: &str) {
        self.notes.complain(&self.place, format!("{} {text}", self.shown()));
    }

    /// Complains of the value, if it is there, without showing it.
    pub(super) fn refuse(&self, text: &str) {
        if self.is_present() {
            self.notes.complain(&self.place, text.to_owned());
        }
    }

    /// What was found, for a complaint to begin with.
    pub(super) fn shown(&self) -> String {
        match self.found {
            _ if self.hidden => "the value".to_owned(),
            None => "nothing".to_owned(),
            Some(DeValue::String(text)) => match leak::kind_of_key(text) {
                Some(_) => "the value".to_owned(),
                None => quoted(text),
            },
            Some(DeValue::Integer(integer)) => integer.to_string(),
            Some(DeValue::Float(float)) => float.to_string(),
            Some(DeValue::Boolean(boolean)) => boolean.to_string(),
            Some(DeValue::Datetime(_)) => "a date".to_owned(),
            Some(DeValue::Array(_)) => "a list".to_owned(),
            Some(DeValue::Table(_)) => "a table".to_owned(),
        }
    }

    /// The text as it stands, whatever it holds.
    pub(super) fn string(&self) -> Option<&'a str> {
        match self.found? {
            DeValue::String(text) => Some(text),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
                let shown = self.shown();
                self.complain(&format!("is not a text; write it in quotes: \"{shown}\""));
                None
            }
            _ => {
                self.complain("is not a text; write one in quotes");
                None
            }
        }
    }

    /// A text that `parse` understands; its error says what is wrong, beginning with a verb.
    pub(super) fn parse<T, E: Display>(&self, parse: impl FnOnce(&'a str) -> Result<T, E>) -> Option<T> {
        match parse(self.string()?) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.complain(&error.to_string());
                None
            }
        }
    }

    /// One line of 1 to `max` characters, without white space around it.
    pub(super) fn line(&self, max: usize) -> Option<String> {
        self.parse(|found| {
            let line = text::trimmed(found, max).map_err(|error| error.to_string())?;
            match line.chars().find(|c| c.is_control()) {
                Some('\n' | '\r') => Err("must be one line".to_owned()),
                Some(_) => Err("holds a control character; remove it".to_owned()),
                None => leak::refuse_key(line),
            }
        })
        .map(str::to_owned)
    }

    /// A text of up to `max` characters that may have several lines, without white space around it. It may be empty.
    pub(super) fn paragraphs(&self, max: usize) -> Option<String> {
        self.parse(|found| {
            let text = text::bounded(found.trim(), max).map_err(|error| error.to_string())?;
            let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
            if !text.chars().all(is_plain) {
                return Err("holds a control character; remove it".to_owned());
            }
            leak::refuse_key(text)
        })
        .map(|text| text.replace("\r\n", "\n"))
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        match self.found? {
            DeValue::Boolean(boolean) => Some(*boolean),
            _ => {
                self.complain("is not true or false; write one of them, without quotes");
                None
            }
        }
    }

    /// A whole number in `range`.
    pub(super) fn integer<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(integer) = self.found? else {
            match self.found.and_then(DeValue::as_str).map(str::parse::<i64>) {
                Some(Ok(number)) => {
                    self.complain(&format!("is in quotes; write {number} without them"));
                }
                _ => self.complain(&format!("is not a whole number; write {wanted}")),
            }
            return None;
        };
        let number = i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            self.complain(&format!("is out of range; write {wanted}"));
        }
        number
    }

    /// A number in `range`, with or without a decimal point.
    pub(super) fn number(&self, range: RangeInclusive<f32>) -> Option<f32> {
        let found: Option<f32> = match self.found? {
            DeValue::Integer(integer) => integer.as_str().parse().ok(),
            DeValue::Float(float) => float.as_str().parse().ok(),
            _ => None,
        };
        let number = found.filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.complain(&format!("must be a number from {least} to {most}"));
        }
        number
    }

    /// An amount of money of at most `max`, as `0.15`: nanos.
    pub(super) fn money(&self, max: u64) -> Option<u64> {
        let written = match self.found? {
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            DeValue::Float(float) => float.as_str(),
            DeValue::String(text) if money::parse(text).is_some() => {
                self.complain(&format!("is in quotes; write {text} without them"));
                return None;
            }
            _ => {
                self.complain("is not an amount of money; write a number such as 0.15");
                return None;
            }
        };
        let nanos = money::parse(written.trim_start_matches('+'));
        let within = nanos.filter(|nanos| u128::from(*nanos) <= u128::from(max) * 1_000_000_000);
        if within.is_none() {
            self.complain(&match nanos {
                Some(_) => format!("is out of range; write an amount from 0 to {max}"),
                None => "is not an amount of money; write it with digits and a point, such as 0.15".to_owned(),
            });
        }
        within
    }

    /// A time with its unit, as `"90s"`, in `range`.
    pub(super) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        if let Some(DeValue::Integer(integer)) = self.found {
            self.complain(&format!("has no unit; write \"{integer}s\" for seconds"));
            return None;
        }
        let duration = self.parse(units::parse_duration)?;
        if range.contains(&duration) {
            return Some(duration);
        }
        let [least, most] = [range.start(), range.end()].map(|end| units::show_duration(*end));
        self.complain(&format!("is out of range; write \"{least}\" to \"{most}\""));
        None
    }

    /// A size with its unit, as `"256 MiB"`, in `range`: bytes.
    pub(super) fn bytes(&self, range: RangeInclusive<u64>) -> Option<u64> {
        if let Some(DeValue::Integer(integer)) = self.found {
            self.complain(&format!("has no unit; write \"{integer} MiB\" or \"{integer} B\""));
            return None;
        }
        let bytes = self.parse(units::parse_bytes)?;
        if range.contains(&bytes) {
            return Some(bytes);
        }
        let [least, most] = [range.start(), range.end()].map(|end| units::show_bytes(*end));
        self.complain(&format!("is out of range; write \"{least}\" to \"{most}\""));
        None
    }

    /// A count in a window of time, as `"60/1m"`.
    pub(super) fn rate(&self) -> Option<Rate> {
        self.parse(units::parse_rate)
    }

    /// One of the words of `choices`.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Option<T> {
        self.parse(|found| {
            let choice = choices.iter().find(|(word, _)| *word == found);
            choice.map(|(_, meaning)| *meaning).ok_or_else(|| {
                let words = choices.iter().map(|(word, _)| *word);
                match nearest(found, words.clone()) {
                    Some(meant) => format!("is not known here; did you mean \"{meant}\"?"),
                    None => {
                        let words: Vec<_> = words.map(|word| format!("\"{word}\"")).collect();
                        format!("is not known here; write {}", words.join(" or "))
                    }
                }
            })
        })
    }

    /// The items of a list of at most `max`; an empty list is `Some`.
    pub(super) fn list(&self, max: usize) -> Option<Vec<Value<'a>>> {
        match self.found? {
            DeValue::Array(array) if array.len() <= max => Some(self.items()),
            DeValue::Array(array) => {
                self.refuse(&format!("there are {}; at most {max} can be", array.len()));
                None
            }
            DeValue::String(_) => {
                self.complain(&format!("is not a list; write [{}]", self.shown()));
                None
            }
            _ => {
                self.complain("is not a list; write one in brackets: [\"…\", \"…\"]");
                None
            }
        }
    }

    /// The entries of a table whose keys are the owner's own, at most `max`.
    pub(super) fn entries(&self, max: usize) -> Option<Vec<(&'a str, Value<'a>)>> {
        match self.found? {
            DeValue::Table(table) if table.len() <= max => {
                let entry = |(key, value): (&'a toml::Spanned<_>, &'a toml::Spanned<_>)| {
                    let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
                    let place = Place { key: dotted(&self.place.key, name), offset: value.span().start };
                    let value = Value::new(Some(value.get_ref()), place, self.notes);
                    (name.as_ref(), value)
                };
                Some(table.iter().map(entry).collect())
            }
            DeValue::Table(table) => {
                self.refuse(&format!("there are {}; at most {max} can be", table.len()));
                None
            }
            _ => {
                self.complain("is not a table; write { \"X-Name\" = \"value\" }");
                None
            }
        }
    }

    /// What a list holds; nothing when it is none.
    pub(super) fn items(&self) -> Vec<Value<'a>> {
        let Some(DeValue::Array(array)) = self.found else {
            return Vec::new();
        };
        let item = |(index, value): (usize, &'a toml::Spanned<DeValue<'a>>)| {
            let place = Place { key: format!("{}[{index}]", self.place.key), offset: value.span().start };
            Value::new(Some(value.get_ref()), place, self.notes)
        };
        array.iter().enumerate().map(item).collect()
    }
}
