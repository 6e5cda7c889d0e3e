/** Sites that change the page under the widget: new addresses without a load, new bodies, scripts that tidy up. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
const go = (page, path) => page.evaluate((to) => history.pushState({}, "", to), path);
const onPricing = { id: "pricing", trigger: "url", pattern: "/pricing*", action: "nudge", text: "Questions about prices?", max_per_visitor: 2 };

inBrowser("a new address in the same page arms the rules for it again", { agent: { rule: [onPricing] } }, async ({ page, widget }) => {
  assert.equal(await widget.nudge.isVisible(), false);
  for (const path of ["/pricing", "/pricing/eu"]) {
    await go(page, path);
    await widget.nudge.waitFor();
    assert.match(await widget.nudge.innerText(), /Questions about prices\?/);
    await widget.find(".nudge-close").click();
    await go(page, "/elsewhere");
    await pause(1200);
    assert.equal(await widget.nudge.isVisible(), false);
  }
  await go(page, "/pricing");
  await pause(1200);
  assert.equal(await widget.nudge.isVisible(), false, "two times for one visitor");
});

inBrowser("a new address is told to the page, without its query", {}, async ({ page, site }) => {
  await page.evaluate(() => {
    window.told = [];
    widgetd("on", "navigate", ({ url }) => window.told.push(url));
  });
  await go(page, "/cart?session=secret#pay");
  await eventually(async () => assert.deepEqual(await page.evaluate(() => window.told), [`${site.origin}/cart`]));
});

inBrowser("where the browser tells of no navigation, a new address is found all the same", { agent: { rule: [onPricing] }, before: ({ context }) => context.addInitScript(() => Object.defineProperty(window, "navigation", { value: undefined })) }, async ({ page, widget }) => {
  await go(page, "/pricing");
  await widget.nudge.waitFor();
});

const restricted = { agent: { restricted_paths: ["/checkout*"], rule: [{ ...onPricing, pattern: "/checkout*" }] } };
inBrowser("where the owner does not want it, nothing of it is to be seen, and it comes back after", restricted, async ({ page, widget, site }) => {
  await widget.open();
  await widget.hear("Hello?", HELLO);
  await go(page, "/checkout/pay");
  await widget.launcher.waitFor({ state: "hidden" });
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal(await widget.nudge.isVisible(), false);
  await page.evaluate(() => widgetd("show"));
  await page.evaluate(() => widgetd("open"));
  assert.equal(await widget.panel.isVisible(), false, "not even if a script asks for it");
  await page.evaluate(() => history.back());
  await widget.launcher.waitFor();
  await page.goto(`${site.origin}/checkout`);
  await page.waitForFunction(() => document.querySelector("#widgetd"));
  await pause(300);
  assert.equal(await widget.launcher.isVisible(), false);
});

for (const [what, change] of [
  ["swaps its body", () => document.body.replaceWith(Object.assign(document.createElement("body"), { textContent: "Another page" }))],
  ["clears its body", () => document.body.replaceChildren()],
  ["empties the whole document but for a new head and body", () => document.documentElement.replaceChildren(document.createElement("head"), document.createElement("body"))],
  ["removes what it does not know", () => document.querySelector("#widgetd").remove()],
]) {
  inBrowser(`a page that ${what} in mid-answer keeps widget, conversation and answer`, {}, async ({ page, widget, model }) => {
    const answer = model.nextHolds("The beginning");
    await widget.open();
    await widget.ask("First?");
    await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The beginning"));
    await page.evaluate(change);
    await eventually(async () => assert.equal(await page.locator("#widgetd").count(), 1));
    answer.finish(" and the end");
    await widget.says("The beginning and the end");
    assert.equal(await widget.panel.isVisible(), true);
    await widget.hear("Second?", HELLO);
    assert.deepEqual(await widget.questions(), ["First?", "Second?"]);
  });
}

inBrowser("on a phone, a body that is swapped under the open panel is out of reach too, and free after", { context: { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true } }, async ({ page, widget }) => {
  await widget.open();
  await page.evaluate(() => document.body.replaceWith(document.createElement("body")));
  await eventually(async () => assert.equal(await page.evaluate(() => document.body.inert), true));
  await widget.closeButton.click();
  assert.equal(await page.evaluate(() => document.body.inert), false);
});

inBrowser("destroy leaves nothing behind, and a page that loads the script again has it again", {}, async ({ page, widget, wire }) => {
  await widget.open();
  await page.evaluate(() => widgetd("destroy"));
  assert.equal(await page.locator("#widgetd").count(), 0);
  await page.evaluate(() => document.body.append("more"));
  await pause(300);
  assert.equal(await page.locator("#widgetd").count(), 0);
  await page.evaluate((src) => {
    const tag = document.createElement("script");
    tag.src = src;
    tag.dataset.agentId = "demo";
    document.head.append(tag);
  }, `${wire.origin}/widget.js?again`);
  await widget.launcher.waitFor();
});

inBrowser("hide and show take the widget away and bring it back", {}, async ({ page, widget }) => {
  await page.evaluate(() => widgetd("hide"));
  assert.equal(await widget.launcher.isVisible(), false);
  await page.evaluate(() => widgetd("show"));
  assert.equal(await widget.launcher.isVisible(), true);
});

inBrowser("destroy ends an answer that is running", {}, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Long?");
  await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The beginning"));
  await page.evaluate(() => widgetd("destroy"));
  await answer.hungUp;
});

inBrowser("a page that declares the name itself can load the script again after destroy", { page: null }, async ({ page, site, wire, widget }) => {
  const src = `${wire.origin}/widget.js`;
  site.page("/", { head: "<script>var widgetd;</script>" });
  await page.goto(site.origin);
  await widget.launcher.waitFor();
  await page.evaluate(() => widgetd("destroy"));
  await page.evaluate((src) => {
    const tag = document.createElement("script");
    tag.src = src;
    tag.dataset.agentId = "demo";
    document.head.append(tag);
  }, `${src}?again`);
  await widget.launcher.waitFor();
});

inBrowser("a page that removes what it did not put there stays alive", {}, async ({ page }) => {
  await page.evaluate(() => {
    const clean = () => document.querySelector("#widgetd")?.remove();
    new MutationObserver(clean).observe(document.documentElement, { childList: true });
    clean();
  });
  assert.equal(await page.evaluate(() => new Promise((resolve) => setTimeout(() => resolve("alive"), 50))), "alive");
});
