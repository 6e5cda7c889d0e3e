/** What can be told of the widget without running it: its size, its letters, and what its sources must not name. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";

import { startServer } from "./support/server.mjs";

const WIDGET = new URL("../../src/widget/", import.meta.url).pathname;
const GZIP_BYTES_MAX = 12_288;
const BROTLI_BYTES_MAX = 11_264;

const bundle = readFileSync(`${WIDGET}dist/widget.js`);

/** The modules that are bundled: all that lie beside the entry, but for the script that bundles them. */
const sources = readdirSync(WIDGET)
  .filter((name) => name.endsWith(".js"))
  .map((name) => ({ name, text: readFileSync(WIDGET + name, "utf8") }));

/** Of what is served. Compressors differ a little from one Node.js to the next, so it is not compressed again here. */
test("the script is within its budget", (t) => {
  const gzip = readFileSync(`${WIDGET}dist/widget.js.gz`).length;
  const brotli = readFileSync(`${WIDGET}dist/widget.js.br`).length;
  t.diagnostic(`${bundle.length} bytes, gzip ${gzip} of ${GZIP_BYTES_MAX}, brotli ${brotli} of ${BROTLI_BYTES_MAX}`);
  assert.ok(gzip <= GZIP_BYTES_MAX);
  assert.ok(brotli <= BROTLI_BYTES_MAX);
});

test("the script is pure ASCII, so no page can misread it", () => {
  assert.equal(bundle.findIndex((byte) => byte > 126 || (byte < 32 && byte !== 10)), -1);
});

test("what lies compressed beside the script is the script", () => {
  assert.ok(gunzipSync(readFileSync(`${WIDGET}dist/widget.js.gz`)).equals(bundle));
  assert.ok(brotliDecompressSync(readFileSync(`${WIDGET}dist/widget.js.br`)).equals(bundle));
});

test("the committed script is what its sources give", () => {
  execFileSync(process.execPath, [`${WIDGET}build.mjs`, "--check"], { stdio: ["ignore", "ignore", "inherit"] });
});

/** Each name of what must not be there, how it is found, and an example that proves that it is. */
const FORBIDDEN = [
  ["innerHTML", /\binnerHTML\b/, "node.innerHTML = text"],
  ["outerHTML", /\bouterHTML\b/, "node.outerHTML = text"],
  ["insertAdjacentHTML", /\binsertAdjacentHTML\b/, 'node.insertAdjacentHTML("beforeend", text)'],
  ["setHTML", /\bsetHTML(Unsafe)?\b/, "node.setHTMLUnsafe(text)"],
  ["parseHTML", /\bparseHTML(Unsafe)?\b/, "Document.parseHTMLUnsafe(text)"],
  ["DOMParser", /\bDOMParser\b/, "new DOMParser()"],
  ["createContextualFragment", /\bcreateContextualFragment\b/, "range.createContextualFragment(text)"],
  ["srcdoc", /\bsrcdoc\b/i, "frame.srcdoc = text"],
  ["document.write", /\bdocument\s*\.\s*write(ln)?\b/, "document.write(text)"],
  ["execCommand", /\bexecCommand\b/, 'document.execCommand("insertHTML")'],
  ["eval", /\beval\s*\(/, "eval(text)"],
  ["Function", /\bFunction\s*\(/, "new Function(text)"],
  ["a timer of text", /\bset(Timeout|Interval)\s*\(\s*["'`]/, 'setTimeout("run()", 1)'],
  ["import()", /\bimport\s*\(/, "import(text)"],
  ["style as an attribute", /\bsetAttribute(NS)?\([^)]*["'`]style["'`]/, 'node.setAttribute("style", text)'],
  ["cssText", /\bcssText\b/, "node.style.cssText = text"],
  ["on… as an attribute", /\bsetAttribute(NS)?\([^)]*["'`]on/, 'node.setAttribute("onclick", text)'],
  ["a frame, style, script, object or embed", /\b(createElement(NS)?|h)\([^)]*["'`](iframe|frame|style|script|object|embed|link|base)["'`]/, 'document.createElement("iframe")'],
  ["a cookie", /\bdocument\s*\.\s*cookie\b/, "document.cookie = text"],
  ["javascript:", /javascript:/i, 'link.href = "javascript:run()"'],
  ["unload", /["'`](before)?unload["'`]/, 'addEventListener("unload", last)'],
];

const withoutComments = (text) => text.replace(/\/\*[^]*?\*\//g, "").replace(/(^|\s)\/\/ .*$/gm, "");

test("no source names what parses HTML, runs text or breaks a strict policy", () => {
  assert.ok(sources.length > 10, "the sources are found");
  for (const { name, text } of sources) {
    for (const [what, pattern] of FORBIDDEN) assert.doesNotMatch(withoutComments(text), pattern, `${name}: ${what}`);
  }
  for (const [what, pattern] of FORBIDDEN) assert.doesNotMatch(bundle.toString(), pattern, `the bundle: ${what}`);
});

test("each of these would be found", () => {
  for (const [what, pattern, example] of FORBIDDEN) assert.match(withoutComments(`// It is fine.\n${example};\n`), pattern, what);
});

test("what the server serves is the committed script, in each encoding that a browser asks for", async () => {
  const server = await startServer({ agent: [{ id: "demo", name: "Demo", allowed_origins: ["self"] }] });
  try {
    for (const encoding of ["br", "gzip", "identity"]) {
      const response = await fetch(`${server.origin}/widget.js`, { headers: { "Accept-Encoding": encoding } });
      assert.equal(response.headers.get("content-encoding") ?? "identity", encoding);
      assert.match(response.headers.get("content-type"), /^text\/javascript; charset=utf-8$/i);
      // `fetch` has unpacked it.
      assert.ok(Buffer.from(await response.arrayBuffer()).equals(bundle), encoding);
    }
  } finally {
    await server.stop();
  }
});
