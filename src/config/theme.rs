//! `[agent.theme]`: colours, corners and place of the widget.

use crate::config::section::Section;
use crate::config::urls;
use crate::domain::agent::{Icon, Mode, Side, Theme};

/// Further from the corner it is in the page's way.
const OFFSET_PX_MAX: u8 = 200;
/// What fits on a phone beside the icon.
const LAUNCHER_LABEL_CHARS_MAX: usize = 30;

pub(super) fn read(theme: &Section) -> Theme {
    let color = theme.get("color").parse(parse_colour);
    let accent = theme.get("accent").parse(parse_colour);
    let mode = theme.get("mode").choice(&[("auto", Mode::Auto), ("light", Mode::Light), ("dark", Mode::Dark)]);
    let side = theme.get("side").choice(&[("right", Side::Right), ("left", Side::Left)]);
    // From square to as round as the widget's smallest box can be.
    let radius_px = theme.get("radius_px").integer(0..=32);
    let offset = |key| theme.get(key).integer(0..=OFFSET_PX_MAX).unwrap_or(20);
    let launcher_icon =
        theme.get("launcher_icon").choice(&[("chat", Icon::Chat), ("help", Icon::Help), ("spark", Icon::Spark)]);
    let accent = accent.unwrap_or_else(|| "#2563eb".to_owned());
    Theme {
        color: color.unwrap_or_else(|| accent.clone()),
        accent,
        mode: mode.unwrap_or(Mode::Auto),
        side: side.unwrap_or(Side::Right),
        radius_px: radius_px.unwrap_or(12),
        offset_x_px: offset("offset_x_px"),
        offset_y_px: offset("offset_y_px"),
        launcher_label: theme.get("launcher_label").line(LAUNCHER_LABEL_CHARS_MAX).unwrap_or_default(),
        launcher_icon: launcher_icon.unwrap_or(Icon::Chat),
        avatar: theme.get("avatar").parse(urls::web_url),
    }
}

/// `#rrggbb`, in lower case: it goes into a style, where a freer text could do harm.
fn parse_colour(text: &str) -> Result<String, String> {
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    let digits = text.strip_prefix('#').unwrap_or(text);
    let lower = digits.to_ascii_lowercase();
    match (is_hex(digits), digits.len()) {
        (true, 6) if text.len() == 7 => Ok(format!("#{lower}")),
        (true, 6) => Err(format!("is not a colour; write \"#{lower}\"")),
        (true, 3) => {
            let meant: String = lower.chars().flat_map(|digit| [digit, digit]).collect();
            Err(format!("is not a colour; write \"#{meant}\""))
        }
        _ => Err("is not a colour; write six hexadecimal digits, such as \"#2563eb\"".to_owned()),
    }
}
