/**
 * The site that the widget is on: another origin than widgetd's. Every path has a page; a test may replace any, and may give all
 * of them headers, a charset and more in head and body.
 */

import { createServer } from "node:http";

/** What a page can be told: what its `<html>`, `<head>` and `<body>` hold, its headers, its bytes' encoding. */
const PLAIN = { html: 'lang="en"', head: "", body: null, headers: {}, charset: "utf-8", encoding: "utf8" };

const VIEWPORT = '<meta name="viewport" content="width=device-width, initial-scale=1">';
const BODY = `<main>
  <h1>Teapots</h1>
  <p>We sell teapots. <a href="#first" id="first">All teapots</a> <button type="button" id="buy">Buy one</button></p>
  <p><label>Search <input id="search"></label></p>
</main>`;

export async function startSite() {
  const pages = new Map();
  const hits = [];
  let usual = PLAIN;
  let tags = "";

  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    if (path === "/favicon.ico") return response.writeHead(204).end();
    hits.push(request.url);
    const page = { ...usual, ...pages.get(path) };
    response.writeHead(200, { "Content-Type": page.charset ? `text/html; charset=${page.charset}` : "text/html", ...page.headers });
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
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function htmlOf({ html, head, body }, tags) {
  return `<!doctype html><html ${html}><head><title>Teapots</title>${VIEWPORT}${head}</head><body>${body ?? BODY}${tags}</body></html>`;
}

/** Allows the widget's script and its API, and nothing else: not even styles, nor a Trusted Types policy. */
export function strictPolicy(widgetOrigin) {
  return (
    `default-src 'none'; script-src ${widgetOrigin}; connect-src ${widgetOrigin}; style-src 'none'; ` +
    "require-trusted-types-for 'script'; trusted-types 'none'"
  );
}
