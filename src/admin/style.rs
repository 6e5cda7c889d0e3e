//! The style sheet and the icon, from inside the binary. Their addresses have a hash of what is in them, so that browsers
//! may keep them for ever.

use std::sync::LazyLock;

use hmac_sha256::Hash;
use rouille::Response;

use super::ROOT;

const STYLE: &str = include_str!("admin.css");
const ICON: &str = include_str!("icon.svg");

static STYLE_NAME: LazyLock<String> = LazyLock::new(|| format!("{}.css", digest(STYLE)));
static ICON_NAME: LazyLock<String> = LazyLock::new(|| format!("{}.svg", digest(ICON)));

fn digest(text: &str) -> String {
    Hash::hash(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn style_path() -> String {
    format!("{ROOT}/{}", *STYLE_NAME)
}

pub(super) fn icon_path() -> String {
    format!("{ROOT}/{}", *ICON_NAME)
}

pub(super) fn find(parts: &[&str]) -> Option<Response> {
    let [name] = parts else {
        return None;
    };
    let (content_type, body) = match *name {
        name if name == *STYLE_NAME => ("text/css; charset=utf-8", STYLE),
        name if name == *ICON_NAME => ("image/svg+xml", ICON),
        _ => return None,
    };
    let response = Response::from_data(content_type, body);
    Some(response.with_unique_header("Cache-Control", "public, max-age=31536000, immutable"))
}
