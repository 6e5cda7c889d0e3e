/** The demo page's other parts that need no browser: colours, rules, words. */

import assert from "node:assert/strict";
import test from "node:test";

import { highest, pathMatches } from "../../src/widget/demo/rules.js";
import { contrast, inkOn, readable } from "../../src/widget/demo/theme.js";
import { explain, inWords, saysItDoesNotKnow } from "../../src/widget/demo/words.js";

const ACCENTS = ["#2563eb", "#facc15", "#ffffff", "#000000", "#777777", "#ff0000", "#00ff00", "#8b5cf6"];

test("whatever the accent, what is written on it and in it can be read", () => {
  for (const accent of ACCENTS) {
    assert.ok(contrast(accent, inkOn(accent)) >= 4.5, accent);
    assert.ok(contrast(readable(accent, "#eef0f4", "#000000"), "#eef0f4") >= 4.5, accent);
    assert.ok(contrast(readable(accent, "#262a31", "#ffffff"), "#262a31") >= 4.5, accent);
  }
});

test("contrast is what WCAG says it is", () => {
  assert.equal(contrast("#000000", "#ffffff"), 21);
  assert.equal(contrast("#ff0000", "#ffffff").toFixed(2), "4.00");
  assert.equal(contrast("#ffffff", "#777777").toFixed(2), "4.48");
});

test("an accent that can be read is left as it is", () => {
  assert.equal(readable("#1d4ed8", "#eef0f4", "#000000"), "#1d4ed8");
});

test("a star in a rule's pattern stands for any run of characters, and nothing else is special", () => {
  for (const [pattern, path, wanted] of [
    ["/", "/", true],
    ["/", "/x", false],
    ["/docs/*", "/docs/a/b", true],
    ["/docs/*", "/docs", false],
    ["*.html", "/a.html", true],
    ["*.html", "/ahtml", false],
    ["/a+(b)", "/a+(b)", true],
  ]) {
    assert.equal(pathMatches(pattern, path), wanted, `${pattern} ${path}`);
  }
});

test("the highest priority goes first, and among equals the first in the list", () => {
  const rule = (id, priority) => ({ id, priority });
  assert.equal(highest([rule("a", 0), rule("b", 2), rule("c", 2)]).id, "b");
  assert.equal(highest([]), null);
});

test("a refusal says how long to wait", () => {
  assert.match(explain({ code: "rate_limited", retryAfter: 12 }).text, /in 12 seconds/);
  assert.match(explain({ code: "conversation_budget_exhausted", retryAfter: 10843 }).text, /in about 4 hours/);
  assert.equal(explain({ code: "conversation_budget_exhausted", retryAfter: 10843 }).retry, false);
  assert.match(explain({ code: "model_unavailable", retryAfter: null }).text, /in a moment/);
  assert.deepEqual([1, 120, 121, 7201].map(inWords), ["1 second", "120 seconds", "about 3 minutes", "about 3 hours"]);
});

test("the server's own words are shown where the page has none", () => {
  const text = explain({ code: "origin_not_allowed", detail: "add it to allowed_origins", requestId: "" }).text;
  assert.equal(text, "add it to allowed_origins");
  assert.match(explain({ code: "http_502", detail: "", requestId: "r1" }).text, /http_502 \(request r1\)/);
});

test("an answer that does not know is recognised, one that knows is not", () => {
  for (const answer of [
    "I'm sorry, I don't know that. If you leave your email address, someone from the team will get back to you.",
    "I’m not sure about that.",
    "I don't have that information.",
    "Das weiß ich leider nicht. Wenn Sie Ihre E-Mail-Adresse hinterlassen, …",
    "Je suis désolé, je ne le sais pas.",
    "Lo siento, no lo sé.",
    "Dat weet ik helaas niet.",
  ]) {
    assert.ok(saysItDoesNotKnow(answer), answer);
  }
  assert.ok(!saysItDoesNotKnow("widgetd is a chat server. You do not need a key."));
});
