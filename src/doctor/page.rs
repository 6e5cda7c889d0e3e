//! Fetches the page as a visitor's browser does: through its redirects, since the origin at their end is the one that counts.

use url::Url;

use super::clocks;
use super::fetch::{self, Answer, CallError, Caller};
use super::finding::{Finding, Report};

const REDIRECTS_MAX: usize = 5;

/// A page that was fetched.
pub(super) struct Page {
    /// After its redirects.
    pub(super) url: Url,
    pub(super) answer: Answer,
}

impl Page {
    /// As text; what is not UTF-8 is of no concern here.
    pub(super) fn html(&self) -> String {
        String::from_utf8_lossy(&self.answer.body).into_owned()
    }
}

/// The page, or how far we came: its origin is known all the same.
pub(super) fn fetch(caller: &Caller, asked: &Url, report: &mut Report) -> Result<Page, Url> {
    let mut url = asked.clone();
    for _ in 0..=REDIRECTS_MAX {
        let answer = match caller.get(url.as_str(), &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]) {
            Ok(answer) => answer,
            Err(error) => {
                report.add(unreachable(&url, &error));
                return Err(url);
            }
        };
        match answer.redirect(&url) {
            None => {
                report.findings.extend(clocks::judge(answer.ahead_ms, url.as_str()));
                return judge(Page { url, answer }, asked, report);
            }
            Some(Ok(next)) if matches!(next.scheme(), "http" | "https") => url = next,
            Some(Ok(next)) => return Err(lost(&url, next.as_str(), report)),
            Some(Err(location)) => return Err(lost(&url, &location, report)),
        }
    }
    report.add(
        Finding::error(
            "page-redirects",
            format!("{asked} redirects more than {REDIRECTS_MAX} times, at last to {url}."),
        )
        .advise("Open it in a browser without cookies: if that fails too, mend the site; else name the page itself."),
    );
    Err(url)
}

fn lost(url: &Url, location: &str, report: &mut Report) -> Url {
    report.add(
        Finding::error("page-redirects", format!("{url} redirects to {location:?}, which is no page."))
            .advise("Mend the site's Location header, or name the page itself."),
    );
    url.clone()
}

fn unreachable(url: &Url, error: &CallError) -> Finding {
    let id = if error.is_tls() { "page-tls" } else { "page-unreachable" };
    Finding::error(id, format!("{url} cannot be loaded: {error}.")).advise(fetch::remedy(error))
}

fn judge(page: Page, asked: &Url, report: &mut Report) -> Result<Page, Url> {
    let Page { url, answer } = &page;
    let status = answer.status;
    if status >= 400 {
        let advice = match status {
            401 | 403 => "It asks for a login, or keeps programs out: allow this machine, or name a page that is open.",
            404 | 410 => "Correct the address.",
            _ => "Look into that site's own log.",
        };
        report.add(Finding::error("page-status", format!("{url} answers {status}.")).advise(advice));
        return Err(page.url);
    }
    let media_type = answer.media_type();
    if !matches!(media_type.as_str(), "" | "text/html" | "application/xhtml+xml") {
        report.add(
            Finding::error("page-not-html", format!("{url} is {media_type}, not HTML."))
                .advise("Name a page, as visitors see it."),
        );
        return Err(page.url);
    }
    if let Some(coding) = answer.header("content-encoding").filter(|coding| !coding.eq_ignore_ascii_case("identity")) {
        report.add(
            Finding::warning(
                "page-compressed",
                format!("{url} comes compressed ({coding}), though nobody asked for that."),
            )
            .advise("So it cannot be looked into. Let the site heed Accept-Encoding."),
        );
        return Err(page.url);
    }
    if answer.is_cut {
        let most = fetch::BODY_BYTES_MAX >> 20;
        report.add(
            Finding::warning("page-too-large", format!("{url} is larger than {most} MiB: the rest was not looked at."))
                .advise("If the tag stands further down, move it up."),
        );
    }
    let moved = if url == asked { String::new() } else { format!(", after a redirect from {asked}") };
    report.fine(format!("the page {url} loads{moved}"));
    Ok(page)
}
