/** The widget's other parts that need no browser: colours, paths and the texts. */

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import test from "node:test";

import { inkOn } from "../../src/widget/colours.js";
import { matchesAny } from "../../src/widget/paths.js";

const WIDGET = new URL("../../src/widget/", import.meta.url);

/** As WCAG 2.2 defines it: 1 to 21. */
function contrast(one, other) {
  const luminance = (colour) => {
    const [red, green, blue] = [1, 3, 5].map((at) => {
      const part = parseInt(colour.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

test("whatever the colour, what is written on it can be read", () => {
  const parts = Array.from({ length: 32 }, (_, step) => Math.round((step * 255) / 31).toString(16).padStart(2, "0"));
  for (const red of parts) {
    for (const green of parts) {
      for (const blue of parts) {
        const colour = `#${red}${green}${blue}`;
        const ink = inkOn(colour) === "#fff" ? "#ffffff" : "#000000";
        assert.ok(contrast(colour, ink) >= 4.5, `${ink} on ${colour}: ${contrast(colour, ink)}`);
      }
    }
  }
});

test("a star in a pattern stands for any run of characters, and nothing else is special", () => {
  for (const [pattern, path, wanted] of [
    ["/", "/", true],
    ["/", "/x", false],
    ["/docs/*", "/docs/a/b", true],
    ["/docs/*", "/docs", false],
    ["*.html", "/a.html", true],
    ["*.html", "/ahtml", false],
    ["/a+(b)", "/a+(b)", true],
    ["*", "/", true],
  ]) {
    assert.equal(matchesAny(["/never", pattern], path), wanted, `${pattern} ${path}`);
  }
  assert.equal(matchesAny([], "/"), false);
});

test("the widget has a text for every key that it asks for, and asks for each that it has", () => {
  const texts = JSON.parse(readFileSync(new URL("words/en.json", WIDGET), "utf8"));
  const sources = readdirSync(WIDGET).filter((name) => name.endsWith(".js"));
  const code = sources.map((name) => readFileSync(new URL(name, WIDGET), "utf8")).join("\n");
  const asked = new Set([...code.matchAll(/words\(\s*"(\w+)"/g)].map(([, key]) => key));
  for (const key of asked) assert.ok(key in texts, `no text for ${key}`);
  for (const key of Object.keys(texts)) {
    // Refusals are told by the code that they came with.
    assert.ok(asked.has(key) || code.includes(`"${key}"`) || /_|^(cut|length|overloaded|unreachable|offline)/.test(key), `nobody says ${key}`);
  }
});
