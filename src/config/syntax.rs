//! What the TOML parser says of a fault, in the words of somebody who looked at the line. Pure.

/// What is wrong at `offset` of `text`, where the parser says `message`.
pub(super) fn explained(text: &str, offset: usize, message: &str) -> String {
    let start = text[..offset].rfind('\n').map_or(0, |newline| newline + 1);
    let line = text[start..].lines().next().unwrap_or_default().trim();
    let value = line.split_once('=').map_or("", |(_, value)| value.trim());
    match message {
        "duplicate key" => twice(&text[..start], line),
        _ if is_decimal_comma(value) => {
            format!("a number has a point, not a comma; write {}", value.replace(',', "."))
        }
        _ if value.starts_with(['\u{201c}', '\u{201d}', '\u{2018}', '\u{2019}', '\u{201e}', '\u{ab}']) => {
            "a text stands in straight quotes; write \"…\" in the place of typographic ones".into()
        }
        _ if is_bare_text(value) => format!("a text stands in quotes; write \"{value}\""),
        _ => message.to_owned(),
    }
}

/// A header is known by its line; a key may stand in other sections too.
fn twice(before: &str, line: &str) -> String {
    let header = line.split('#').next().unwrap_or_default().trim();
    let first = before.lines().position(|earlier| earlier.split('#').next().unwrap_or_default().trim() == header);
    match first {
        Some(index) if header.starts_with('[') => {
            format!("{header} stands already in line {}; add these keys there", index + 1)
        }
        _ => format!("{} is there twice; take one out", line.split('=').next().unwrap_or_default().trim()),
    }
}

fn is_decimal_comma(value: &str) -> bool {
    value.split_once(',').is_some_and(|(whole, rest)| {
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number(whole) && is_number(rest)
    })
}

/// A word, an address or a path that lacks its quotes.
fn is_bare_text(value: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | ':' | '/' | '-' | '_');
    !value.is_empty()
        && value.chars().all(is_plain)
        && !matches!(value, "true" | "false")
        && value.parse::<f64>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_in_the_words_of_the_file() {
        let check = |text: &str, at: &str, message: &str, expected: &str| {
            let offset = text.rfind(at).unwrap();
            assert_eq!(explained(text, offset, message), expected, "{text}");
        };
        check(
            "[server] # x\na = 1\n[server]\nb = 2",
            "[server]",
            "duplicate key",
            "[server] stands already in line 1; add these keys there",
        );
        check("[log]\nlevel = 1\nlevel = 2", "level", "duplicate key", "level is there twice; take one out");
        check("cost = 2,50\n", ",50", "unexpected key", "a number has a point, not a comma; write 2.50");
        check("id = acme", "acme", "string values must be quoted", "a text stands in quotes; write \"acme\"");
        check("listen = 127.0.0.1:8080", "127", "invalid float", "a text stands in quotes; write \"127.0.0.1:8080\"");
        check(
            "name = \u{201c}Acme\u{201d}",
            "\u{201c}",
            "string values must be quoted",
            "a text stands in straight quotes; write \"…\" in the place of typographic ones",
        );
        check("name = \"Acme", "\"", "invalid basic string", "invalid basic string");
        check("", "", "x", "x");
    }
}
