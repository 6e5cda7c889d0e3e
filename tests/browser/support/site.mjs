/**
 * The site that the widget is on: another origin than widgetd's. Every path has a page; a test may replace any, and may give all
 * of them headers, a charset and more in head and body.
 */

import { existsSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

/** What a page can be told: `whole` instead of all the rest, its doctype, what its `<html>`, `<head>` and `<body>` hold, its headers, its bytes' encoding. */
const PLAIN = { doctype: "<!doctype html>", html: 'lang="en"', head: "", body: null, headers: {}, charset: "utf-8", encoding: "utf8" };

const VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">';
const BODY = `<main>
  <h1>Teapots</h1>
  <p>We sell teapots. <a href="#first" id="first">All teapots</a> <button type="button" id="buy">Buy one</button></p>
  <p><label>Search <input id="search"></label></p>
</main>`;

export async function startSite() {
  const pages = new Map();
  const hits = [];
  const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".png": "image/png" };
  let folder = null;
  let usual = PLAIN;
  let tags = "";

  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    if (path === "/favicon.ico") return response.writeHead(204).end();
    hits.push(request.url);
    const file = folder && !pages.has(path) && join(folder, normalize(path === "/" ? "/index.html" : path));
    if (file && existsSync(file) && statSync(file).isFile()) {
      response.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", ...usual.headers });
      const html = path === "/" && readFileSync(file, "utf8").replace("</body>", `${tags}</body>`);
      return response.end(html || readFileSync(file));
    }
    const page = { ...usual, ...pages.get(path) };
    response.writeHead(200, { "Content-Type": page.charset ? `${page.type ?? "text/html"}; charset=${page.charset}` : "text/html", ...page.headers });
    if (page.whole) return response.end(page.whole);
    response.end(Buffer.from(htmlOf(page, page.tags ?? tags), page.encoding));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    /** The paths and queries that were asked for. */
    hits,
    /** What all pages have, unless told otherwise. */
    usual: (page) => (usual = { ...usual, ...page }),
    /** The script tags of all pages that name none of their own. */
    carries: (html) => (tags = html),
    page: (path, page) => pages.set(path, page),
    /** Somebody else's site: the files of a folder, whose `index.html` gets the script tags. */
    isFolder: (path) => (folder = path),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function htmlOf({ doctype, html, head, body }, tags) {
  return `${doctype}<html ${html}><head><title>Teapots</title>${VIEWPORT}${head}</head><body>${body ?? BODY}${tags}</body></html>`;
}

/** Allows the widget's script and its API, and nothing else: not even styles, nor a Trusted Types policy. */
export function strictPolicy(widgetOrigin) {
  return (
    `default-src 'none'; script-src ${widgetOrigin}; connect-src ${widgetOrigin}; style-src 'none'; ` +
    "require-trusted-types-for 'script'; trusted-types 'none'"
  );
}
