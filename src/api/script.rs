//! `GET /widget.js` and `GET /w/HASH/widget.js`: the embeddable widget, for pages everywhere. The first address always has the
//! script of the day; the second stands for one script for ever, so that a page can pin it.

use rouille::Response;

use super::error::ApiError;
use super::{Ctx, Outcome, etag, routes};
use crate::widget;

/// A coding is named in `Accept-Encoding`; without a name the bytes go as they are.
struct Coded {
    name: Option<&'static str>,
    bytes: &'static [u8],
}

/// The smallest first.
const CODED: [Coded; 3] = [
    Coded { name: Some("br"), bytes: widget::SCRIPT_BROTLI },
    Coded { name: Some("gzip"), bytes: widget::SCRIPT_GZIP },
    Coded { name: None, bytes: widget::SCRIPT },
];

/// Whether `path` is that of some script, of this version or another.
pub(super) fn is_pinned(path: &str) -> bool {
    hash_of(path).is_some()
}

fn hash_of(path: &str) -> Option<&str> {
    path.strip_prefix("/w/")?.strip_suffix("/widget.js")
}

pub(super) fn latest(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    Ok(script(ctx, "public, max-age=300, stale-while-revalidate=86400").into())
}

pub(super) fn pinned(ctx: &Ctx<'_>) -> Result<Outcome, ApiError> {
    if hash_of(routes::path(ctx.request)) != Some(widget::hash()) {
        return Err(ApiError::NotFound);
    }
    Ok(script(ctx, "public, max-age=31536000, immutable").into())
}

fn script(ctx: &Ctx<'_>, cache_control: &'static str) -> Response {
    let Coded { name, bytes } = coded_for(ctx.request.header("Accept-Encoding").unwrap_or_default());
    // A strong tag stands for bytes, and each coding has its own.
    let etag = format!("\"{}-{}\"", widget::hash(), name.unwrap_or("identity"));
    let response = etag::answer(ctx.request, etag, || {
        // Without the charset it would be read in that of the page.
        let response = Response::from_data("text/javascript; charset=utf-8", *bytes);
        match name {
            Some(name) => response.with_additional_header("Content-Encoding", *name),
            None => response,
        }
    });
    response
        .with_unique_header("Cache-Control", cache_control)
        .with_additional_header("Vary", "Accept-Encoding")
        .with_additional_header("Access-Control-Allow-Origin", "*")
        .with_additional_header("Cross-Origin-Resource-Policy", "cross-origin")
        .with_additional_header("Timing-Allow-Origin", "*")
}

/// The coding that the client likes best, the smallest of equals (RFC 9110, section 12.5.3).
fn coded_for(accept_encoding: &str) -> &'static Coded {
    let mut best = (&CODED[2], 0);
    for coded in &CODED {
        let weight = weight_of(coded.name.unwrap_or("identity"), accept_encoding);
        if weight > best.1 {
            best = (coded, weight);
        }
    }
    best.0
}

/// In thousandths. A coding that is not named has the weight of `*`; without that, only no coding is welcome.
fn weight_of(name: &str, accept_encoding: &str) -> u16 {
    let find = |wanted: &str| {
        accept_encoding.split(',').find_map(|item| {
            let (found, parameters) = item.split_once(';').unwrap_or((item, ""));
            found.trim().eq_ignore_ascii_case(wanted).then(|| thousandths(parameters))
        })
    };
    let unnamed = u16::from(name == "identity");
    find(name).or_else(|| find("*")).unwrap_or(unnamed)
}

/// Of `q=0.5`; 1000 if there is none or it cannot be read.
fn thousandths(parameters: &str) -> u16 {
    let weight = parameters.trim().strip_prefix(['q', 'Q']).and_then(|rest| rest.trim_start().strip_prefix('='));
    let weight: Option<f32> = weight.and_then(|weight| weight.trim().parse().ok());
    weight.filter(|weight| (0.0..=1.0).contains(weight)).map_or(1000, |weight| (weight * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_the_coding_that_it_likes_best() {
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip, deflate", Some("gzip")),
            ("", None),
            ("identity", None),
            ("br;q=0, gzip", Some("gzip")),
            ("br;q=0.5, gzip;q=0.8", Some("gzip")),
            ("BR ; Q=0.5", Some("br")),
            ("*", Some("br")),
            ("*;q=0.5, br;q=0", Some("gzip")),
            ("gzip;q=0", None),
            ("identity;q=1, gzip;q=0.5", None),
            ("br;q=nonsense", Some("br")),
            ("brotli, xbr", None),
        ] {
            assert_eq!(coded_for(accepted).name, expected, "{accepted}");
        }
    }
}
