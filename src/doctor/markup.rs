//! A page's HTML as far as the widget is concerned: its scripts, where they stand, and its policies. By tokens, so that what
//! only looks like a tag is none. Pure.

use super::tokens::{Token, Tokens};

/// How deep comments and `<noscript>` are looked into: one in the other is all that is seen.
const DEPTH_MAX: u8 = 2;

/// Where something stands that no browser runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is run.
    Page,
    Comment,
    Noscript,
    Template,
}

/// One `<script>`.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) place: Place,
    attributes: Vec<(String, String)>,
    /// Between the tags.
    pub(super) text: String,
}

impl Script {
    /// An attribute, `""` if it has no value. Names are in lower case.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a page has, in its order.
#[derive(Clone, Debug, Default)]
pub(super) struct Markup {
    pub(super) scripts: Vec<Script>,
    /// The first `<base href>`.
    pub(super) base: Option<String>,
    /// `<meta http-equiv="Content-Security-Policy">`: the policy, and how many scripts stand before it.
    pub(super) policies: Vec<(String, usize)>,
}

impl Markup {
    pub(super) fn parse(html: &str) -> Self {
        let mut markup = Self::default();
        markup.read(html, Place::Page, 0);
        markup
    }

    fn read(&mut self, html: &str, place: Place, depth: u8) {
        let mut templates = 0_u32;
        // The element that was opened last: what follows may be its text.
        let mut open = String::new();
        for token in Tokens::new(html) {
            let here = if templates > 0 { Place::Template } else { place };
            match token {
                Token::Start { name, attributes } => {
                    match name.as_str() {
                        "template" => templates += 1,
                        "base" if here == Place::Page && self.base.is_none() => self.base = value(&attributes, "href"),
                        "meta" if here == Place::Page => self.read_meta(&attributes),
                        "script" => self.scripts.push(Script { place: here, attributes, text: String::new() }),
                        _ => {}
                    }
                    open = name;
                }
                Token::End { name } => {
                    templates = templates.saturating_sub(u32::from(name == "template"));
                    open.clear();
                }
                Token::Text(text) => match (open.as_str(), self.scripts.last_mut()) {
                    ("script", Some(script)) => script.text.push_str(text),
                    ("noscript", _) if depth < DEPTH_MAX => self.read(text, Place::Noscript, depth + 1),
                    _ => {}
                },
                Token::Comment(text) if depth < DEPTH_MAX => self.read(text, Place::Comment, depth + 1),
                Token::Comment(_) => {}
            }
        }
    }

    /// CSP3, section 3.3 and HTML, section 4.2.5.3: one that has no content is none.
    fn read_meta(&mut self, attributes: &[(String, String)]) {
        let is_policy = value(attributes, "http-equiv")
            .is_some_and(|name| name.trim().eq_ignore_ascii_case("content-security-policy"));
        if let Some(content) = value(attributes, "content").filter(|_| is_policy) {
            self.policies.push((content, self.scripts.len()));
        }
    }
}

fn value(attributes: &[(String, String)], name: &str) -> Option<String> {
    attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripts(html: &str) -> Vec<(Place, String)> {
        let scripts = Markup::parse(html).scripts;
        scripts.iter().map(|it| (it.place, it.attribute("src").unwrap_or_default().to_owned())).collect()
    }

    #[test]
    fn scripts_are_found_where_a_browser_would_run_them() {
        for (html, expected) in [
            ("<script src=a.js>", vec![(Place::Page, "a.js")]),
            ("<SCRIPT async SRC='a.js' ></SCRIPT >", vec![(Place::Page, "a.js")]),
            ("<script\nsrc=\"a.js?a=1&amp;b=2\"></script>", vec![(Place::Page, "a.js?a=1&b=2")]),
            ("<!-- <script src=a.js></script> -->", vec![(Place::Comment, "a.js")]),
            ("<noscript><script src=a.js></script></noscript>", vec![(Place::Noscript, "a.js")]),
            ("<template><p><script src=a.js></script></template>", vec![(Place::Template, "a.js")]),
            ("<template></template><script src=a.js></script>", vec![(Place::Page, "a.js")]),
            ("<noscript>x</noscript><script src=a.js></script>", vec![(Place::Page, "a.js")]),
            ("<textarea><script src=a.js></script></textarea>", vec![]),
            ("<title><script src=a.js></script></title>", vec![]),
            ("<style><script src=a.js></script></style>", vec![]),
            ("<p title=\"<script src=a.js></script>\">", vec![]),
            ("<script>\"<script src=a.js>\"</script>", vec![(Place::Page, "")]),
            ("&lt;script src=a.js&gt;", vec![]),
            ("<script src=a.js src=b.js></script>", vec![(Place::Page, "a.js")]),
            ("", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(place, src)| (place, src.to_owned())).collect();
            assert_eq!(scripts(html), expected, "{html}");
        }
    }

    #[test]
    fn the_text_of_a_script_is_kept() {
        let markup = Markup::parse("<script>window.a = \"</p>\" < 1;</script><p>b</p>");
        assert_eq!(markup.scripts[0].text, "window.a = \"</p>\" < 1;");
    }

    #[test]
    fn base_and_policies_are_read() {
        let markup = Markup::parse(
            "<base href=/a/><base href=/b/><script></script>\
             <meta http-equiv=content-security-policy content=\"script-src 'self'\">\
             <meta http-equiv=refresh content=1><!-- <meta http-equiv=content-security-policy content=x> -->",
        );
        assert_eq!(markup.base.as_deref(), Some("/a/"));
        assert_eq!(markup.policies, [("script-src 'self'".to_owned(), 1)]);
    }
}
