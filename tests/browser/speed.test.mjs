/** How soon a visitor sees the first word. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const QUESTIONS = 9;
/** Machines are noisy: this catches a widget that waits for something, not a slow one. Quiet ones show a tenth of it. */
const CEILING_MS = 250;

inBrowser("the first word is painted as soon as it has come", {}, async ({ page, wire, widget }, t) => {
  await widget.open();
  await page.evaluate(() => {
    window.painted = [];
    const root = document.querySelector("#widgetd").shadowRoot;
    let last = null;
    new MutationObserver(() => {
      const body = [...root.querySelectorAll(".msg.bot .body")].at(-1);
      if (!body.textContent || body === last) return;
      last = body;
      // A frame is painted right after its animation callbacks; a message posted in one comes after the paint.
      requestAnimationFrame(() => {
        const channel = new MessageChannel();
        channel.port1.onmessage = () => window.painted.push(performance.timeOrigin + performance.now());
        channel.port2.postMessage(null);
      });
    }).observe(root, { childList: true, characterData: true, subtree: true });
  });
  for (let question = 0; question < QUESTIONS; question += 1) {
    await widget.hear(`Question ${question}`, "Hello from the scripted model.");
    await eventually(async () => assert.equal(await page.evaluate(() => window.painted.length), question + 1));
  }
  const painted = await page.evaluate(() => window.painted);
  const sent = wire.asked("/v1/widget/messages/stream").map(({ tokenAt }) => tokenAt);
  const waits = painted.map((time, index) => Math.round(time - sent[index])).sort((a, b) => a - b);
  const median = waits[Math.floor(QUESTIONS / 2)];
  t.diagnostic(`from the server's first token to its paint: median ${median} ms of ${waits.join(", ")}`);
  assert.ok(median < CEILING_MS, `${median} ms`);
});

inBrowser("the time to the first word that the widget tells is the visitor's", {}, async ({ page, widget, model }) => {
  await page.evaluate(() => {
    window.told = [];
    widgetd("on", "message", (detail) => window.told.push(detail));
  });
  const answer = model.nextHolds();
  await widget.open();
  await widget.ask("How long?");
  await answer.begun;
  const WAIT_MS = 300;
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  answer.finish("So long.");
  await widget.says("So long.");
  const told = await page.evaluate(() => window.told);
  assert.deepEqual(told.map(({ role }) => role), ["user", "assistant"]);
  assert.ok(told[1].ttft >= WAIT_MS && Number.isInteger(told[1].ttft), JSON.stringify(told));
});
