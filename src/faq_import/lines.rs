//! The lines of a Markdown text and what each is: CommonMark's headings, and what is none though it looks like one, because it
//! stands in code, in a comment or in front matter.
//!
//! Why not a whole parser: the one that is kept best adds 390 KB to the program, for one thing that is needed of it. It judges
//! this file in the tests.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// In a code block, or its fence.
    Code,
    /// In a comment, or before the text begins.
    Hidden,
    /// The last line of one, with its text as it stands in the source.
    Heading {
        level: u8,
        text: String,
    },
    /// A line of a heading of several lines, before the last.
    HeadingBegin,
}

#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) text: &'a str,
    pub(super) kind: Kind,
}

/// A code block's fence: its character, and how often it stands there at least.
type Fence = (char, usize);

pub(super) fn of(text: &str) -> Vec<Line<'_>> {
    let mut lines: Vec<Line> =
        text.lines().enumerate().map(|(index, text)| Line { number: index + 1, text, kind: Kind::Text }).collect();
    let mut fence: Option<Fence> = None;
    let mut is_in_comment = false;
    // Where the paragraph began that the line before belongs to.
    let mut paragraph: Option<usize> = None;
    let mut is_in_list = false;
    // Whether a line of plain text would go on with an item, a quotation or HTML, and so be no heading's.
    let mut is_lazy = false;
    for index in front_matter(&mut lines)..lines.len() {
        let line = lines[index].text;
        if let Some(open) = fence {
            lines[index].kind = Kind::Code;
            fence = Some(open).filter(|open| !closes(line, *open));
        } else if is_in_comment {
            lines[index].kind = Kind::Hidden;
            is_in_comment = !line.contains("-->");
        } else if let Some(open) = opening(line) {
            (lines[index].kind, fence, paragraph, is_lazy) = (Kind::Code, Some(open), None, false);
            is_in_list &= indent(line) >= 2;
        } else if line.trim_start().starts_with("<!--") {
            (lines[index].kind, paragraph, is_lazy) = (Kind::Hidden, None, false);
            is_in_list &= indent(line) >= 2;
            is_in_comment = !line.contains("-->");
        } else if let Some((level, text)) = atx(line) {
            lines[index].kind = Kind::Heading { level, text: text.to_owned() };
            (paragraph, is_lazy, is_in_list) = (None, false, false);
        } else if let Some((level, begin)) = underline(line).zip(paragraph) {
            let text: Vec<_> = lines[begin..index].iter().map(|line| line.text.trim()).collect();
            let text = text.join(" ");
            lines[begin..index].iter_mut().for_each(|line| line.kind = Kind::HeadingBegin);
            lines[index].kind = Kind::Heading { level, text };
            (paragraph, is_lazy, is_in_list) = (None, false, false);
        } else {
            let begins = paragraph.is_none() && !is_lazy;
            is_in_list = is_item(line) || is_in_list && !(begins && indent(line) < 2 && !line.trim().is_empty());
            let is_deep = indent(line) >= 4 && !line.trim().is_empty();
            if is_deep && begins && !is_in_list {
                lines[index].kind = Kind::Code;
            } else if is_apart(line) {
                (paragraph, is_lazy) = (None, is_item(line) || line.trim_start().starts_with(['>', '<']));
            } else if begins {
                // What is indented in a list is an item's, and so is what follows it at once.
                (paragraph, is_lazy) = if is_deep { (None, true) } else { (Some(index), false) };
            }
        }
    }
    lines
}

/// What begins with a line "---" and ends with one belongs to the programs that make pages. How many lines there are of it.
fn front_matter(lines: &mut [Line]) -> usize {
    if lines.first().is_none_or(|line| line.text.trim_end() != "---") {
        return 0;
    }
    let Some(end) = lines.iter().skip(1).position(|line| matches!(line.text.trim_end(), "---" | "...")) else {
        return 0;
    };
    lines[..end + 2].iter_mut().for_each(|line| line.kind = Kind::Hidden);
    end + 2
}

/// CommonMark 0.31, section 4.5. Any indentation is taken: in lists fences stand far to the right.
fn opening(line: &str) -> Option<Fence> {
    let line = line.trim_start();
    let character = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let count = line.chars().take_while(|c| *c == character).count();
    let is_fence = count >= 3 && (character == '~' || !line[count..].contains('`'));
    is_fence.then_some((character, count))
}

fn closes(line: &str, (character, count): Fence) -> bool {
    let line = line.trim();
    line.chars().count() >= count && line.chars().all(|c| c == character)
}

/// Section 4.2.
fn atx(line: &str) -> Option<(u8, &str)> {
    if indent(line) > 3 {
        return None;
    }
    let line = line.trim();
    let level = line.bytes().take_while(|byte| *byte == b'#').count();
    let rest = &line[level..];
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let text = rest.trim();
    // Those at the end are ornament, if a blank stands before them.
    let bare = text.trim_end_matches('#');
    let text = if bare.is_empty() || bare.ends_with([' ', '\t']) { bare.trim_end() } else { text };
    Some((u8::try_from(level).ok()?, text))
}

/// Section 4.3: what makes a heading of the paragraph above it.
fn underline(line: &str) -> Option<u8> {
    let bare = line.trim();
    let is_of = |c: char| !bare.is_empty() && bare.chars().all(|found| found == c);
    match indent(line) {
        0..=3 if is_of('=') => Some(1),
        0..=3 if is_of('-') => Some(2),
        _ => None,
    }
}

/// Whether the line is part of no paragraph that could be a heading's: blank, a break, an item, a quotation, HTML.
fn is_apart(line: &str) -> bool {
    let bare = line.trim_start();
    let is_break = |c: char| {
        bare.chars().filter(|found| *found == c).count() >= 3
            && bare.chars().all(|found| found == c || found.is_whitespace())
    };
    bare.is_empty() || is_item(line) || bare.starts_with(['>', '<']) || ['-', '*', '_'].into_iter().any(is_break)
}

fn is_item(line: &str) -> bool {
    let bare = line.trim_start();
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &bare[digits..];
    let marks: &[char] = if digits == 0 { &['-', '+', '*'] } else { &['.', ')'] };
    rest.starts_with(marks) && rest[1..].starts_with([' ', '\t'])
}

/// The columns of white space before a line's text; a tab leads to the next fourth (section 2.2).
fn indent(line: &str) -> usize {
    let blanks = line.chars().take_while(|c| matches!(c, ' ' | '\t'));
    blanks.fold(0, |columns, c| if c == '\t' { columns / 4 * 4 + 4 } else { columns + 1 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Parser, Tag};

    use super::*;

    /// The headings, each as its level and the number of its last line.
    fn headings(text: &str) -> Vec<(u8, usize)> {
        let heading = |line: Line| match line.kind {
            Kind::Heading { level, .. } => Some((level, line.number)),
            _ => None,
        };
        of(text).into_iter().filter_map(heading).collect()
    }

    /// The same, as a parser of the whole language finds them at the top level.
    fn judged(text: &str) -> Vec<(u8, usize)> {
        let mut depth = 0;
        let mut found = Vec::new();
        for (event, range) in Parser::new(text).into_offset_iter() {
            match event {
                Event::Start(Tag::Heading { level, .. }) if depth == 0 => {
                    let end = text[..range.end].trim_end().len();
                    found.push((level as u8, 1 + text[..end].matches('\n').count()));
                    depth += 1;
                }
                Event::Start(_) => depth += 1,
                Event::End(_) => depth -= 1,
                _ => {}
            }
        }
        found
    }

    #[test]
    fn headings_are_told_from_what_looks_like_one() {
        let check = |text: &str, expected: &[(u8, usize)]| {
            assert_eq!(headings(text), expected, "{text}");
            assert_eq!(judged(text), expected, "the judge: {text}");
        };
        check("# One\n\n##Two\n\n####### Seven\n\n   ### Three ###\n", &[(1, 1), (3, 7)]);
        check("One\n===\n\nTwo\nlines\n---\n\n- item\n---\n\n> said\n---\n", &[(1, 2), (2, 6)]);
        check("```sh\n# comment\n```\n# One\n~~~\n# no\n```\n~~~\n", &[(1, 4)]);
        check("a\n\n    # code\n\n# One\n", &[(1, 5)]);
        check("<!--\n# hidden\n-->\n# One\n", &[(1, 4)]);
        check("``` a`b\n# One\n", &[(1, 2)]);
        check("***\n# One\n* * *\n- - -\n", &[(1, 2)]);
        check("| a | b |\n|---|---|\n", &[]);
        check("\t# code\n", &[]);
        check("- item\n\n    its own\nTitle\n---\n", &[]);
        check("- item\n\n<!-- ends it -->\n\n    code\nTitle\n---\n", &[(2, 7)]);
    }

    #[test]
    fn front_matter_and_fences_in_lists_are_no_text() {
        assert_eq!(headings("---\ntitle: x\n---\n# One\n"), [(1, 4)]);
        assert_eq!(headings("1. Do this:\n\n    ```\n# not this\n    ```\n\n# One\n"), [(1, 7)]);
    }

    proptest! {
        /// On what people write, it finds what a parser of the whole language finds.
        #[test]
        fn the_judge_finds_the_same_headings(
            parts in prop::collection::vec(prop_oneof![
                Just("# One\n"), Just("## Two ##\n"), Just("#Three\n"), Just("Some text.\n"), Just("Title\n---\n\n"),
                Just("Title\nof two\n===\n\n"), Just("\n"), Just("```\n# code\n```\n"), Just("~~~~ sh\n# code\n~~~\n~~~~\n"),
                Just("\n    # indented\n\n"), Just("- item\n\n"), Just("\n***\n"), Just("\n> quoted\n\n"),
                Just("\n<!-- # a\n# b -->\n\n"), Just("    deep\n"),
            ], 0..12),
        ) {
            let text = parts.concat();
            prop_assert_eq!(headings(&text), judged(&text), "{}", text);
        }
    }
}
