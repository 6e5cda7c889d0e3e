//! The embeddable widget as it is served: one script, which `build.mjs` makes of the sources in this folder, and the tags by
//! which a page includes it. Knows nothing of HTTP.

use std::sync::LazyLock;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac_sha512::sha384;

/// The script, and what it is with each content coding (RFC 9110, section 8.4.1) that is ready.
pub(crate) const SCRIPT: &[u8] = include_bytes!("dist/widget.js");
pub(crate) const SCRIPT_BROTLI: &[u8] = include_bytes!("dist/widget.js.br");
pub(crate) const SCRIPT_GZIP: &[u8] = include_bytes!("dist/widget.js.gz");

/// How many of the digest's hexadecimal digits stand in the address that never changes.
const HASH_DIGITS: usize = 16;

static DIGEST: LazyLock<[u8; 48]> = LazyLock::new(|| sha384::Hash::hash(SCRIPT));
static HASH: LazyLock<String> =
    LazyLock::new(|| DIGEST.iter().take(HASH_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect());

/// What stands for this very script in its address.
pub(crate) fn hash() -> &'static str {
    &HASH
}

/// The script's digest in base64 (Subresource Integrity, section 3.1); none for an algorithm that browsers do not know.
pub(crate) fn integrity(algorithm: &str) -> Option<String> {
    Some(match algorithm {
        "sha256" => BASE64_STANDARD.encode(hmac_sha256::Hash::hash(SCRIPT)),
        "sha384" => BASE64_STANDARD.encode(*DIGEST),
        "sha512" => BASE64_STANDARD.encode(hmac_sha512::Hash::hash(SCRIPT)),
        _ => return None,
    })
}

/// The tag for a page: `server` is the origin that visitors reach this server by. It always gets the script of the day.
pub(crate) fn tag(server: &str, agent_id: &str) -> String {
    format!("<script src=\"{server}/widget.js\" data-agent-id=\"{agent_id}\" async></script>")
}

/// The same for pages that pin what they run: this script or none (Subresource Integrity, section 3).
pub(crate) fn pinned_tag(server: &str, agent_id: &str) -> String {
    let integrity = integrity("sha384").unwrap_or_default();
    format!(
        "<script src=\"{server}/w/{}/widget.js\" data-agent-id=\"{agent_id}\" integrity=\"sha384-{integrity}\" \
         crossorigin=\"anonymous\" async></script>",
        hash(),
    )
}
