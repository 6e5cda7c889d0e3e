/** What becomes of a model's Markdown, and of what is no Markdown: `src/widget/demo/markdown.js`. */

import assert from "node:assert/strict";
import test from "node:test";

import { parse, safeHref } from "../../src/widget/demo/markdown.js";

const t = (text) => ({ type: "text", text });
const br = { type: "br" };
const code = (text) => ({ type: "code", text });
const strong = (...children) => ({ type: "strong", children });
const em = (...children) => ({ type: "em", children });
const link = (text, href) => ({ type: "link", href, text });
const p = (...children) => ({ type: "p", children });
const pre = (text) => ({ type: "pre", text });
const heading = (...children) => ({ type: "heading", children });
const ul = (...items) => ({ type: "ul", items });
const ol = (start, ...items) => ({ type: "ol", items, start });

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
    ["## Prices ##\nfree", heading(t("Prices")), p(t("free"))],
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

test("only http, https and mailto lead anywhere", () => {
  assert.equal(safeHref("HTTP://E.org"), "http://e.org/");
  const scripts = ["javascript:1", "\u0001javascript:1", "java\nscript:1"];
  for (const address of [undefined, "", "x", "file:///x", "blob:x", ...scripts]) {
    assert.equal(safeHref(address), null, String(address));
  }
});

test("hostile text costs no time", () => {
  const start = performance.now();
  for (const piece of ["[", "![a](", "**a", "*a ", "`", "- ", "((", "https://", "> 1. "]) parse(piece.repeat(4000));
  parse("- a\n".repeat(4000));
  parse(Array.from({ length: 1000 }, (_, depth) => `${" ".repeat(depth * 2)}- a`).join("\n"));
  assert.ok(performance.now() - start < 5000);
});
