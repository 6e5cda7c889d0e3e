/** The log follows what is being said, unless the visitor reads something else. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const PARAGRAPH = "A paragraph that takes some lines of the panel, so that a few of them are higher than it. ".repeat(3);
const LONG = `${PARAGRAPH}\n\n`.repeat(4);

const toEnd = (widget) => widget.log.evaluate((log) => Math.round(log.scrollHeight - log.clientHeight - log.scrollTop));
const top = (widget) => widget.log.evaluate((log) => log.scrollTop);
const atEnd = (widget) => eventually(async () => assert.ok((await toEnd(widget)) <= 1, `${await toEnd(widget)} px from the end`));

async function wheel({ page, widget }, by) {
  const { x, y, width, height } = await widget.log.boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.wheel(0, by);
}

inBrowser("an answer that grows past the end of the log is followed, with what stands beneath it", {}, async ({ widget, model }) => {
  const answer = model.nextHolds("The beginning.\n\n");
  await widget.open();
  await widget.ask("Long?");
  await answer.begun;
  for (let part = 0; part < 8; part += 1) {
    answer.say(LONG);
    await eventually(async () => assert.equal(await widget.find(".msg.bot .body p").count(), 2 + 4 * (part + 1)));
    await atEnd(widget);
    assert.equal(await widget.jump.isVisible(), false);
  }
  answer.finish();
  await widget.find(".after .copy").waitFor();
  await atEnd(widget);
});

inBrowser("who scrolls up is left there while the answer goes on, and a button leads back to it", {}, async (scene) => {
  const { widget, model } = scene;
  const answer = model.nextHolds(LONG);
  await widget.open();
  await widget.ask("Long?");
  await eventually(async () => assert.ok((await top(widget)) > 100));
  await atEnd(widget);
  await wheel(scene, -200);
  await widget.jump.waitFor();
  const there = await top(widget);
  for (let part = 0; part < 3; part += 1) {
    answer.say(LONG);
    await eventually(async () => assert.equal(await widget.find(".msg.bot .body p").count(), 1 + 4 * (part + 2)));
    assert.equal(await top(widget), there);
  }
  await widget.jump.click();
  await atEnd(widget);
  assert.equal(await widget.jump.isVisible(), false);
  answer.say(LONG);
  await eventually(async () => assert.equal(await widget.find(".msg.bot .body p").count(), 21));
  await atEnd(widget);
  await wheel(scene, -200);
  await widget.jump.waitFor();
  answer.finish();
  await widget.find(".after .copy").waitFor();
  assert.ok((await toEnd(widget)) > 60, "the end of the answer moves nobody");
});

inBrowser("who scrolls back to the end is followed again", {}, async (scene) => {
  const { widget, model } = scene;
  const answer = model.nextHolds(LONG);
  await widget.open();
  await widget.ask("Long?");
  await eventually(async () => assert.ok((await top(widget)) > 100));
  await wheel(scene, -200);
  await widget.jump.waitFor();
  await wheel(scene, 5000);
  await widget.jump.waitFor({ state: "hidden" });
  answer.finish(LONG);
  await widget.find(".after .copy").waitFor();
  await atEnd(widget);
});

inBrowser("a new question leads to the end, wherever the visitor was", {}, async (scene) => {
  const { widget, model } = scene;
  model.next(LONG.repeat(2));
  await widget.open();
  await widget.ask("Long?");
  await widget.find(".after .copy").waitFor();
  await wheel(scene, -5000);
  await widget.jump.waitFor();
  await widget.hear("Short?", "Hello from the scripted model.");
  await atEnd(widget);
});

inBrowser("the keys of the log scroll it too", {}, async (scene) => {
  const { page, widget, model } = scene;
  model.next(LONG.repeat(2));
  await widget.open();
  await widget.ask("Long?");
  await widget.find(".after .copy").waitFor();
  await widget.log.focus();
  await page.keyboard.press("Home");
  await eventually(async () => assert.equal(await top(widget), 0));
  await widget.jump.waitFor();
  await page.keyboard.press("End");
  await atEnd(widget);
});

inBrowser("a long conversation is at its end after a reload, and scrolling it does not scroll the page", { page: { body: '<main><h1>Teapots</h1><p style="height: 4000px">Long</p></main>' } }, async (scene) => {
  const { page, widget, model } = scene;
  model.next(LONG.repeat(3));
  await widget.open();
  await widget.ask("Long?");
  await widget.find(".after .copy").waitFor();
  await page.reload();
  await widget.find(".msg.user").waitFor();
  await atEnd(widget);
  await wheel(scene, 3000);
  await pause(200);
  assert.equal(await page.evaluate(() => scrollY), 0);
});

inBrowser("a page that scrolls by itself on the wheel does not keep the log from scrolling", { page: null }, async ({ page, site, widget, model }) => {
  await page.goto(site.origin);
  await page.evaluate(() => addEventListener("wheel", (event) => event.preventDefault(), { passive: false }));
  model.next(Array.from({ length: 80 }, (_, line) => `Line ${line}.\n\n`));
  await widget.open();
  await widget.ask("Much?");
  await eventually(async () => assert.match(await widget.lastAnswer().innerText(), /Line 79/));
  const top = () => widget.log.evaluate((node) => node.scrollTop);
  await eventually(async () => assert.ok((await top()) > 500));
  const before = await top();
  const { x, y, width, height } = await widget.log.boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.wheel(0, -300);
  await eventually(async () => assert.ok((await top()) < before - 100));
});
