//! Puts questions and answers into the text of `widget.toml`, and leaves every other byte of it alone: the parser tells where
//! each value stands, and only those places are written to. What comes out is parsed again and compared. Pure.
//!
//! Why no library that edits TOML: it would write the whole file anew from its own model, and what is to be changed here
//! is three kinds of places.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::written::{toml_lines, toml_string};
use crate::domain::agent::Faq;

/// The text with the entries in it, and what became of each.
#[derive(Debug)]
pub(crate) struct Edited {
    pub(crate) text: String,
    /// One for each of the entries, in their order.
    pub(crate) fates: Vec<Fate>,
    /// The questions that were taken out.
    pub(crate) dropped: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Added,
    Updated,
    Unchanged,
}

/// Why a file is left as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error("has no agent of that id")]
    NoAgent,
    #[error(
        "is written in a way that cannot be changed safely; put the entries there by hand, each as [[agent.faq]] with \
         question and answer"
    )]
    Unsafe,
}

/// What is replaced by what.
type Change = (Range<usize>, String);

/// Puts `entries`, no two with the same question, into the FAQ of the agent `id`. An entry whose question stands there already
/// (in whatever case) gets the new answer; with `replace`, what is in no entry is taken out. `text` is a valid configuration.
pub(crate) fn edit_faq(text: &str, id: &str, entries: &[Faq], replace: bool) -> Result<Edited, EditError> {
    let tree = DeTable::parse(text).map_err(|_| EditError::Unsafe)?;
    let agent = agent(tree.get_ref(), id).ok_or(EditError::NoAgent)?;
    let editor = Editor { text, newline: if text.contains("\r\n") { "\r\n" } else { "\n" } };
    let (edited, wanted) = editor.edit(agent, entries, replace)?;
    let is_right = DeTable::parse(&edited.text).is_ok_and(|after| has_changed_only(&tree, &after, id, &wanted));
    if is_right { Ok(edited) } else { Err(EditError::Unsafe) }
}

/// Whether two questions are the same one.
pub(crate) fn same_question(a: &str, b: &str) -> bool {
    key_of(a) == key_of(b)
}

fn key_of(question: &str) -> String {
    question.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn agent<'a>(tree: &'a DeTable<'a>, id: &str) -> Option<&'a Spanned<DeValue<'a>>> {
    let agents = tree.get("agent")?.get_ref().as_array()?;
    agents.iter().find(|agent| text_of(agent.get_ref(), "id") == Some(id))
}

fn text_of<'a>(table: &'a DeValue<'a>, key: &str) -> Option<&'a str> {
    table.as_table()?.get(key)?.get_ref().as_str()
}

struct Editor<'a> {
    text: &'a str,
    /// As the file ends its lines.
    newline: &'static str,
}

impl Editor<'_> {
    /// And the whole FAQ as it is to be read back.
    fn edit(&self, agent: &Spanned<DeValue>, entries: &[Faq], replace: bool) -> Result<(Edited, Vec<Faq>), EditError> {
        let faq = agent.get_ref().as_table().and_then(|table| table.get("faq"));
        let there: Vec<_> = faq.and_then(|faq| faq.get_ref().as_array()).into_iter().flat_map(|a| a.iter()).collect();
        let old: Vec<Faq> =
            there.iter().map(|entry| entry_of(entry)).collect::<Option<_>>().ok_or(EditError::Unsafe)?;
        let mut changes: Vec<Change> = Vec::new();
        let (mut wanted, mut dropped, mut fates) = (Vec::new(), Vec::new(), vec![Fate::Added; entries.len()]);
        let mut kept = Vec::new();
        for (entry, old) in there.iter().zip(&old) {
            let new = entries.iter().position(|new| same_question(&new.question, &old.question));
            match new {
                Some(index) => {
                    let (changed, result) = self.update(entry, old, &entries[index])?;
                    fates[index] = if changed.is_empty() { Fate::Unchanged } else { Fate::Updated };
                    changes.extend(changed);
                    wanted.push(result);
                    kept.push(*entry);
                }
                None if replace => dropped.push((*entry, old.question.clone())),
                None => {
                    wanted.push(old.clone());
                    kept.push(*entry);
                }
            }
        }
        let added: Vec<Faq> =
            entries.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Added).map(|(new, _)| new.clone()).collect();
        wanted.extend(added.iter().cloned());
        match faq {
            Some(list) if self.is_in_brackets(list) => {
                if !dropped.is_empty() || (kept.is_empty() && !added.is_empty()) {
                    changes = vec![(list.span(), self.whole_list(&wanted))];
                } else if let Some(last) = kept.last() {
                    let more = added.iter().map(|faq| format!(", {}", inline(faq))).collect();
                    changes.push((at(last.span().end), more));
                }
            }
            _ => self.change_tables(agent, &kept, &dropped, &added, &mut changes),
        }
        let dropped = dropped.into_iter().map(|(_, question)| question).collect();
        Ok((Edited { text: self.applied(changes), fates, dropped }, wanted))
    }

    /// A list of the form `faq = [{ … }]`.
    fn is_in_brackets(&self, list: &Spanned<DeValue>) -> bool {
        // Of the other form the place is the first header.
        !self.text[list.span().start..].starts_with("[[")
    }

    fn whole_list(&self, entries: &[Faq]) -> String {
        let newline = self.newline;
        let lines: String = entries.iter().map(|faq| format!("    {},{newline}", inline(faq))).collect();
        format!("[{newline}{lines}]")
    }

    /// Takes tables out and adds others behind the last that stays, or where the first stood, or at the agent's end.
    fn change_tables(
        &self,
        agent: &Spanned<DeValue>,
        kept: &[&Spanned<DeValue>],
        dropped: &[(&Spanned<DeValue>, String)],
        added: &[Faq],
        changes: &mut Vec<Change>,
    ) {
        let of_table =
            |entry: &Spanned<DeValue>| self.line_start(entry.span().start)..self.end_of_part(last_end(entry));
        changes.extend(dropped.iter().map(|(entry, _)| (of_table(entry), String::new())));
        let place = match (kept.last(), dropped.first()) {
            (Some(last), _) => self.end_of_part(last_end(last)),
            (None, Some((first, _))) => self.line_start(first.span().start),
            (None, None) => self.end_of_part(last_end(agent)),
        };
        if added.is_empty() {
            return;
        }
        let newline = self.newline;
        let tables: Vec<String> = added.iter().map(|faq| self.table(faq)).collect();
        let mut written = tables.join(newline);
        let before = &self.text[..place];
        if !before.is_empty() && !before.ends_with('\n') {
            written.insert_str(0, newline);
        }
        let is_at_first_dropped = kept.is_empty() && !dropped.is_empty();
        if !is_at_first_dropped && !ends_blank(before) {
            written.insert_str(0, newline);
        }
        let after = &self.text[place..];
        if is_at_first_dropped || !after.is_empty() {
            written.push_str(newline);
        }
        changes.push((at(place), written));
    }

    fn table(&self, faq: &Faq) -> String {
        let newline = self.newline;
        let (question, answer) = (toml_string(&faq.question), toml_lines(&faq.answer, newline));
        let url = faq.url.as_ref().map(|url| format!("url = {}{newline}", toml_string(url))).unwrap_or_default();
        format!("[[agent.faq]]{newline}question = {question}{newline}answer = {answer}{newline}{url}")
    }

    /// What is to be changed so that `entry`, which reads `old`, answers as `new`; and how it then reads. A link stays where the
    /// new entry has none.
    fn update(&self, entry: &Spanned<DeValue>, old: &Faq, new: &Faq) -> Result<(Vec<Change>, Faq), EditError> {
        let table = entry.get_ref().as_table().ok_or(EditError::Unsafe)?;
        let is_inline = self.text[entry.span().start..].starts_with('{');
        let answer = table.get("answer").ok_or(EditError::Unsafe)?.span();
        let mut changes = Vec::new();
        if old.answer != new.answer {
            let written = if is_inline { toml_string(&new.answer) } else { toml_lines(&new.answer, self.newline) };
            changes.push((answer.clone(), written));
        }
        if let Some(url) = new.url.as_ref().filter(|_| old.url != new.url) {
            let written = toml_string(url);
            match table.get("url") {
                Some(value) => changes.push((value.span(), written)),
                None if is_inline => changes.push((at(answer.end), format!(", url = {written}"))),
                None => {
                    let place = self.line_end(answer.end);
                    let is_ended = self.text[..place].ends_with('\n');
                    let newline = self.newline;
                    let line = format!("url = {written}");
                    changes.push((at(place), if is_ended { line + newline } else { format!("{newline}{line}") }));
                }
            }
        }
        let url = new.url.clone().or_else(|| old.url.clone());
        Ok((changes, Faq { question: old.question.clone(), answer: new.answer.clone(), url }))
    }

    /// Where the part of the file ends whose last value ends at `offset`: behind the comments that follow it, but before
    /// those that stand right above the next header, or, if there is none, at the file's end.
    fn end_of_part(&self, offset: usize) -> usize {
        let from = self.line_end(offset);
        let mut next = from;
        let mut above = None;
        for line in self.text[from..].split_inclusive('\n') {
            match line.trim() {
                "" => above = None,
                trimmed if trimmed.starts_with('#') => above = above.or(Some(next)),
                _ => return above.filter(|start| *start > from).unwrap_or(next),
            }
            next += line.len();
        }
        next
    }

    /// Behind the line in which `offset` stands, its end included.
    fn line_end(&self, offset: usize) -> usize {
        self.text[offset..].find('\n').map_or(self.text.len(), |newline| offset + newline + 1)
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn applied(&self, mut changes: Vec<Change>) -> String {
        changes.sort_by_key(|(range, _)| (range.start, range.end));
        let mut text = String::with_capacity(self.text.len());
        let mut done = 0;
        for (range, written) in changes {
            text.push_str(&self.text[done..range.start]);
            text.push_str(&written);
            done = range.end;
        }
        text.push_str(&self.text[done..]);
        text
    }
}

fn at(offset: usize) -> Range<usize> {
    offset..offset
}

/// Whether the last line of `text` is blank.
fn ends_blank(text: &str) -> bool {
    let last = text.strip_suffix('\n').map(|rest| rest.rsplit('\n').next().unwrap_or_default());
    text.is_empty() || last.is_some_and(|line| line.trim().is_empty())
}

fn inline(faq: &Faq) -> String {
    let url = faq.url.as_ref().map(|url| format!(", url = {}", toml_string(url))).unwrap_or_default();
    format!("{{ question = {}, answer = {}{url} }}", toml_string(&faq.question), toml_string(&faq.answer))
}

/// As the configuration would read it.
fn entry_of(entry: &Spanned<DeValue>) -> Option<Faq> {
    let text = |key| text_of(entry.get_ref(), key).map(|text| text.trim().replace("\r\n", "\n"));
    Some(Faq { question: text("question")?, answer: text("answer")?, url: text("url") })
}

/// The last byte of a value and of all that it holds.
fn last_end(value: &Spanned<DeValue>) -> usize {
    let inner = match value.get_ref() {
        DeValue::Table(table) => table.values().map(last_end).max(),
        DeValue::Array(array) => array.iter().map(last_end).max(),
        _ => None,
    };
    value.span().end.max(inner.unwrap_or(0))
}

/// Whether the two files say the same, but that the FAQ of the agent `id` is now `wanted`.
fn has_changed_only(before: &Spanned<DeTable>, after: &Spanned<DeTable>, id: &str, wanted: &[Faq]) -> bool {
    let Some(agents) = after.get_ref().get("agent").and_then(|agents| agents.get_ref().as_array()) else {
        return false;
    };
    let found = agent(after.get_ref(), id).and_then(|agent| agent.get_ref().as_table()?.get("faq"));
    let entries =
        found.and_then(|faq| faq.get_ref().as_array()).map(|faq| faq.iter().map(entry_of).collect::<Vec<_>>());
    let is_wanted = entries.unwrap_or_default().into_iter().eq(wanted.iter().cloned().map(Some));
    let others = |tree: &Spanned<DeTable>| tree.get_ref().iter().filter(|(key, _)| key.get_ref() != "agent").count();
    let same_rest = others(before) == others(after)
        && before.get_ref().iter().all(|(key, value)| {
            key.get_ref() == "agent"
                || after.get_ref().get(key.get_ref().as_ref()).is_some_and(|other| is_same(value, other, false))
        });
    let agents_before = before.get_ref().get("agent").and_then(|agents| agents.get_ref().as_array());
    let same_agents = agents_before.is_some_and(|before| {
        before.len() == agents.len()
            && before.iter().zip(agents.iter()).all(|(a, b)| is_same(a, b, text_of(a.get_ref(), "id") == Some(id)))
    });
    is_wanted && same_rest && same_agents
}

/// Whether two values say the same, wherever they stand; if asked for, whatever their FAQs say.
fn is_same(a: &Spanned<DeValue>, b: &Spanned<DeValue>, but_faq: bool) -> bool {
    match (a.get_ref(), b.get_ref()) {
        (DeValue::Table(a), DeValue::Table(b)) => {
            let counts = [a, b].map(|table| table.keys().filter(|key| !but_faq || key.get_ref() != "faq").count());
            counts[0] == counts[1]
                && a.iter().all(|(key, value)| {
                    (but_faq && key.get_ref() == "faq")
                        || b.get(key.get_ref().as_ref()).is_some_and(|other| is_same(value, other, false))
                })
        }
        (DeValue::Array(a), DeValue::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| is_same(a, b, false))
        }
        // What is neither has no place in it.
        (a, b) => format!("{a:?}") == format!("{b:?}"),
    }
}

#[cfg(test)]
mod tests;
