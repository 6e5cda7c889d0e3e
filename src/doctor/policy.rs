//! What the page's own policies do to the widget, and the line to write instead. Pure.

use url::Url;

use super::csp::{Kind, Policy, ScriptRequest};
use super::finding::{Finding, Severity};
use super::tag::{Tag, origin};
use crate::widget;

/// All the policies of a page.
#[derive(Default)]
pub(super) struct Policies {
    enforced: Vec<Stated>,
    report_only: Vec<Stated>,
}

struct Stated {
    policy: Policy,
    place: &'static str,
    /// A `<meta>` says nothing of scripts before it, and cannot sandbox the page (CSP3, section 3.3).
    meta_at: Option<usize>,
}

impl Policies {
    /// Of lines of the two headers, and of `<meta>` elements with the number of scripts before each.
    pub(super) fn new(headers: &[String], report_only: &[String], metas: &[(String, usize)]) -> Self {
        let stated = |lines: &[String], place| -> Vec<Stated> {
            let policies = lines.iter().flat_map(|line| Policy::parse_list(line));
            policies.map(|policy| Stated { policy, place, meta_at: None }).collect()
        };
        let mut enforced = stated(headers, "the header Content-Security-Policy");
        for (content, at) in metas {
            let policies = Policy::parse_list(content).into_iter();
            let place = "<meta http-equiv=\"Content-Security-Policy\">";
            enforced.extend(policies.map(|policy| Stated { policy, place, meta_at: Some(*at) }));
        }
        Self { enforced, report_only: stated(report_only, "the header Content-Security-Policy-Report-Only") }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.enforced.is_empty()
    }

    /// What they keep the widget from. `calls` is an address of the API, `avatar` the agent's picture.
    pub(super) fn judge(&self, tag: &Tag, page: &Url, avatar: Option<&Url>) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.enforced.iter().flat_map(|stated| stated.judge(tag, page, avatar)).collect();
        for stated in &self.report_only {
            findings.extend(stated.judge(tag, page, avatar).into_iter().map(|finding| Finding {
                id: "csp-report-only",
                severity: Severity::Note,
                advice: format!("Nothing is blocked yet. Before it is enforced: {}", finding.advice),
                ..finding
            }));
        }
        findings
    }
}

impl Stated {
    fn judge(&self, tag: &Tag, page: &Url, avatar: Option<&Url>) -> Vec<Finding> {
        let server = origin(&tag.url);
        let server = server.as_str();
        let mut findings = Vec::new();
        let script = ScriptRequest { url: &tag.url, nonce: tag.nonce.as_deref(), integrity: tag.integrity.as_deref() };
        if self.meta_at.is_none_or(|at| at <= tag.index) && !self.policy.allows_script(&script, page) {
            findings.push(self.of_script(tag, server));
        }
        let calls = ["/v1/widget/config", "/v1/widget/init"].map(|path| tag.url.join(path));
        if calls.iter().flatten().any(|call| !self.policy.allows(Kind::Connect, call, page)) {
            let finding = Finding::error("csp-connect", self.blocks(Kind::Connect, &format!("calls to {server}")));
            findings.push(self.mend(finding, Kind::Connect, server));
        }
        if let Some(avatar) = avatar.filter(|avatar| !self.policy.allows(Kind::Image, avatar, page)) {
            let finding =
                Finding::warning("csp-img", self.blocks(Kind::Image, &format!("the agent's avatar {avatar}")));
            findings.push(self.mend(finding, Kind::Image, origin(avatar).as_str()));
        }
        findings.extend(self.of_sandbox());
        findings
    }

    fn of_script(&self, tag: &Tag, server: &str) -> Finding {
        let finding = Finding::error("csp-script", self.blocks(Kind::Script, &format!("the script {}", tag.url)));
        if !self.policy.is_strict_dynamic() {
            return self.mend(finding, Kind::Script, server);
        }
        let line = widget::tag(server, tag.agent.as_deref().unwrap_or_default());
        finding
            .advise(
                "With 'strict-dynamic' addresses do not count: the tag needs the nonce that the page's other scripts get, a \
                 new one for each request:",
            )
            .line(line.replacen("<script", "<script nonce=\"NONCE\"", 1))
    }

    fn blocks(&self, kind: Kind, what: &str) -> String {
        format!("{} blocks {what}: it says `{}`.", capitalised(self.place), self.policy.line(kind).unwrap_or_default())
    }

    fn mend(&self, finding: Finding, kind: Kind, source: &str) -> Finding {
        let line = self.policy.line_with(kind, source);
        let is_new = self.policy.line(kind).is_some_and(|old| old.starts_with("default-src"));
        let verb = if is_new { "Add" } else { "Write there instead" };
        finding.advise(format!("{verb}, in {}:", self.place)).line(line)
    }

    /// `sandbox` (section 6.3.2): without its words a page has no scripts, or no origin.
    fn of_sandbox(&self) -> Option<Finding> {
        let words = self.policy.values("sandbox").filter(|_| self.meta_at.is_none())?;
        let missing: Vec<_> = ["allow-scripts", "allow-same-origin"]
            .into_iter()
            .filter(|word| !words.iter().any(|found| found.eq_ignore_ascii_case(word)))
            .collect();
        let line = ["sandbox"].into_iter().chain(words.iter().map(String::as_str)).chain(missing.iter().copied());
        let line = line.collect::<Vec<_>>().join(" ");
        (!missing.is_empty()).then(|| {
            let found = format!("{} has `sandbox` without {}.", capitalised(self.place), missing.join(" and "));
            Finding::error("csp-sandbox", found).advise(format!("Write there instead, in {}:", self.place)).line(line)
        })
    }
}

fn capitalised(place: &str) -> String {
    place.strip_prefix("the ").map_or_else(|| place.to_owned(), |rest| format!("The {rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(header: &str, report_only: &str, metas: &[(String, usize)]) -> Vec<Finding> {
        let lines = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        let tag = Tag {
            url: Url::parse("https://chat.example.com/widget.js").unwrap(),
            agent: Some("acme".into()),
            nonce: None,
            integrity: None,
            index: 1,
        };
        let avatar = Url::parse("https://cdn.example.com/a.png").unwrap();
        let page = Url::parse("https://www.example.com/").unwrap();
        Policies::new(&lines(header), &lines(report_only), metas).judge(&tag, &page, Some(&avatar))
    }

    fn ids(findings: &[Finding]) -> Vec<&str> {
        findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn each_thing_that_a_policy_blocks_is_told_with_the_line_that_lets_it_in() {
        let found = judge("default-src 'self'", "", &[]);
        assert_eq!(ids(&found), ["csp-script", "csp-connect", "csp-img"]);
        let lines: Vec<_> = found.iter().map(|finding| finding.lines[0].as_str()).collect();
        assert_eq!(
            lines,
            [
                "script-src 'self' https://chat.example.com",
                "connect-src 'self' https://chat.example.com",
                "img-src 'self' https://cdn.example.com"
            ]
        );
        let mended = format!("default-src 'self'; {}", lines.join("; "));
        assert_eq!(ids(&judge(&mended, "", &[])), [""; 0]);
    }

    #[test]
    fn the_policy_of_the_readme_suffices() {
        let policy = "script-src https://chat.example.com; connect-src https://chat.example.com; style-src 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'; img-src https://cdn.example.com";
        assert_eq!(ids(&judge(policy, "", &[])), [""; 0]);
    }

    #[test]
    fn every_policy_must_allow_and_one_that_only_reports_is_a_note() {
        assert_eq!(ids(&judge("script-src *, script-src 'self'", "", &[])), ["csp-script"]);
        let found = judge("", "script-src 'self'", &[]);
        assert_eq!((ids(&found), found[0].severity), (vec!["csp-report-only"], Severity::Note));
    }

    #[test]
    fn a_meta_says_nothing_of_scripts_before_it() {
        let meta = |at| [("script-src 'self'; sandbox".to_owned(), at)];
        assert_eq!(ids(&judge("", "", &meta(1))), ["csp-script"]);
        assert_eq!(ids(&judge("", "", &meta(2))), [""; 0]);
    }

    #[test]
    fn a_sandbox_needs_scripts_and_an_origin() {
        let found = judge("sandbox allow-forms allow-scripts", "", &[]);
        assert_eq!(ids(&found), ["csp-sandbox"]);
        assert_eq!(found[0].lines, ["sandbox allow-forms allow-scripts allow-same-origin"]);
        assert_eq!(ids(&judge("sandbox allow-scripts allow-same-origin", "", &[])), [""; 0]);
    }

    #[test]
    fn with_strict_dynamic_the_tag_needs_a_nonce() {
        let found = judge("script-src 'nonce-abc' 'strict-dynamic'", "", &[]);
        assert!(found[0].lines[0].starts_with("<script nonce=\"NONCE\" src=\"https://chat.example.com/widget.js\""));
    }
}
