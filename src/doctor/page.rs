//! Fetches the page as a visitor's browser does: through its redirects, since the origin at their end is the one that counts.

use url::Url;

use super::clocks;
use super::fetch::{self, Answer, CallError, Caller, End};
use super::finding::{Finding, Report};

const REDIRECTS_MAX: usize = 5;

/// A page that was fetched.
pub(super) struct Page {
    /// After its redirects.
    pub(super) url: Url,
    pub(super) answer: Answer,
}

impl Page {
    pub(super) fn html(&self) -> String {
        text(&self.answer.body, self.answer.header("content-type").unwrap_or_default())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.answer.end == End::Whole
    }
}

/// The text of a body, which its first bytes or its type may say is UTF-16. In all else that browsers know letters of ASCII are
/// as in UTF-8, and other letters are of no concern here.
fn text(body: &[u8], content_type: &str) -> String {
    let content_type = content_type.to_ascii_lowercase();
    let is_big_endian = match body {
        [0xff, 0xfe, ..] => false,
        [0xfe, 0xff, ..] => true,
        _ if content_type.contains("charset=utf-16be") => true,
        _ if content_type.contains("charset=utf-16") => false,
        _ => return String::from_utf8_lossy(body).into_owned(),
    };
    let unit = if is_big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let (pairs, _) = body.as_chunks();
    String::from_utf16_lossy(&pairs.iter().map(|pair| unit(*pair)).collect::<Vec<_>>())
}

/// What is shown of an address: the password in it, if there is one, must not get into what people pass on.
fn without_password(mut url: Url) -> Url {
    // Only an address without a host refuses that, and has neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// The page, or how far we came: its origin is known all the same. A name and a password in `asked` are sent to its own origin
/// alone.
pub(super) fn fetch(caller: &Caller, asked: &Url, report: &mut Report) -> Result<Page, Url> {
    let with_password = asked;
    let asked = &without_password(asked.clone());
    let mut url = asked.clone();
    for _ in 0..=REDIRECTS_MAX {
        let mut called = url.clone();
        if url.origin() == asked.origin() {
            let _ = called.set_username(with_password.username());
            let _ = called.set_password(with_password.password());
        }
        let answer = match caller.get(called.as_str(), &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")]) {
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
            Some(Ok(next)) if matches!(next.scheme(), "http" | "https") => url = without_password(next),
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
    match answer.end {
        End::Whole => {}
        End::TooLarge => {
            let most = fetch::BODY_BYTES_MAX >> 20;
            report.add(
                Finding::warning(
                    "page-too-large",
                    format!("{url} is larger than {most} MiB: the rest was not looked at."),
                )
                .advise("If the tag stands further down, move it up."),
            );
        }
        End::BrokenOff => report.add(
            Finding::warning("page-broken-off", format!("{url} breaks off, or does not end in time: it came in part."))
                .advise("Look into that site's own log."),
        ),
    }
    let moved = if url == asked { String::new() } else { format!(", after a redirect from {asked}") };
    report.fine(format!("the page {url} loads{moved}"));
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_utf_16_is_read() {
        let units: Vec<u16> = "<p>ä".encode_utf16().collect();
        let [little, big]: [Vec<u8>; 2] =
            [u16::to_le_bytes, u16::to_be_bytes].map(|f| units.iter().copied().flat_map(f).collect());
        for (body, content_type) in [
            ([&[0xff, 0xfe], &*little].concat(), "text/html"),
            ([&[0xfe, 0xff], &*big].concat(), "text/html; charset=utf-16le"),
            (little, "text/html; charset=UTF-16"),
            (big, "text/html; charset=utf-16be"),
            ("<p>ä".into(), "text/html; charset=utf-8"),
        ] {
            assert_eq!(text(&body, content_type).trim_start_matches('\u{feff}'), "<p>ä", "{content_type}");
        }
        assert_eq!(text(b"<p>\xe4", "text/html; charset=iso-8859-1"), "<p>\u{fffd}");
        assert_eq!(text(&[0xff, 0xfe, b'<'], ""), "\u{feff}");
    }
}
