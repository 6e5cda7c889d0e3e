/** What becomes of a model's Markdown, and of what is no Markdown: `src/widget/markdown.js`. */

import assert from "node:assert/strict";
import test from "node:test";

import { parse, safeHref } from "../../src/widget/markdown.js";

const t = (text) => text;
const br = ["br", {}];
const code = (text) => ["code", {}, text];
const strong = (...children) => ["strong", {}, ...children];
const em = (...children) => ["em", {}, ...children];
const del = (...children) => ["del", {}, ...children];
const link = (text, href) => ["a", { href }, text];
const p = (...children) => ["p", {}, ...children];
const pre = (text) => ["pre", {}, text];
const quote = (...blocks) => ["blockquote", {}, ...blocks];
const heading = (level, ...children) => [`h${level}`, {}, ...children];
const ul = (...items) => ["ul", {}, ...items.map((blocks) => ["li", {}, ...blocks])];
const ol = (start, ...items) => ["ol", { start }, ...items.map((blocks) => ["li", {}, ...blocks])];

function check(cases) {
  for (const [text, ...wanted] of cases) assert.deepEqual(parse(text), wanted, JSON.stringify(text));
}

test("paragraphs and line breaks", () => {
  check([
    [""],
    [" \n \n"],
    ["a", p(t("a"))],
    ["a\nb\n\n\nc", p(t("a"), br, t("b")), p(t("c"))],
    ["a\r\nb\rc", p(t("a"), br, t("b"), br, t("c"))],
    ["## Prices ##\nfree", heading(4, "Prices"), p("free")],
    ["# a", heading(3, "a")],
    ["###### a", heading(6, "a")],
    ["#1 choice", p(t("#1 choice"))],
  ]);
});

test("bold, italic and code, but not in the middle of words and sums", () => {
  check([
    ["**a** b", p(strong(t("a")), t(" b"))],
    ["**a *b* c**", p(strong(t("a "), em(t("b")), t(" c")))],
    ["`a**b**`", p(code("a**b**"))],
    ["``a`b``", p(code("a`b"))],
    ["snake_case_word 2*3*4 2 * 3 * 4 ** x **", p(t("snake_case_word 2*3*4 2 * 3 * 4 ** x **"))],
    ["f(a*b*)", p(t("f(a*b*)"))],
    ["**not closed `neither", p(t("**not closed `neither"))],
    ["\\*a\\* \\[b](c)", p(t("*a* [b](c)"))],
    ["~~a~~ __b__ _c_", p(del("a"), " ", strong("b"), " ", em("c"))],
    ["snake_case and _not_this", p("snake_case and _not_this")],
  ]);
});

test("lists, nested and numbered", () => {
  const item = (text) => [p(t(text))];
  check([
    ["- a\n- b", ul(item("a"), item("b"))],
    ["Take:\n* a\n* b\n\nDone", p(t("Take:")), ul(item("a"), item("b")), p(t("Done"))],
    ["3. a\n4. b", ol(3, item("a"), item("b"))],
    ["1. a\n\n2. b", ol(1, item("a"), item("b"))],
    ["1. a\n   - b\n   - c\n2. d", ol(1, [p(t("a")), ul(item("b"), item("c"))], item("d"))],
    ["- a\n  b\nc", ul([p(t("a"), br, t("b"), br, t("c"))])],
    ["- a\n\n  b", ul([p(t("a")), p(t("b"))])],
    ["- a\n1. b", ul(item("a")), ol(1, item("b"))],
    ["born in\n1984. Good", p(t("born in"), br, t("1984. Good"))],
    ["-5 degrees", p(t("-5 degrees"))],
  ]);
});

test("quotes, rules and tables", () => {
  const row = (tag, ...cells) => ["tr", {}, ...cells.map((cell) => [tag, {}, cell])];
  check([
    ["> a\n> - b\n\nc", quote(p("a"), ul([p("b")])), p("c")],
    ["a\n\n---\n\nb", p("a"), ["hr", {}], p("b")],
    ["* * *", ["hr", {}]],
    ["- a\n---\n- b", ul([p("a")]), ["hr", {}], ul([p("b")])],
    ["| a | b |\n|---|:-:|\n| 1 | 2 |\n\nc", ["table", {}, row("th", "a", "b"), row("td", "1", "2")], p("c")],
    ["a | b\n-- | --\n1 | 2", ["table", {}, row("th", "a", "b"), row("td", "1", "2")]],
    ["a | b\nc", p("a | b", br, "c")],
  ]);
});

test("fenced code stays as it is, also before its end has come", () => {
  check([
    ["```sh\na **b**\n\n  c\n```\nd", pre("a **b**\n\n  c"), p(t("d"))],
    ["a\n```\nb", p(t("a")), pre("b")],
    ["~~~\n```\n~~~", pre("```")],
  ]);
});

test("links", () => {
  check([
    ["[a](https://e.org/x)", p(link("a", "https://e.org/x"))],
    ['[a](https://e.org/x_(y) "title")', p(link("a", "https://e.org/x_(y)"))],
    ["[[a](https://e.org/)]", p(t("["), link("a", "https://e.org/"), t("]"))],
    ["See https://e.org/x.", p(t("See "), link("https://e.org/x", "https://e.org/x"), t("."))],
    ["(https://e.org/x)", p(t("("), link("https://e.org/x", "https://e.org/x"), t(")"))],
    ["[mail](mailto:a@e.org)", p(link("mail", "mailto:a@e.org"))],
    ["**[a](https://e.org/)**", p(strong(link("a", "https://e.org/")))],
    ["[**a** b](https://e.org/)", p(["a", { href: "https://e.org/" }, strong("a"), " b"])],
    ["[https://e.org](https://e.org/)", p(link("https://e.org", "https://e.org/"))],
    ["[call](tel:+4930123)", p(link("call", "tel:+4930123"))],
    ["https://e.org/a_b_c.", p(link("https://e.org/a_b_c", "https://e.org/a_b_c"), ".")],
  ]);
});

test("an image is a link, so that no address is fetched for an answer", () => {
  check([["![a](https://e.org/p.png?chat=secret)", p(link("a", "https://e.org/p.png?chat=secret"))]]);
});

test("what is not harmless stays text", () => {
  for (const text of [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](data:text/html,x)",
    "[a](vbscript:x)",
    "[a](/relative)",
    "[a](//e.org/x)",
    "[a](https://user:pass@e.org/)",
    "[a](https://bank.example@e.org/)",
  ]) {
    assert.deepEqual(parse(text), [p(t(text))]);
  }
});

test("only http, https, mailto and tel lead anywhere", () => {
  assert.equal(safeHref("HTTP://E.org"), "http://e.org/");
  const scripts = ["javascript:1", "\u0001javascript:1", "java\nscript:1"];
  for (const address of [undefined, "", "x", "file:///x", "blob:x", ...scripts]) {
    assert.equal(safeHref(address), null, String(address));
  }
});

test("hostile text costs no time", () => {
  const start = performance.now();
  const pieces = ["[", "![a](", "**a", "*a ", "_a ", "~~a", "`", "- ", "((", "https://", "> 1. ", "| a ", "|-", "\\"];
  for (const piece of pieces) parse(piece.repeat(4000));
  parse(`- a${"\n".repeat(20000)}- b`);
  parse("- a\n".repeat(4000));
  parse(Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth * 2)}- a`).join("\n"));
  assert.ok(performance.now() - start < 5000);
});
