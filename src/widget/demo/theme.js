/**
 * The agent's colours as CSS custom properties. An owner may choose any accent, so everything that is written on it or
 * in it is computed to be readable (WCAG 2.2, 1.4.3: a contrast of 4.5).
 */

const CONTRAST_MIN = 4.5;
/** The least favourable backgrounds of `demo.css` on which the accent is used as ink. */
const LIGHT_BACKGROUND = "#eef0f4";
const DARK_BACKGROUND = "#262a31";

export function applyTheme({ accent, mode, radius_px: radius }, root = document.documentElement) {
  root.dataset.mode = mode;
  const properties = {
    "--accent": accent,
    "--on-accent": inkOn(accent),
    "--accent-ink-light": readable(accent, LIGHT_BACKGROUND, "#000000"),
    "--accent-ink-dark": readable(accent, DARK_BACKGROUND, "#ffffff"),
    "--radius": `${radius}px`,
  };
  for (const [name, value] of Object.entries(properties)) root.style.setProperty(name, value);
}

/** Black or white, whichever is read better on `colour`: one of them always passes. */
export function inkOn(colour) {
  return contrast(colour, "#ffffff") >= contrast(colour, "#000000") ? "#ffffff" : "#000000";
}

/** `colour`, moved towards `end` as little as it takes to be read on `background`. */
export function readable(colour, background, end) {
  for (let share = 0; share < 1; share += 0.05) {
    const candidate = mixed(colour, end, share);
    if (contrast(candidate, background) >= CONTRAST_MIN) return candidate;
  }
  return end;
}

/** 1 to 21, as WCAG defines it. */
export function contrast(one, other) {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [red, green, blue] = channels(colour).map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function mixed(colour, end, share) {
  const ends = channels(end);
  const parts = channels(colour).map((part, index) => Math.round(part + (ends[index] - part) * share));
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

/** Of `#rrggbb`. */
function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}
