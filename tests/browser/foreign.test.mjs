/** Pages that others wrote, with frameworks, styles and keys of their own: they carry the widget, and neither harms the other. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
/** The bundler is the widget's. */
const { buildSync } = createRequire(new URL("../../src/widget/build.mjs", import.meta.url))("esbuild");

const folderOf = (name) => new URL(`node_modules/${name}`, import.meta.url).pathname;

/** A policy without inline styles, as the page's own parts and the widget need it. */
const policy = (wire, { scripts = "", styles = "" }) =>
  `default-src 'none'; script-src 'self' ${wire.origin} ${scripts}; style-src 'self' ${styles}; img-src 'self' data:; font-src 'self' data:; connect-src 'self' ${wire.origin}`;

/** The computed styles and boxes of all that the page shows. */
const looks = (page) =>
  page.evaluate(() =>
    [...document.body.querySelectorAll("*")].map((node) => {
      const { x, y, width, height } = node.getBoundingClientRect();
      const style = getComputedStyle(node);
      return [node.localName, x, y, width, height, style.color, style.font, style.backgroundColor].join(" ");
    }),
  );

const API = {
  openapi: "3.0.0",
  info: { title: "Teapots", version: "1" },
  paths: { "/teapots": { get: { summary: "All teapots", responses: { 200: { description: "Them" } } } } },
};
/** The one inline style that Swagger UI itself writes. */
const ITS_OWN_STYLE = "'unsafe-hashes' 'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='";
const swagger = ({ site, wire }) => {
  const folder = folderOf("swagger-ui-dist");
  site.isFolder(folder);
  const initializer = readFileSync(`${folder}/swagger-initializer.js`, "utf8").replace("https://petstore.swagger.io/v2/swagger.json", "/api.json");
  site.page("/swagger-initializer.js", { type: "text/javascript", whole: initializer });
  site.page("/api.json", { type: "application/json", whole: JSON.stringify(API) });
  return { page: { headers: { "Content-Security-Policy": policy(wire, { styles: ITS_OWN_STYLE }) } } };
};
inBrowser("Swagger UI, with its React and its style sheet, works as without the widget, and so does the widget", swagger, async ({ page, widget }) => {
  const operation = page.locator(".opblock-summary-control").first();
  await operation.waitFor();
  await page.evaluate(() => document.fonts.ready);
  const before = await looks(page);
  await widget.open();
  await widget.hear("Which teapots?", HELLO);
  assert.deepEqual(await looks(page), before, "the page looks as before");
  assert.equal(await widget.style(".body", "font-size"), "15px");
  await widget.closeButton.click();
  await operation.click();
  await page.locator(".opblock.is-open .responses-wrapper").waitFor();
  await widget.launcher.click();
  await widget.hear("And which else?", HELLO);
});

/** The inline style of the hidden element in which reveal.js announces its slides. */
const ITS_ANNOUNCER = "'unsafe-hashes' 'sha256-huhqpKwGcFswbXjh5F/DueoxnLh3Yh/pg/lNbo+tnLE='";
const slides = ({ site, wire }) => {
  const folder = folderOf("reveal.js");
  site.isFolder(folder);
  const [, script] = /<script>([^]*?)<\/script>/.exec(readFileSync(`${folder}/index.html`, "utf8"));
  const hash = createHash("sha256").update(script).digest("base64");
  return { page: { headers: { "Content-Security-Policy": policy(wire, { scripts: `'sha256-${hash}'`, styles: ITS_ANNOUNCER }) } } };
};
inBrowser("reveal.js, which listens for keys everywhere, turns its slides but not while one writes in the widget", slides, async ({ page, widget }) => {
  await page.waitForFunction(() => Reveal.isReady());
  const slide = () => page.evaluate(() => Reveal.getIndices().h);
  await widget.open();
  // Space, n and the arrows turn slides, f fills the screen, o shows all of them, ? the help.
  await page.keyboard.type("no f? b.");
  for (const key of ["ArrowRight", "ArrowDown", "PageDown", "End"]) await page.keyboard.press(key);
  assert.equal(await widget.input.inputValue(), "no f? b.");
  assert.equal(await slide(), 0);
  assert.equal(await page.evaluate(() => Reveal.isOverview() || Reveal.isPaused() || Boolean(document.fullscreenElement)), false);
  await widget.input.press("Enter");
  await widget.says(HELLO);
  await page.keyboard.press("Escape");
  await eventually(async () => assert.equal(await widget.panel.isVisible(), false));
  assert.equal(await page.evaluate(() => Reveal.isOverview()), false, "Escape was the widget's");
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press("ArrowRight");
  await eventually(async () => assert.equal(await slide(), 1));
});

/** A whole document by React: what the server and the browser both render. */
const APP = `
  import { createElement as h, useState } from "react";
  function Counter() {
    const [count, setCount] = useState(0);
    return h("button", { id: "count", onClick: () => setCount(count + 1) }, "Teapots: " + count);
  }
  export const page = (src) =>
    h("html", { lang: "en" },
      h("head", null, h("title", null, "Teapots"), h("script", { src: "/client.js" })),
      h("body", null, h("main", null, h("h1", null, "Teapots"), h(Counter)), h("script", { src, "data-agent-id": "demo", async: true })));
`;
const SERVER = `${APP}
  import { renderToString } from "react-dom/server.browser";
  process.stdout.write("<!doctype html>" + renderToString(page(process.argv[2])));
  // React's channel would keep it alive.
  process.exit();
`;
const CLIENT = `${APP}
  import { hydrateRoot } from "react-dom/client";
  window.complaints = [];
  window.hydrate = (src) => hydrateRoot(document, page(src), { onRecoverableError: (error) => window.complaints.push(String(error)) });
`;

function bundle(contents, format) {
  const { outputFiles } = buildSync({
    stdin: { contents, resolveDir: new URL(".", import.meta.url).pathname },
    bundle: true,
    write: false,
    format,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0].text;
}

for (const [when, isFirst] of [
  ["before React takes the page over", true],
  ["after React has taken the page over", false],
]) {
  inBrowser(`a document that is React's from its root carries a widget that comes ${when}`, { page: null }, async (scene) => {
    const { page, site, wire, widget } = scene;
    const src = `${wire.origin}/widget.js`;
    const html = execFileSync(process.execPath, ["-", src], { input: bundle(SERVER, "cjs"), encoding: "utf8" });
    site.page("/client.js", { type: "text/javascript", whole: bundle(CLIENT, "iife") });
    site.page("/", { whole: html });
    const go = wire.holdsNext("/widget.js");
    if (isFirst) go();
    await page.goto(site.origin, { waitUntil: "commit" });
    await page.waitForFunction(() => window.hydrate && document.querySelector("#count"));
    if (isFirst) await widget.launcher.waitFor();
    await page.evaluate((address) => {
      window.heading = document.querySelector("h1");
      window.hydrate(address);
    }, src);
    go();
    await widget.open();
    await eventually(async () => {
      await page.locator("#count").click();
      assert.match(await page.locator("#count").innerText(), /[1-9]/);
    });
    assert.deepEqual(await page.evaluate(() => window.complaints), []);
    assert.equal(await page.evaluate(() => window.heading.isConnected), true, "React keeps the server's elements");
    await widget.hear("Hello?", HELLO);
    assert.equal(await page.locator("#widgetd").count(), 1);
  });
}
