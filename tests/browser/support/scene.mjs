/**
 * A scene for one test: a site, widgetd, a scripted model, and a visitor's browser. When the test has ended, no page may have
 * complained in the console; if it failed, a picture tells what could be seen.
 *
 *   inBrowser("the sentence that is promised", { agent: { greeting: "Hello!" } }, async ({ widget, model }) => { … });
 *
 * `setting`, or a function of {site, wire, model} that gives it:
 *   agent       members of [[agent]], beside or instead of the usual ones
 *   config      tables of `widget.toml`, beside or instead of the usual ones
 *   page        what the site's pages have (see site.mjs); null to begin without a page
 *   tag         attributes of the script tag, instead of the agent's id
 *   context     options of the browser's profile
 *   before      an async function of the scene, before the page is opened
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import test from "node:test";

import { Complaints, newContext } from "./browser.mjs";
import { startModel } from "./model.mjs";
import { CEILING_MS } from "./patience.mjs";
import { startServer } from "./server.mjs";
import { startSite } from "./site.mjs";
import { Widget } from "./widget.mjs";
import { startWire } from "./wire.mjs";

const PICTURES = new URL("../../../target/browser/", import.meta.url).pathname;
/** The longest test takes a tenth of it: this ends a hang. */
const TIMEOUT_MS = 90_000;
/** All visitors of a test come from one address. */
const LIMITS = {
  init_per_address: "10000/1m",
  config_per_address: "10000/1m",
  messages_per_address: "10000/1m",
  leads_per_address: "10000/1m",
  leads_per_agent: "10000/1m",
};

export function inBrowser(name, setting, body) {
  test(name, { timeout: TIMEOUT_MS }, async (t) => {
    const closing = [];
    const scene = {};
    try {
      await build(scene, setting, closing);
      await body(scene, t);
      assert.deepEqual(scene.complaints.unexpected(), [], "the console stays silent");
    } catch (error) {
      await tellMore(scene, name, t);
      throw error;
    } finally {
      for (const close of closing.reverse()) await close();
    }
  });
}

async function build(scene, given, closing) {
  const add = async (starting, stop = "close") => {
    const started = await starting;
    closing.push(() => started[stop]());
    return started;
  };
  const model = await add(startModel());
  const site = await add(startSite());
  const wire = await add(startWire());
  const setting = typeof given === "function" ? given({ model, site, wire }) : given;
  const agent = {
    id: "demo",
    name: "Teapot helper",
    greeting: "Hello! What would you like to know?",
    allowed_origins: [site.origin],
    models: ["scripted"],
    ...setting.agent,
  };
  const config = { limits: LIMITS, model: [{ name: "scripted", url: model.url, model: "scripted" }], agent: [agent], ...setting.config };
  const server = await add(startServer(config), "stop");
  wire.leadsTo(server.origin);
  site.carries(`<script src="${wire.origin}/widget.js" ${setting.tag ?? 'data-agent-id="demo"'} async></script>`);
  site.usual(setting.page ?? {});
  const context = await add(newContext(setting.context));
  context.setDefaultTimeout(CEILING_MS);
  const page = await context.newPage();
  Object.assign(scene, { model, site, wire, server, context, page, widget: new Widget(page), complaints: new Complaints(context) });
  await setting.before?.(scene);
  if (setting.page === null) return;
  await page.goto(`${site.origin}/`);
  await scene.widget.launcher.waitFor();
}

async function tellMore({ page, wire, complaints }, name, t) {
  for (const complaint of complaints?.all() ?? []) t.diagnostic(`console: ${complaint}`);
  const requests = (wire?.requests ?? []).map(({ method, path, status }) => `${method} ${path} ${status ?? "without an answer"}`);
  t.diagnostic(`requests: ${requests.join(", ").replace(/(POST \S+ \d+)(, \1)+/g, "$1 …")}`);
  const picture = `${PICTURES}${name.replace(/\W+/g, "-")}.png`;
  mkdirSync(PICTURES, { recursive: true });
  try {
    await page.screenshot({ path: picture, timeout: 5000 });
    t.diagnostic(`picture: ${picture}`);
  } catch {
    // There is no page, or it hangs.
  }
}
