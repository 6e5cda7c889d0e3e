//! Texts as they are written into `widget.toml` by a program. Pure.

use std::fmt::Write;

/// A TOML string on one line: whatever `text` holds, the parser reads it back.
pub(crate) fn toml_string(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('"');
    text.chars().for_each(|c| push_escaped(&mut written, c));
    written.push('"');
    written
}

/// As [`toml_string`], over several lines if `text` has them: between three quotes, with `newline` at their ends.
pub(crate) fn toml_lines(text: &str, newline: &str) -> String {
    if !text.contains('\n') {
        return toml_string(text);
    }
    let mut written = String::with_capacity(text.len() + 8);
    // The parser drops the first line end.
    written.push_str("\"\"\"");
    written.push_str(newline);
    let mut left = text.chars();
    while let Some(c) = left.next() {
        match c {
            '\n' => written.push_str(newline),
            // Three in a row would be the end; one or two are what people write, but not before the three at the end.
            '"' if !written.ends_with("\"\"") && !left.as_str().is_empty() => written.push('"'),
            _ => push_escaped(&mut written, c),
        }
    }
    written.push_str("\"\"\"");
    written
}

/// TOML 1.0, "String": what a basic string cannot hold as it is.
fn push_escaped(written: &mut String, c: char) {
    match c {
        '"' => written.push_str("\\\""),
        '\\' => written.push_str("\\\\"),
        '\n' => written.push_str("\\n"),
        '\r' => written.push_str("\\r"),
        '\t' => written.push_str("\\t"),
        c if c.is_control() => {
            let _ = write!(written, "\\u{:04X}", u32::from(c));
        }
        c => written.push(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeTable;

    use super::*;

    fn read_back(written: &str) -> String {
        let text = format!("key = {written}\n");
        let table = DeTable::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        table.get_ref()["key"].get_ref().as_str().unwrap().to_owned()
    }

    #[test]
    fn a_text_is_written_as_a_person_would() {
        assert_eq!(toml_string("Acme's \"kites\" \u{1fa81}"), "\"Acme's \\\"kites\\\" \u{1fa81}\"");
        assert_eq!(toml_string("C:\\a\u{7}"), "\"C:\\\\a\\u0007\"");
        assert_eq!(toml_lines("one", "\n"), "\"one\"");
        assert_eq!(toml_lines("one \"two\"\nthree", "\r\n"), "\"\"\"\r\none \"two\"\r\nthree\"\"\"");
        assert_eq!(toml_lines("\n\"\"\"", "\n"), "\"\"\"\n\n\"\"\\\"\"\"\"");
        assert_eq!(toml_lines("a\n\"\"\"b\"", "\n"), "\"\"\"\na\n\"\"\\\"b\\\"\"\"\"");
    }

    proptest! {
        #[test]
        fn every_text_is_read_back_as_it_was(text in any::<String>()) {
            prop_assert_eq!(read_back(&toml_string(&text)), text);
        }

        #[test]
        fn so_is_every_text_of_several_lines(text in "([a\\\\ \"\t\u{7}\u{1f642}]|\r|\n|\"\"\"){0,30}") {
            prop_assert_eq!(read_back(&toml_lines(&text, "\n")), text);
        }
    }
}
