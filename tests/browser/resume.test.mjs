/** What outlives a page view: the conversation, its state, and the visitor's other tabs; and a network that goes and comes. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";
import { Widget } from "./support/widget.mjs";
import { answering } from "./support/wire.mjs";

const HELLO = "Hello from the scripted model.";
const GREETING = "Hello! What would you like to know?";
/** What Chromium says of a request without a network. */
const DISCONNECTED = /net::ERR_INTERNET_DISCONNECTED|net::ERR_/;

inBrowser("offline, a bar says so, the text stays, and it is sent once when the network is back", {}, async (scene) => {
  const { context, widget, model, complaints } = scene;
  complaints.expect(DISCONNECTED);
  await widget.open();
  assert.equal(await widget.offline.isVisible(), false);
  await context.setOffline(true);
  await widget.offline.waitFor();
  assert.match(await widget.offline.innerText(), /offline/);
  await widget.ask("Are you there?");
  await widget.retry.waitFor();
  assert.deepEqual(await widget.questions(), ["Are you there?"]);
  await context.setOffline(false);
  await widget.says(HELLO);
  assert.equal(await widget.offline.isVisible(), false);
  assert.deepEqual(await widget.questions(), ["Are you there?"]);
  assert.deepEqual(model.questions, ["Are you there?"]);
});

inBrowser("a page that is opened offline can be asked, and answers when the network is back", {}, async (scene) => {
  const { context, page, widget, complaints } = scene;
  complaints.expect(DISCONNECTED);
  complaints.expect(/^error: widgetd: /);
  await context.setOffline(true);
  await page.waitForFunction(() => !navigator.onLine);
  await widget.launcher.click();
  await widget.offline.waitFor();
  await widget.ask("Are you there?");
  await widget.retry.waitFor();
  await context.setOffline(false);
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Are you there?"]);
});

inBrowser("a reload finds the conversation, the open panel and the draft", {}, async ({ page, widget, model }) => {
  model.next("**One**, two.");
  await widget.open();
  await widget.hear("Count?", "One, two.");
  await widget.input.fill("And a half");
  await page.reload();
  await widget.panel.waitFor();
  await widget.says("One, two.");
  assert.deepEqual(await widget.answers(), [GREETING, "One, two."]);
  assert.deepEqual(await widget.questions(), ["Count?"]);
  assert.equal(await widget.input.inputValue(), "And a half");
  await widget.input.press("Enter");
  await widget.says(HELLO);
  await page.reload();
  await widget.says(HELLO);
  assert.equal(await widget.input.inputValue(), "", "a draft that was sent is none");
});

inBrowser("what was closed stays closed after a reload, and asks the server for nothing", {}, async ({ page, widget, wire }) => {
  await widget.open();
  await widget.hear("Hello?", HELLO);
  await widget.closeButton.click();
  await page.reload();
  await widget.launcher.waitFor();
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal(wire.asked("/v1/widget/init").length, 1);
  await widget.open();
  await widget.says(HELLO);
});

inBrowser("a second tab has the same conversation, and follows what is said in the first", {}, async (scene) => {
  const { context, page, site, widget, wire } = scene;
  await widget.open();
  await widget.hear("First?", HELLO);
  const secondPage = await context.newPage();
  const second = new Widget(secondPage);
  await secondPage.goto(site.origin);
  assert.equal(await second.panel.isVisible(), false, "a new tab opens nothing by itself");
  await second.open();
  await second.says(HELLO);
  assert.deepEqual(await second.questions(), ["First?"]);
  await widget.hear("Second?", HELLO);
  await eventually(async () => assert.deepEqual(await second.questions(), ["First?", "Second?"]));
  await second.says(HELLO);
  await second.hear("Third?", HELLO);
  await eventually(async () => assert.deepEqual(await widget.questions(), ["First?", "Second?", "Third?"]));
  const visitors = new Set(wire.asked("/v1/widget/init").map(({ body }) => JSON.parse(body).visitor_id ?? null));
  assert.equal(visitors.size, 2, "nobody at first, and then one visitor");
  assert.equal(await page.evaluate(() => Object.keys(localStorage).every((key) => key.startsWith("widgetd:demo:"))), true);
});

inBrowser("an answer that the page left in its middle is there after a reload, and can be asked for again", {}, async (scene) => {
  const { page, widget, model } = scene;
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Long?");
  await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The beginning"));
  await page.reload();
  await answer.hungUp;
  await page.reload();
  await widget.says("The beginning");
  assert.ok(await widget.find(".note").isVisible());
  await widget.find(".again").click();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Long?", "Long?"]);
});

inBrowser("reset by the page begins a new conversation, and says so", {}, async ({ page, widget }) => {
  await page.evaluate(() => {
    window.resets = 0;
    document.addEventListener("widgetd:reset", () => (window.resets += 1));
  });
  await widget.open();
  await widget.hear("Hello?", HELLO);
  await page.evaluate(() => widgetd("reset"));
  await eventually(async () => assert.deepEqual(await widget.questions(), []));
  assert.equal(await page.evaluate(() => window.resets), 1);
});

/** Before any script of the page runs. */
const FORBIDDEN = {
  "throws when it is touched": () => {
    for (const area of ["localStorage", "sessionStorage"]) {
      Object.defineProperty(window, area, {
        get() {
          throw new DOMException("Access is denied for this document.", "SecurityError");
        },
      });
    }
  },
  "takes nothing": () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("The quota has been exceeded.", "QuotaExceededError");
    };
  },
  "is not there": () => {
    for (const area of ["localStorage", "sessionStorage"]) Object.defineProperty(window, area, { value: null });
  },
};
const rule = { id: "now", trigger: "url", pattern: "/*", action: "nudge", text: "Questions?" };
for (const [how, forbid] of Object.entries(FORBIDDEN)) {
  const setting = { agent: { rule: [rule] }, before: ({ context }) => context.addInitScript(forbid) };
  inBrowser(`where storage ${how}, all works for as long as the page is open`, setting, async ({ page, widget, wire }) => {
    const answered = page.waitForResponse((response) => response.url().endsWith("/v1/widget/init"));
    await widget.nudge.waitFor();
    await widget.open();
    await widget.hear("One?", HELLO);
    await widget.closeButton.click();
    await widget.launcher.click();
    await widget.hear("Two?", HELLO);
    assert.deepEqual(await widget.questions(), ["One?", "Two?"]);
    await widget.fresh.click();
    await eventually(async () => assert.deepEqual(await widget.questions(), []));
    await widget.hear("Three?", HELLO);
    const { visitor_id: visitor } = await (await answered).json();
    assert.equal(JSON.parse(wire.asked("/v1/widget/init").at(1).body).visitor_id, visitor);
  });
}

inBrowser("in a sandboxed frame, without storage and without an origin, it works for an agent that allows all", { agent: { allowed_origins: ["*"] }, page: null }, async (scene) => {
  const { page, site } = scene;
  site.page("/", { tags: '<iframe sandbox="allow-scripts" src="/framed" width="900" height="700"></iframe>' });
  await page.goto(site.origin);
  const frame = page.frames()[1];
  const widget = new Widget(frame);
  await widget.launcher.click();
  await widget.hear("Hello?", HELLO);
});

inBrowser("a new conversation that is asked for while the old one is fetched has nothing of it", {}, async ({ page, widget, wire }) => {
  await widget.open();
  await widget.hear("Old?", HELLO);
  await widget.closeButton.click();
  await page.reload();
  const go = wire.holdsNext("/v1/widget/init");
  await widget.launcher.click();
  await widget.fresh.click();
  go();
  await eventually(() => assert.equal(wire.asked("/v1/widget/init").at(-1).status, 200));
  assert.equal(wire.asked("/v1/widget/init").length, 3);
  await widget.hear("New?", HELLO);
  assert.deepEqual(await widget.questions(), ["New?"]);
});

inBrowser("a new conversation that the server could not begin is begun by the next question", {}, async ({ page, widget, wire, complaints }) => {
  complaints.expect(/status of 503|^error: widgetd: /);
  await widget.open();
  await widget.hear("Old?", HELLO);
  wire.next("/v1/widget/init", answering(503, { status: 503, code: "overloaded" }));
  await widget.fresh.click();
  await eventually(() => assert.equal(wire.asked("/v1/widget/init").length, 2));
  await eventually(() => assert.ok(complaints.all().some((text) => text.startsWith("error: widgetd:"))));
  await widget.hear("New?", HELLO);
  assert.deepEqual(await widget.questions(), ["New?"]);
  await page.reload();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["New?"]);
});

inBrowser("a question that waits for its retry stays when another tab goes on", {}, async ({ context, site, widget, wire, complaints }) => {
  complaints.expect(/status of 503/);
  await widget.open();
  await widget.hear("First?", HELLO);
  wire.next("/v1/widget/messages/stream", answering(503, { status: 503, code: "overloaded" }));
  await widget.ask("Unsent?");
  await widget.retry.waitFor();
  const second = new Widget(await context.newPage());
  await second.page.goto(site.origin);
  await second.open();
  await second.hear("Second?", HELLO);
  await pause(500);
  assert.deepEqual(await widget.questions(), ["First?", "Unsent?"]);
  await widget.retry.click();
  await widget.says(HELLO);
});
