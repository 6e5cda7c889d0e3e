/** How soon a visitor sees the first word. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const QUESTIONS = 9;
/** The median, of which a quiet machine needs a third. On a busy one a second round decides. */
const CEILING_MS = 60;

inBrowser("the first word is painted as soon as it has come", {}, async (scene, t) => {
  const { page, widget } = scene;
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
  let median = await round(scene, t);
  if (median >= CEILING_MS) median = await round(scene, t);
  assert.ok(median < CEILING_MS, `${median} ms`);
});

/** Asks some questions; gives the median time from the server's first token to its paint. */
async function round({ page, wire, widget, model }, t) {
  const before = await page.evaluate(() => window.painted.length);
  for (let question = 0; question < QUESTIONS; question += 1) {
    // Its end would paint what is still waiting.
    const answer = model.nextHolds("Hello");
    await widget.ask(`Question ${before + question}`);
    await eventually(async () => assert.equal(await page.evaluate(() => window.painted.length), before + question + 1));
    answer.finish(" from the scripted model.");
    await widget.says("Hello from the scripted model.");
  }
  const painted = (await page.evaluate(() => window.painted)).slice(before);
  const sent = wire.asked("/v1/widget/messages/stream").slice(before);
  const sorted = (times) => times.map(Math.round).sort((a, b) => a - b);
  const waits = sorted(painted.map((time, index) => time - sent[index].tokenAt));
  const median = waits[Math.floor(QUESTIONS / 2)];
  const wholes = sorted(painted.map((time, index) => time - sent[index].at));
  t.diagnostic(`from the server's first token to its paint: median ${median} ms of ${waits.join(", ")}`);
  t.diagnostic(`from the request to the paint: median ${wholes[Math.floor(QUESTIONS / 2)]} ms of ${wholes.join(", ")}`);
  return median;
}

inBrowser("what the widget costs its page is told", { page: null }, async ({ page, site, context, widget }, t) => {
  const devtools = await context.newCDPSession(page);
  await devtools.send("Performance.enable");
  await devtools.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  const metrics = async () => Object.fromEntries((await devtools.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  await page.goto(site.origin);
  await widget.launcher.waitFor();
  const { ScriptDuration: seconds, JSHeapUsedSize: bytes } = await metrics();
  t.diagnostic(`up to the launcher: ${Math.round(seconds * 1000)} ms of script at a fourth of the speed, heap ${(bytes / 2 ** 20).toFixed(1)} MiB`);
  assert.ok(seconds > 0 && bytes > 0);
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
