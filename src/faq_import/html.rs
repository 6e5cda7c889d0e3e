//! The little HTML that stands in Markdown files, as Markdown: the widget shows no tags.

/// `text` with its tags written as Markdown or left out, but for what stands in code.
pub(super) fn to_markdown(text: &str) -> String {
    let mut markdown = String::with_capacity(text.len());
    let mut links: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '&', '`']) {
        markdown.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match rest.as_bytes()[0] {
            b'`' => code(rest, &mut markdown),
            b'&' => entity(rest, &mut markdown),
            _ => tag(rest, &mut markdown, &mut links),
        };
        rest = &rest[taken..];
    }
    markdown.push_str(rest);
    markdown
}

/// Copies a span or a block of code as it is; how much that was.
fn code(text: &str, markdown: &mut String) -> usize {
    let ticks = text.bytes().take_while(|byte| *byte == b'`').count();
    let end = text[ticks..].find(&text[..ticks]).map_or(ticks, |end| ticks + end + ticks);
    markdown.push_str(&text[..end]);
    end
}

fn entity(text: &str, markdown: &mut String) -> usize {
    const ENTITIES: [(&str, &str); 7] = [
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", "\u{a0}"),
    ];
    let known = ENTITIES.iter().find(|(entity, _)| text.starts_with(entity));
    let (entity, character) = known.copied().unwrap_or(("&", "&"));
    markdown.push_str(character);
    entity.len()
}

fn tag(text: &str, markdown: &mut String, links: &mut Vec<String>) -> usize {
    let inner = text[1..].find('>').map(|end| &text[1..=end]);
    let is_tag = |inner: &&str| inner.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic());
    // An address in angle brackets is Markdown already.
    let Some(inner) = inner.filter(is_tag).filter(|inner| !inner.contains("://") || inner.contains('=')) else {
        markdown.push('<');
        return 1;
    };
    let name: String = inner.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '/').collect();
    match name.trim_end_matches('/').to_ascii_lowercase().as_str() {
        "br" => markdown.push('\n'),
        "p" | "/p" | "div" | "/div" | "ul" | "/ul" | "ol" | "/ol" | "details" | "/details" => paragraph(markdown),
        "summary" => {
            paragraph(markdown);
            markdown.push_str("**");
        }
        "/summary" => {
            markdown.push_str("**");
            paragraph(markdown);
        }
        "li" => markdown.push_str(if markdown.ends_with('\n') || markdown.is_empty() { "- " } else { "\n- " }),
        "b" | "/b" | "strong" | "/strong" => markdown.push_str("**"),
        "i" | "/i" | "em" | "/em" => markdown.push('*'),
        "code" | "/code" => markdown.push('`'),
        "a" => {
            links.push(attribute(inner, "href"));
            markdown.push('[');
        }
        "/a" => {
            if let Some(link) = links.pop() {
                markdown.push_str("](");
                markdown.push_str(&link);
                markdown.push(')');
            }
        }
        _ => {}
    }
    inner.len() + 2
}

fn paragraph(markdown: &mut String) {
    let kept = markdown.trim_end().len();
    markdown.truncate(kept);
    if !markdown.is_empty() {
        markdown.push_str("\n\n");
    }
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split_once(&format!("{name}=")).map_or("", |(_, value)| value);
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => value[1..].split(quote).next().unwrap_or_default().to_owned(),
        None => value.split_whitespace().next().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_markdown_or_go() {
        let check = |html: &str, expected: &str| assert_eq!(to_markdown(html), expected, "{html}");
        check("<p>Two <b>days</b>.</p>\n<p>Or <em>four</em>.</p>", "Two **days**.\n\nOr *four*.\n\n");
        check("a<br/>b<br>c", "a\nb\nc");
        check("<ul><li>one</li><li>two</li></ul>", "- one\n- two\n\n");
        check("See <a class=\"x\" href=\"https://a.example\">here</a>.", "See [here](https://a.example).");
        check("1 < 2 &amp; 3 &gt; 2", "1 < 2 & 3 > 2");
        check("Write `<b>` or ```\n<i>\n``` &c.", "Write `<b>` or ```\n<i>\n``` &c.");
        check("<https://a.example>", "<https://a.example>");
        check("<span class='é'>ü</span> <", "ü <");
    }
}
