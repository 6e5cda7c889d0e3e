//! A cursor over one table of the file. It hands out values by key, remembers which keys were asked for, and when it is
//! dropped it notes every other key of the table as unknown. So whoever reads a section reads all of it before leaving.
//!
//! Why not serde: it stops at the first mistake, and the owner should see all of them at once.

use std::cell::RefCell;

use toml::de::{DeTable, DeValue};

use crate::config::notes::{Notes, Place, Unknown};
use crate::config::value::Value;

pub(super) struct Section<'a> {
    /// None: the file does not have this section, so each of its keys is absent.
    table: Option<&'a DeTable<'a>>,
    place: Place,
    /// As `[server]` or `[[agent]]`; what complaints call the section.
    header: String,
    asked: RefCell<Vec<&'static str>>,
    notes: &'a Notes,
}

impl<'a> Section<'a> {
    /// The file itself.
    pub(super) fn root(table: &'a DeTable<'a>, notes: &'a Notes) -> Self {
        Self {
            table: Some(table),
            place: Place { key: String::new(), offset: 0 },
            header: "the file".to_owned(),
            asked: RefCell::default(),
            notes,
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// The value of `key`, which may be absent.
    pub(super) fn get(&self, key: &'static str) -> Value<'a> {
        self.notes.ask(&self.header, key);
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.peek(key)
    }

    /// Complains of `key` if it is there: a key that does not belong here and about which more can be said than that.
    pub(super) fn refuse(&self, key: &'static str, text: &str) {
        let value = self.peek(key);
        if value.is_present() {
            self.asked.borrow_mut().push(key);
        }
        value.refuse(text);
    }

    /// The table `[key]`, empty when it is absent.
    pub(super) fn table(&self, key: &'static str) -> Section<'a> {
        let value = self.get(key);
        let header = format!("[{}]", self.path_of(key));
        let table = match value.found() {
            None => None,
            Some(DeValue::Table(table)) => Some(table),
            Some(DeValue::Array(_)) => {
                value.refuse(&format!("is a list, and there can be only one; write {header}"));
                None
            }
            Some(_) => {
                value.complain(&format!("is not a table; write {header}"));
                None
            }
        };
        self.child(table, value.place().clone(), header)
    }

    /// The tables `[[key]]` in their order, at most `max`.
    pub(super) fn tables(&self, key: &'static str, max: usize) -> Vec<Section<'a>> {
        let value = self.get(key);
        let header = format!("[[{}]]", self.path_of(key));
        let array = match value.found() {
            None => return Vec::new(),
            Some(DeValue::Array(array)) => array,
            Some(DeValue::Table(table)) => {
                value.refuse(&format!("may be there several times; write {header}, in double brackets"));
                return vec![self.child(Some(table), value.place().clone(), header)];
            }
            Some(_) => {
                value.complain(&format!("is not a table; write {header}"));
                return Vec::new();
            }
        };
        if array.len() > max {
            value.refuse(&format!("there are {} of {header}; at most {max} can be", array.len()));
        }
        value
            .items()
            .into_iter()
            .filter_map(|item| match item.found() {
                Some(DeValue::Table(table)) => Some(self.child(Some(table), item.place().clone(), header.clone())),
                _ => {
                    item.complain(&format!("is not a table; write {header}"));
                    None
                }
            })
            .collect()
    }

    fn child(&self, table: Option<&'a DeTable<'a>>, place: Place, header: String) -> Section<'a> {
        Section { table, place, header, asked: RefCell::default(), notes: self.notes }
    }

    fn peek(&self, key: &'static str) -> Value<'a> {
        let found = self.table.and_then(|table| table.get(key));
        let place = Place {
            key: dotted(&self.place.key, key),
            offset: found.map_or(self.place.offset, |value| value.span().start),
        };
        Value::new(found.map(|value| value.get_ref()), place, self.notes)
    }

    /// As it stands in a header: `agent.theme`, without the numbers of a place.
    fn path_of(&self, key: &str) -> String {
        let parent = self.header.trim_matches(['[', ']']);
        match self.place.key.as_str() {
            "" => key.to_owned(),
            _ => dotted(parent, key),
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        let asked = self.asked.take();
        for key in self.table.iter().flat_map(|table| table.keys()) {
            let name = key.get_ref().as_ref();
            if !asked.contains(&name) {
                self.notes.unknown(Unknown {
                    place: Place { key: dotted(&self.place.key, name), offset: key.span().start },
                    key: name.to_owned(),
                    header: self.header.clone(),
                    siblings: asked.clone(),
                });
            }
        }
    }
}

/// `parent.key`, with `key` in quotes where TOML would want them.
pub(super) fn dotted(parent: &str, key: &str) -> String {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if is_bare { key.to_owned() } else { format!("{key:?}") };
    if parent.is_empty() { key } else { format!("{parent}.{key}") }
}
