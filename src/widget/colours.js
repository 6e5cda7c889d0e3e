/**
 * Black or white, whichever can be read on a colour (`#rrggbb`) that an owner has chosen: WCAG 2.2, success criterion 1.4.3, wants
 * a contrast of 4.5. White has it on a luminance of up to 0.183, black on one from 0.175; between the two lies room for a gamma
 * of 2.2, which is WCAG's curve but for a hundredth.
 */
export function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => (parseInt(colour.slice(at, at + 2), 16) / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179 ? "#fff" : "#000";
}
