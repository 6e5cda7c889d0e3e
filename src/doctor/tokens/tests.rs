use html5gum::{DefaultEmitter, Tokenizer};
use proptest::prelude::*;

use super::*;

/// Its tags, as `<name a="b">` and `</name>`, and its texts.
fn ours(html: &str) -> String {
    let shown = |token| match token {
        Token::Start { name, mut attributes } => {
            attributes.sort();
            format!("<{name} {attributes:?}>")
        }
        Token::End { name } => format!("</{name}>"),
        Token::Text(_) | Token::Comment(_) => String::new(),
    };
    Tokens::new(html).map(shown).collect()
}

/// The same by html5gum.
fn theirs(html: &str) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut shown = String::new();
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            html5gum::Token::StartTag(tag) => {
                let attributes: Vec<_> = tag.attributes.iter().map(|(k, v)| (text(k), text(&v.value))).collect();
                shown += &format!("<{} {attributes:?}>", text(&tag.name));
            }
            html5gum::Token::EndTag(tag) => shown += &format!("</{}>", text(&tag.name)),
            _ => {}
        }
    }
    shown
}

#[test]
fn a_page_is_read_as_a_whole_tokenizer_reads_it() {
    for html in [
        "<script src=a.js></script >",
        "<SCRIPT SRC='a.js'/>a</sCript/x>b",
        "<p a=1 a=2 =x b c = d e=\"f\"g h='' i=>",
        "<p title=\"<script>\"><script>1 < 2; '</p>'</script>",
        "<!--><script></script>",
        "<!---><script></script>",
        "<!-- <script></script> --><p>",
        "<!-- <script> --!><p>",
        "<!-- <script>",
        "<!doctype html><?php echo '<b>'; ?></><i>",
        "<! a ><p></ p></1><p",
        "a < b <1 <- <p/ a / b>",
        "<script><!-- <script> </script> --> </script><p>",
        "<script><!-- </script><p>",
        "<script><!--> <script> </script><p>",
        "<script><!-- <script></script></script><p>",
        "<textarea><p></textareas></textarea\n><p>",
        "<title></title><style><p></style>",
        "<noscript><p></noscript><plaintext><p>",
        "<p a='&amp;&lt;&amp=&amp x&ampx&#38;&#x26&apos;&apos&#;&#x;&'>",
        "<p a='http&colon;&sol;&sol;a&period;b&quest;c&equals;d&colon&sol '>",
        "<p a=b",
        "<p a='b",
        "</",
        "<",
    ] {
        assert_eq!(ours(html), theirs(html), "{html}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_page_is_read_as_a_whole_tokenizer_reads_it(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<", ">", "/", "!", "--", "-", "=", "\"", "'", " ", "\n", "a", "B", "1", "é", "?", "&amp;", "&", "#38;", ";",
                "<!--", "-->", "--!>", "<script", "</script", "<script>", "</script>", "<p ", "</p>", "<style>", "</style>",
                "<title>", "</TITLE ", "<noscript>", "</noscript>", "src=", "<!doctype",
            ]),
            0..24,
        )
    ) {
        let html = pieces.concat();
        prop_assert_eq!(ours(&html), theirs(&html), "{}", html);
    }
}

#[test]
fn a_tag_of_very_many_attributes_costs_no_more_than_its_length() {
    let many: String = (0..400_000).map(|number| format!(" a{number}")).collect();
    let html = format!("<p src=a{many}>");
    let Some(Token::Start { attributes, .. }) = Tokens::new(&html).next() else { panic!("a tag") };
    assert_eq!((attributes.len(), attributes[0].1.as_str()), (ATTRIBUTES_MAX, "a"));
}
