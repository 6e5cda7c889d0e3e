//! HTML as a sequence of tags, texts and comments (WHATWG HTML, section 13.2.5), with the states that scripts can hide in. Pure.
//!
//! html5gum, a whole tokenizer, was measured at a third of a megabyte in the binary, most of it for names of characters. So it
//! judges this one in the tests instead. Names of characters in attributes are understood as far as addresses need them.

/// A piece of a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Names are in lower case; of attributes with one name the first counts.
    Start {
        name: String,
        attributes: Vec<(String, String)>,
    },
    End {
        name: String,
    },
    /// As it stands there.
    Text(&'a str),
    Comment(&'a str),
}

/// Elements whose text holds no tags but their own end (section 13.2.6.4; `noscript` as with scripts on).
const RAW: [&str; 9] = ["script", "style", "noscript", "textarea", "title", "iframe", "xmp", "noembed", "noframes"];

/// Of one tag that are looked at: each is compared with those before it.
const ATTRIBUTES_MAX: usize = 256;

const BLANKS: [char; 5] = [' ', '\n', '\t', '\r', '\u{c}'];

pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The element of [`RAW`] that is open.
    raw: Option<String>,
}

impl<'a> Tokens<'a> {
    pub(super) fn new(html: &'a str) -> Self {
        Self { rest: html, raw: None }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// The text up to `end`, which is skipped; without one, all of it.
    fn take_until(&mut self, end: &str) -> &'a str {
        let text = self.take(self.rest.find(end).unwrap_or(self.rest.len()));
        self.take(end.len().min(self.rest.len()));
        text
    }

    fn skip(&mut self, what: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(what);
    }

    /// "Comment start state" and after; `<!--` is gone.
    fn comment(&mut self) -> Token<'a> {
        for empty in [">", "->"] {
            if self.rest.starts_with(empty) {
                self.take(empty.len());
                return Token::Comment("");
            }
        }
        let mut dashes = self.rest.match_indices('-').map(|(at, _)| (at, &self.rest[at..]));
        let end =
            dashes.find_map(|(at, rest)| ["-->", "--!>"].into_iter().find(|end| rest.starts_with(end)).zip(Some(at)));
        let (end, at) = end.unwrap_or(("", self.rest.len()));
        let text = self.take(at);
        self.take(end.len());
        Token::Comment(text)
    }

    /// "Tag name state" and after; `<` or `</` is gone. None, if the page ends before the tag does.
    fn tag(&mut self) -> Option<(String, Vec<(String, String)>)> {
        let is_end = |c: char| BLANKS.contains(&c) || matches!(c, '/' | '>');
        let name = self.take(self.rest.find(is_end)?).to_ascii_lowercase();
        let mut attributes: Vec<(String, String)> = Vec::new();
        loop {
            self.skip(|c| BLANKS.contains(&c) || c == '/');
            if self.rest.starts_with('>') {
                self.take(1);
                return Some((name, attributes));
            }
            let (key, value) = self.attribute()?;
            if attributes.len() < ATTRIBUTES_MAX && attributes.iter().all(|(known, _)| *known != key) {
                attributes.push((key, value));
            }
        }
    }

    /// "Attribute name state" and after.
    fn attribute(&mut self) -> Option<(String, String)> {
        let first = self.rest.chars().next()?.len_utf8();
        let is_end = |c: char| BLANKS.contains(&c) || matches!(c, '/' | '>' | '=');
        let length = first + self.rest[first..].find(is_end)?;
        let key = self.take(length).to_ascii_lowercase();
        self.skip(|c| BLANKS.contains(&c));
        if !self.rest.starts_with('=') {
            return Some((key, String::new()));
        }
        self.take(1);
        self.skip(|c| BLANKS.contains(&c));
        let value = match self.rest.chars().next()? {
            quote @ ('"' | '\'') => {
                self.take(1);
                let value = self.take(self.rest.find(quote)?);
                self.take(1);
                value
            }
            _ => self.take(self.rest.find(|c: char| BLANKS.contains(&c) || c == '>')?),
        };
        Some((key, decoded(value)))
    }

    /// What begins with `<`; none for what is neither tag nor comment, `Some(None)` for what is nothing.
    fn markup(&mut self) -> Option<Option<Token<'a>>> {
        let rest = &self.rest[1..];
        if rest.starts_with("!--") {
            self.take(4);
            return Some(Some(self.comment()));
        }
        let is_end = rest.starts_with('/');
        let name = if is_end { &rest[1..] } else { rest };
        match name.bytes().next() {
            Some(letter) if letter.is_ascii_alphabetic() => {
                self.take(if is_end { 2 } else { 1 });
                let Some((name, attributes)) = self.tag() else {
                    self.take(self.rest.len());
                    return Some(None);
                };
                if is_end {
                    return Some(Some(Token::End { name }));
                }
                self.raw = Some(name.clone()).filter(|name| RAW.contains(&name.as_str()));
                if name == "plaintext" {
                    self.take(self.rest.len());
                }
                Some(Some(Token::Start { name, attributes }))
            }
            // A doctype, `</>` and what is taken for a comment.
            Some(_) if is_end || rest.starts_with(['!', '?']) => {
                self.take_until(">");
                Some(None)
            }
            _ => None,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.raw.take() {
            let text = self.take(end_of_raw(self.rest, &name));
            if !text.is_empty() {
                return Some(Token::Text(text));
            }
        }
        while !self.rest.is_empty() {
            if self.rest.starts_with('<') {
                match self.markup() {
                    Some(Some(token)) => return Some(token),
                    Some(None) => continue,
                    None => {}
                }
            }
            // The first character is text, whatever it is.
            let first = self.rest.chars().next().map_or(0, char::len_utf8);
            let length = self.rest[first..].find('<').map_or(self.rest.len(), |at| first + at);
            return Some(Token::Text(self.take(length)));
        }
        None
    }
}

/// Where the text of a raw element ends: before its end tag. In a script, `<!--` and `<script` within that hide one
/// ("script data escaped state" and after).
fn end_of_raw(text: &str, name: &str) -> usize {
    let bytes = text.as_bytes();
    let is_tag = |at: usize, start: &str| {
        let name_at = at + start.len();
        let follows = bytes.get(name_at + name.len());
        bytes[at..].starts_with(start.as_bytes())
            && bytes.get(name_at..name_at + name.len()).is_some_and(|it| it.eq_ignore_ascii_case(name.as_bytes()))
            && follows.is_some_and(|&byte| BLANKS.contains(&char::from(byte)) || matches!(byte, b'/' | b'>'))
    };
    let (mut is_escaped, mut is_doubly) = (false, false);
    let mut at = 0;
    while at < bytes.len() {
        if is_tag(at, "</") {
            if !is_doubly {
                return at;
            }
            is_doubly = false;
        } else if is_escaped && !is_doubly && is_tag(at, "<") {
            is_doubly = true;
        } else if name == "script" && !is_escaped && bytes[at..].starts_with(b"<!--") {
            is_escaped = true;
            // Its dashes may be those of the end, too.
            at += 1;
        } else if is_escaped && bytes[at..].starts_with(b"-->") {
            (is_escaped, is_doubly) = (false, false);
        }
        at += 1;
    }
    bytes.len()
}

/// The characters that a value of an attribute stands for ("character reference state").
fn decoded(value: &str) -> String {
    const NAMED: [(&str, char); 10] = [
        ("amp", '&'),
        ("lt", '<'),
        ("gt", '>'),
        ("quot", '"'),
        ("apos", '\''),
        ("colon", ':'),
        ("sol", '/'),
        ("period", '.'),
        ("quest", '?'),
        ("equals", '='),
    ];
    /// These stand for it even where nothing ends them.
    const UNENDED: [&str; 4] = ["amp", "lt", "gt", "quot"];
    let mut decoded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        decoded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let named = NAMED.iter().find_map(|(name, stands_for)| {
            let after = rest.strip_prefix(name)?;
            let is_whole = after.starts_with(';');
            // Without the semicolon it may be the name of a parameter.
            let is_other = after.starts_with(|c: char| c == '=' || c.is_ascii_alphanumeric());
            (is_whole || (!is_other && UNENDED.contains(name)))
                .then(|| (*stands_for, after.strip_prefix(';').unwrap_or(after)))
        });
        match named.or_else(|| numbered(rest)) {
            Some((stands_for, after)) => {
                decoded.push(stands_for);
                rest = after;
            }
            None => decoded.push('&'),
        }
    }
    decoded.push_str(rest);
    decoded
}

/// `#38;` and `#x26;`, after the `&`.
fn numbered(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('#')?;
    let (digits, radix) = text.strip_prefix(['x', 'X']).map_or((text, 10), |digits| (digits, 16));
    let length = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (number, after) = digits.split_at(length);
    let stands_for = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    Some((stands_for, after.strip_prefix(';').unwrap_or(after)))
}

#[cfg(test)]
mod tests;
