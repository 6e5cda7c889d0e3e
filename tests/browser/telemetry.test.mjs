/** What the owner learns of visitors: what they do, never what they write; and nothing of those who object. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";
import { answering } from "./support/wire.mjs";

const EVENTS = "/v1/widget/events";
const HELLO = "Hello from the scripted model.";
/** Longer than the widget waits to send a batch. */
const BATCH_MS = 2600;

const batches = (wire) => wire.asked(EVENTS);
const events = (wire) => batches(wire).flatMap(({ body }) => JSON.parse(body).events);
const types = (wire) => events(wire).map(({ type }) => type);

for (const [how, leave] of [
  ["follows a link", ({ page, site }) => page.goto(`${site.origin}/next`)],
  ["closes the tab", ({ page }) => page.close({ runBeforeUnload: true })],
  ["reloads", ({ page }) => page.reload()],
]) {
  inBrowser(`what a visitor did arrives although he ${how}, in one request without a preflight`, {}, async (scene) => {
    const { widget, wire } = scene;
    await widget.open();
    await widget.hear("My secret question", HELLO);
    await widget.closeButton.click();
    assert.deepEqual(batches(wire), []);
    await leave(scene);
    await eventually(() => assert.equal(batches(wire).at(0)?.status, 202));
    assert.deepEqual(types(wire), ["launcher_open", "message_sent", "launcher_close"]);
    assert.equal(batches(wire).length, 1);
    assert.equal(wire.requests.some(({ method }) => method === "OPTIONS"), false);
    assert.match(batches(wire)[0].headers["content-type"], /^text\/plain/);
  });
}

inBrowser("what is sent holds no text of a message, no query of an address, and an id for each event", { page: null, agent: { lead_form: {}, starter_prompts: ["A starter prompt"] } }, async (scene) => {
  const { page, site, wire, widget, model } = scene;
  await page.goto(`${site.origin}/shop?session=secret-query#secret-fragment`);
  model.next("My secret answer, with [a link](https://example.com/read?token=secret-token#part).");
  await widget.open();
  await widget.hear("My secret question", "My secret answer, with a link.");
  await page.route("https://example.com/**", (route) => route.fulfill({ body: "read" }));
  await widget.find(".msg a").click();
  await widget.input.fill("My secret draft");
  await widget.find(".lead-open").click();
  await widget.form.getByLabel("Email").fill("secret@example.com");
  await eventually(() => assert.ok(types(wire).includes("lead_form_open")));
  const all = batches(wire).map(({ body }) => body).join("");
  assert.doesNotMatch(all, /secret/i);
  assert.deepEqual(types(wire), ["launcher_open", "message_sent", "link_click", "lead_form_open"]);
  assert.equal(events(wire)[1].props.characters, "My secret question".length);
  assert.equal(events(wire)[2].props.url, "https://example.com/read");
  for (const event of events(wire)) assert.equal(event.page.url, `${site.origin}/shop`);
  const ids = events(wire).map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  for (const { ts } of events(wire)) assert.ok(Math.abs(Date.parse(ts) - Date.now()) < 60_000);
});

const noticed = { agent: { rule: [{ id: "left", trigger: "exit_intent", action: "nudge", text: "Questions?" }] } };
inBrowser("a rule that acted and a nudge that was sent away are told", noticed, async ({ page, widget, wire }) => {
  await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientY: -1 })));
  await widget.find(".nudge-close").click();
  await page.evaluate(() => widgetd("track", "added_to_cart", { items: 2 }));
  await eventually(() => assert.equal(types(wire).length, 3));
  assert.deepEqual(types(wire), ["exit_intent", "dismiss", "custom.added_to_cart"]);
  assert.deepEqual(events(wire).map(({ props }) => props), [{ rule: "left" }, { what: "nudge" }, { items: 2 }]);
});

inBrowser("of a visitor whose browser objects, nothing is told, and nothing is fetched to tell it", { ...noticed, before: ({ context }) => context.addInitScript(() => Object.defineProperty(Navigator.prototype, "globalPrivacyControl", { value: true })) }, async ({ page, widget, wire, site }) => {
  await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientY: -1 })));
  await widget.nudge.waitFor();
  await pause(BATCH_MS);
  assert.deepEqual(wire.requests.map(({ path }) => path), ["/widget.js", "/v1/widget/config"]);
  await widget.open();
  await widget.hear("Hello?", HELLO);
  await page.goto(`${site.origin}/next`);
  await pause(BATCH_MS);
  assert.deepEqual(batches(wire), []);
});

inBrowser("events that could not be sent are sent later, each once", {}, async ({ widget, wire, complaints, page }) => {
  complaints.expect(/status of 503/);
  wire.next(EVENTS, answering(503, { status: 503, code: "overloaded" }));
  await widget.open();
  await eventually(() => assert.equal(batches(wire).length, 1));
  await widget.closeButton.click();
  await eventually(() => assert.equal(batches(wire).length, 2));
  const [refused, accepted] = batches(wire).map(({ body }) => JSON.parse(body).events);
  assert.deepEqual(accepted.map(({ type }) => type), ["launcher_open", "launcher_close"]);
  assert.equal(accepted[0].id, refused[0].id);
  await page.reload();
  await pause(300);
  assert.equal(batches(wire).length, 2);
});

inBrowser("a page that is kept for going back works when the visitor comes back", {}, async ({ page, site, widget }) => {
  await widget.open();
  await widget.hear("One?", HELLO);
  await page.goto(`${site.origin}/next`);
  await widget.launcher.waitFor();
  await page.goBack();
  await widget.panel.waitFor();
  await widget.says(HELLO);
  await widget.hear("Two?", HELLO);
});

inBrowser("what the server will not have is not sent again, and the rest is", {}, async ({ page, widget, wire, complaints }) => {
  complaints.expect(/status of 422/);
  await page.evaluate(() => widgetd("track", "not a name"));
  await eventually(() => assert.equal(batches(wire).at(0)?.status, 422));
  await widget.open();
  await eventually(() => assert.equal(batches(wire).at(1)?.status, 202));
  assert.deepEqual(types(wire).slice(1), ["launcher_open"]);
});

inBrowser("an event that is too large for the server keeps nothing back", {}, async ({ page, widget, wire }) => {
  await page.evaluate(() => widgetd("track", "large", { text: "x".repeat(70_000) }));
  await widget.open();
  await eventually(() => assert.equal(batches(wire).at(0)?.status, 202));
  assert.deepEqual(types(wire), ["launcher_open"]);
});

inBrowser("a batch that is on its way when the page is left is kept alive", {}, async ({ page, widget }) => {
  await page.evaluate(() => {
    window.kept = [];
    const { fetch } = window;
    window.fetch = (address, options) => {
      if (address.endsWith("/events")) window.kept.push(options.keepalive);
      return fetch(address, options);
    };
  });
  await widget.open();
  await eventually(async () => assert.deepEqual(await page.evaluate(() => window.kept), [true]));
});
