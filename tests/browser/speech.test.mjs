/** What a screen reader is told: two sentences for each answer, and nothing while it is being written. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

/** Collects what the status says from now on, each change once. */
function listenIn(page) {
  return page.evaluate(() => {
    window.spoken = [];
    const root = document.querySelector("#widgetd").shadowRoot;
    const status = root.querySelector(".status");
    new MutationObserver(() => window.spoken.push(status.textContent)).observe(status, { childList: true, characterData: true, subtree: true });
  });
}

const spoken = (page) => page.evaluate(() => window.spoken);

inBrowser("of each answer two things are said: that it is being written, and what it is", {}, async ({ page, widget, model }) => {
  await widget.open();
  await listenIn(page);
  for (const number of [1, 2]) {
    model.next(Array.from("**Yes**, there are teapots: "));
    await widget.hear(`Teapots ${number}?`, "Yes, there are teapots:");
  }
  const twice = ["Writing a reply", "Yes, there are teapots:"];
  assert.deepEqual(await spoken(page), [...twice, ...twice]);
});

inBrowser("of a long answer the beginning is said, and that it has ended", {}, async ({ page, widget, model }) => {
  const long = "This sentence is repeated until it is long. ".repeat(20).trim();
  await widget.open();
  await listenIn(page);
  model.next(long.match(/\S+ ?/g));
  await widget.hear("Long?", long);
  const said = await spoken(page);
  assert.equal(said.length, 2);
  assert.match(said[1], /^Reply finished\. This sentence is repeated/);
  assert.ok(said[1].length < 400, `${said[1].length} characters`);
});

inBrowser("a stopped answer is said to be stopped", {}, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await listenIn(page);
  await widget.ask("Long?");
  await answer.begun;
  await widget.stop.click();
  await eventually(async () => assert.deepEqual(await spoken(page), ["Writing a reply", "Stopped."]));
});

inBrowser("the log is named, is no live region, and nothing around it is", {}, async ({ page, widget }) => {
  await widget.open();
  const live = await page.evaluate(() => {
    const root = document.querySelector("#widgetd").shadowRoot;
    const isLive = (node) => ["polite", "assertive"].includes(node.getAttribute("aria-live")) || ["status", "alert"].includes(node.getAttribute("role"));
    return [...root.querySelectorAll("*")].filter(isLive).map((node) => node.getAttribute("role"));
  });
  assert.deepEqual(live, ["status"]);
  const log = await widget.log.evaluate((node) => [node.getAttribute("role"), node.getAttribute("aria-live"), Boolean(node.getAttribute("aria-label"))]);
  assert.deepEqual(log, ["log", "off", true]);
});

inBrowser("who speaks is said before each message", {}, async ({ widget }) => {
  await widget.open();
  await widget.hear("Hello?", "Hello from the scripted model.");
  const speakers = await widget.find(".msg > .sr").allInnerTexts();
  assert.deepEqual(speakers.map((text) => text.replace(/\W*$/, "")), ["Assistant said", "You said", "Assistant said"]);
});

inBrowser("an error is an alert that says it once, in words", {}, async ({ page, widget, model, complaints }) => {
  complaints.expect(/status of 5/);
  model.alwaysFails(400);
  await widget.open();
  await listenIn(page);
  await widget.ask("Are you there?");
  await widget.alert.waitFor();
  assert.equal(await widget.find("[role=alert]").count(), 1);
  assert.ok(!(await spoken(page)).includes(await widget.alert.innerText()), "it is not said twice");
});

inBrowser("an answer that comes while the chat is closed is counted, and its launcher says so", {}, async ({ page, widget, model }) => {
  await page.evaluate(() => {
    window.counts = [];
    widgetd("on", "unread", ({ count }) => window.counts.push(count));
  });
  assert.equal(await widget.badge.isVisible(), false);
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Later?");
  await answer.begun;
  await widget.closeButton.click();
  answer.finish(" and the end");
  await widget.badge.waitFor();
  assert.equal(await widget.badge.innerText(), "1");
  assert.equal(await widget.launcher.getAttribute("aria-label"), "Chat with us, 1 unread");
  await widget.launcher.click();
  await widget.says("The beginning and the end");
  assert.equal(await widget.badge.isVisible(), false);
  assert.equal(await widget.launcher.getAttribute("aria-label"), "Chat with us");
  assert.deepEqual(await page.evaluate(() => window.counts), [1, 0]);
});
