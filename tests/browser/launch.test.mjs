/** One tag on a page: what comes of it, what it costs, and what it leaves alone until somebody wants something. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";
import { strictPolicy } from "./support/site.mjs";
import { unreachable } from "./support/wire.mjs";

const strict = ({ wire }) => ({ page: { headers: { "Content-Security-Policy": strictPolicy(wire.origin) } } });
const API = "/v1/widget/";

inBrowser("under a strict policy with Trusted Types everything works, and the console stays empty", strict, async (scene) => {
  const { page, widget, wire, model } = scene;
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  await page.reload();
  await widget.launcher.waitFor();
  model.next(["It **pours** ", "[well](https://example.com/).\n\n", "```\ntea\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"]);
  await widget.open();
  await widget.ask("Does it pour?");
  await widget.find(".msg.bot table").waitFor();
  await page.evaluate(() => widgetd("set", { theme: { mode: "dark", accent: "#ff8800", radius_px: 3 } }));
  await widget.closeButton.click();
  assert.deepEqual(said, []);
  assert.deepEqual(scene.complaints.all(), []);
  assert.equal(wire.requests.some(({ method }) => method === "OPTIONS"), false, "no request needs a preflight");
  const paths = [...new Set(wire.requests.map(({ path }) => path))].filter((path) => path !== `${API}events`);
  assert.deepEqual(paths, ["/widget.js", `${API}config`, `${API}init`, `${API}messages/stream`]);
});

inBrowser("the script and the configuration are all that a page view loads, and nothing is stored", {}, async (scene) => {
  const { page, wire, widget } = scene;
  await page.mouse.move(300, 300);
  await page.mouse.wheel(0, 200);
  // Whatever comes late, such as telemetry, comes within two seconds.
  await pause(2500);
  assert.deepEqual(wire.requests.map(({ method, path }) => `${method} ${path}`), ["GET /widget.js", `GET ${API}config`]);
  assert.deepEqual(await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]), [0, 0, ""]);
  assert.equal(await widget.panel.isVisible(), false);
});

inBrowser("a conversation takes one init and one request a question", {}, async ({ wire, widget, model }) => {
  await widget.open();
  await widget.hear("One?", "Hello from the scripted model.");
  await widget.hear("Two?", "Hello from the scripted model.");
  const counts = Object.fromEntries(["init", "config", "messages/stream", "messages", "leads"].map((name) => [name, wire.asked(API + name).length]));
  assert.deepEqual(counts, { init: 1, config: 1, "messages/stream": 2, messages: 0, leads: 0 });
  assert.deepEqual(model.questions, ["One?", "Two?"]);
});

inBrowser("the second page view finds script and configuration in the browser's cache", {}, async ({ page, wire, widget, site }) => {
  await page.goto(`${site.origin}/second`);
  await widget.launcher.waitFor();
  assert.deepEqual(wire.requests.map(({ path }) => path), ["/widget.js", `${API}config`]);
});

for (const [way, tag, head] of [
  ["data-agent-id", 'data-agent-id="demo"', ""],
  ["window.widgetdSettings", "", '<script>window.widgetdSettings = {agentId: "demo"}</script>'],
]) {
  inBrowser(`the agent can be named by ${way}`, { tag, page: { head } }, async ({ widget }) => {
    await widget.open();
  });
}

const named = ({ wire, site }) => ({
  page: null,
  before: () => site.carries(`<script src="${wire.origin}/widget.js?agent=demo"></script>`),
});
inBrowser("the agent can be named in the script's address, where a tag manager strips attributes", named, async ({ page, site, widget }) => {
  await page.goto(site.origin);
  await widget.open();
});

inBrowser("a tag in the head, before there is a body, does as well", { page: null }, async ({ page, site, wire, widget }) => {
  site.page("/", { tags: "", head: `<script src="${wire.origin}/widget.js" data-agent-id="demo"></script>` });
  await page.goto(site.origin);
  await widget.open();
});

inBrowser("a tag that a script adds later does as well", { page: null }, async ({ page, site, wire, widget }) => {
  site.carries("");
  await page.goto(site.origin);
  await page.evaluate((src) => {
    const tag = document.createElement("script");
    tag.src = src;
    tag.dataset.agentId = "demo";
    document.head.append(tag);
  }, `${wire.origin}/widget.js`);
  await widget.open();
});

inBrowser("two tags make one widget", { page: null }, async ({ page, site, wire, widget }) => {
  const tag = `<script src="${wire.origin}/widget.js" data-agent-id="demo" async></script>`;
  site.carries(tag + tag);
  await page.goto(site.origin);
  await widget.launcher.waitFor();
  await page.evaluate((src) => {
    const third = document.createElement("script");
    third.src = src;
    third.dataset.agentId = "demo";
    return new Promise((resolve) => {
      third.onload = resolve;
      document.head.append(third);
    });
  }, `${wire.origin}/widget.js?again`);
  await pause(300);
  assert.equal(await page.locator("#widgetd").count(), 1);
  assert.equal(await widget.find(".launcher").count(), 1);
  assert.equal(wire.asked(`${API}config`).length, 1);
});

inBrowser("a tag that names no agent says so in one line, and shows nothing", { page: null, tag: "" }, async (scene) => {
  const { page, site, complaints } = scene;
  complaints.expect(/^error: widgetd: .*data-agent-id/);
  await page.goto(site.origin);
  await eventually(() => assert.equal(complaints.all().length, 1));
  assert.equal(await page.locator("#widgetd").count(), 0);
});

const refused = { agent: { allowed_origins: ["https://teapots.example"] }, page: null };
inBrowser("a refused origin is told in the console, with what to write where, and no launcher appears", refused, async (scene) => {
  const { page, site, complaints } = scene;
  // The browser's own lines about the two answers that it may not show.
  complaints.expect(/Access to fetch at .*\/config|net::ERR_FAILED|status of 403/);
  complaints.expect(/^error: widgetd: /);
  await page.goto(site.origin);
  const own = () => complaints.all().filter((text) => text.startsWith("error: widgetd:"));
  await eventually(() => assert.equal(own().length, 1));
  const [line] = own();
  assert.equal(line.includes("\n"), false, line);
  for (const part of [site.origin, '"demo"', "allowed_origins", "widget.toml"]) assert.ok(line.includes(part), `${part} in: ${line}`);
  await pause(300);
  assert.equal(own().length, 1, "it is said once");
  assert.equal(await page.locator("#widgetd").count(), 0);
});

inBrowser("a server that is not there leaves the page alone, and says so", { page: null }, async (scene) => {
  const { page, site, wire, complaints } = scene;
  complaints.expect(/net::ERR_/);
  complaints.expect(/^error: widgetd: .*cannot be reached/);
  wire.always(`${API}config`, unreachable);
  wire.always(`${API}check`, unreachable);
  await page.goto(site.origin);
  await eventually(() => assert.ok(complaints.all().some((text) => text.startsWith("error: widgetd:"))));
  assert.equal(await page.locator("#widgetd").count(), 0);
});

inBrowser("the immutable address loads under Subresource Integrity, and not if a byte differs", { page: null }, async (scene) => {
  const { page, site, wire, server, widget, complaints } = scene;
  const printed = await server.command("check");
  const found = /src="[^"]*(\/w\/[^"/]+\/widget\.js)"[^>]*integrity="(sha384-[^"]+)"/.exec(printed);
  assert.ok(found, printed);
  const [, path, integrity] = found;
  const tag = (hash) => `<script src="${wire.origin}${path}" integrity="${hash}" crossorigin data-agent-id="demo" async></script>`;
  site.page("/", { tags: tag(integrity) });
  await page.goto(site.origin);
  await widget.open();
  complaints.expect(/integrity/);
  const wrong = integrity.replace(/-(.)/, (_, first) => `-${first === "A" ? "B" : "A"}`);
  site.page("/wrong", { tags: tag(wrong) });
  await page.goto(`${site.origin}/wrong`);
  await eventually(() => assert.ok(complaints.all().some((text) => /integrity/.test(text))));
  assert.equal(await page.locator("#widgetd").count(), 0);
});
