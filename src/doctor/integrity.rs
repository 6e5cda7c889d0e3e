//! Subresource Integrity of the tag (the specification's section 3): a browser that finds another script runs none. Pure.

use url::Url;

use super::finding::Finding;
use super::tag::{Tag, origin};
use crate::widget;

/// The strongest last: of a list only the strongest kind counts (section 3.3.3).
const ALGORITHMS: [&str; 3] = ["sha256", "sha384", "sha512"];

/// The tag's `integrity` and `crossorigin`; `tag_line` is the tag without either.
pub(super) fn judge(tag: &Tag, crossorigin: Option<&str>, page: &Url, tag_line: String, findings: &mut Vec<Finding>) {
    let digests = tag.integrity.as_deref().map(strongest).unwrap_or_default();
    if digests.is_empty() {
        return;
    }
    let pinned = widget::pinned_tag(origin(&tag.url).as_str(), tag.agent.as_deref().unwrap_or_default());
    if !digests.iter().any(|digest| is_of_script(digest)) {
        findings.push(
            Finding::error(
                "integrity-mismatch",
                "The tag's integrity is not that of this version's script: browsers refuse it.",
            )
            .advise("It changes with each version of widgetd. Write in the page:")
            .line(pinned.clone()),
        );
    } else if tag.url.path() == "/widget.js" {
        findings.push(
            Finding::warning(
                "integrity-unpinned",
                "The tag has an integrity and loads /widget.js: the next update of widgetd breaks it.",
            )
            .advise("Load the pinned script, or leave integrity out:")
            .line(pinned.clone())
            .line(tag_line),
        );
    }
    if crossorigin.is_none() && origin(&tag.url) != origin(page) {
        findings.push(
            Finding::error(
                "integrity-without-crossorigin",
                "The tag has an integrity and no crossorigin: browsers cannot compare a script of another origin, and refuse it.",
            )
            .advise("Write in the page:")
            .line(pinned),
        );
    }
}

/// The digests that count, as `sha384-…`; what is no digest counts for nothing.
fn strongest(integrity: &str) -> Vec<&str> {
    let kind = |digest: &str| ALGORITHMS.iter().position(|name| digest.split('-').next() == Some(name));
    let best = integrity.split_ascii_whitespace().filter_map(kind).max();
    integrity.split_ascii_whitespace().filter(|digest| kind(digest).is_some() && kind(digest) == best).collect()
}

/// Whether a digest is that of the script that this program serves.
fn is_of_script(digest: &str) -> bool {
    let digest = digest.split('?').next().unwrap_or_default();
    digest.split_once('-').is_some_and(|(algorithm, value)| {
        widget::integrity(algorithm).is_some_and(|own| own.trim_end_matches('=') == value.trim_end_matches('='))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_digests_the_strongest_kind_counts() {
        assert_eq!(strongest("sha256-a sha384-b  sha384-c"), ["sha384-b", "sha384-c"]);
        assert_eq!(strongest("sha1-a md5"), [""; 0]);
    }

    #[test]
    fn each_algorithm_knows_the_script() {
        for algorithm in ALGORITHMS {
            let own = widget::integrity(algorithm).unwrap();
            assert!(is_of_script(&format!("{algorithm}-{own}")), "{algorithm}");
            assert!(!is_of_script(&format!("{algorithm}-A{own}")), "{algorithm}");
        }
        assert!(!is_of_script("sha384"));
    }
}
