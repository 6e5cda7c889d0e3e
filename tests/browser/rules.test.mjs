/** What the widget does of its own accord: when, how often, and in which order. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
const LONG = { body: '<main><h1>Teapots</h1><p style="height: 4000px">Long</p></main>' };
const PHONE = { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true };
/** A little longer than the widget takes to look whether something is due. */
const LOOK_MS = 1300;

const rule = (id, more) => ({ id, action: "nudge", text: `The nudge ${id}`, ...more });
const scrolled = rule("scrolled", { trigger: "scroll", percent: 50 });
const left = rule("left", { trigger: "exit_intent" });
const idle = rule("idle", { trigger: "idle", seconds: 1 });

const scrollTo = (page, percent) =>
  page.evaluate((share) => scrollTo(0, (share / 100) * (document.documentElement.scrollHeight - innerHeight)), percent);
/** As the pointer leaves for the tabs; headless browsers have none. */
const leave = (page) =>
  page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientX: 300, clientY: -1 })));

/** Counts what the widget does of its own accord, over reloads. */
const counting = ({ context }) =>
  context.addInitScript(() => {
    window.triggered = [];
    document.addEventListener("widgetd:trigger", ({ detail }) => window.triggered.push(detail.rule));
  });
const triggered = (page) => page.evaluate(() => window.triggered);

for (const [name, only, cause] of [
  ["scrolling past the depth", scrolled, async (page) => {
    await scrollTo(page, 30);
    await pause(200);
    assert.deepEqual(await triggered(page), [], "not before it");
    await scrollTo(page, 60);
  }],
  ["leaving for the tabs", left, leave],
  ["doing nothing for a while", idle, async () => {}],
]) {
  inBrowser(`${name} nudges once, and not again after a reload`, { agent: { rule: [only] }, page: LONG, before: counting }, async ({ page, widget }) => {
    await cause(page);
    await widget.nudge.waitFor();
    assert.equal(await widget.find(".nudge-open").innerText(), only.text);
    assert.equal(await widget.panel.isVisible(), false);
    assert.deepEqual(await triggered(page), [only.id]);
    await widget.find(".nudge-close").click();
    await scrollTo(page, 0);
    await cause(page).catch(() => {});
    await pause(LOOK_MS);
    assert.deepEqual(await triggered(page), [only.id]);
    await page.reload();
    await widget.launcher.waitFor();
    await scrollTo(page, 0);
    await scrollTo(page, 100);
    await leave(page);
    await pause(LOOK_MS);
    assert.deepEqual(await triggered(page), []);
    assert.equal(await widget.nudge.isVisible(), false);
  });
}

inBrowser("a pointer that leaves sideways, or down, has not left for the tabs", { agent: { rule: [left] }, before: counting }, async ({ page }) => {
  await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientX: -1, clientY: 300 })));
  await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientX: 300, clientY: 900 })));
  await pause(200);
  assert.deepEqual(await triggered(page), []);
});

inBrowser("who does something is not idle", { agent: { rule: [{ ...idle, seconds: 2 }] }, before: counting }, async ({ page, widget }) => {
  for (let time = 0; time < 12; time += 1) {
    await page.mouse.move(100 + time * 10, 100);
    await pause(250);
  }
  assert.deepEqual(await triggered(page), []);
  await widget.nudge.waitFor();
});

inBrowser("a rule holds as often as the owner allows it for a visitor, once a page view", { agent: { rule: [{ ...left, max_per_visitor: 2 }] }, before: counting }, async ({ page, widget }) => {
  for (const expected of [["left"], ["left"], []]) {
    for (let time = 0; time < 2; time += 1) {
      await leave(page);
      await pause(100);
      if (await widget.nudge.isVisible()) await widget.find(".nudge-close").click();
    }
    assert.deepEqual(await triggered(page), expected);
    await page.reload();
    await widget.launcher.waitFor();
  }
});

const both = [rule("low", { trigger: "url", pattern: "/*" }), rule("high", { trigger: "url", pattern: "/*", priority: 5 })];
inBrowser("of several rules the one of the highest priority goes first, and nobody gets two at once", { agent: { rule: both }, before: counting }, async ({ page, widget }) => {
  await widget.nudge.waitFor();
  await pause(LOOK_MS);
  assert.equal(await widget.find(".nudge-open").innerText(), "The nudge high");
  assert.deepEqual(await triggered(page), ["high"]);
});

const shopOnly = { agent: { rule: [{ ...left, paths: ["/shop*"] }] }, before: counting };
inBrowser("a rule for some pages holds on those alone", shopOnly, async ({ page, site, widget }) => {
  await leave(page);
  await pause(200);
  assert.deepEqual(await triggered(page), []);
  await page.goto(`${site.origin}/shop/pots`);
  await widget.launcher.waitFor();
  await leave(page);
  await widget.nudge.waitFor();
});

const counted = { id: "counted", trigger: "messages", count: 2, action: "lead_form" };
inBrowser("after so many questions the form is offered, and the answer is not interrupted", { agent: { rule: [counted], lead_form: {} } }, async (scene) => {
  const { widget, model } = scene;
  await widget.open();
  await widget.hear("One?", HELLO);
  assert.equal(await widget.form.isVisible(), false);
  const answer = model.nextHolds("The beginning");
  await widget.ask("Two?");
  await answer.begun;
  assert.equal(await widget.form.isVisible(), false);
  answer.finish(" and the end");
  await widget.form.waitFor();
  assert.equal(await widget.focus(), "widget textarea", "the visitor may be typing");
});

inBrowser("a nudge that is pressed opens the chat, and one that is closed does not come back", { agent: { rule: [scrolled, left] }, page: LONG }, async ({ page, widget }) => {
  await scrollTo(page, 100);
  await widget.nudge.waitFor();
  await widget.find(".nudge-open").click();
  await widget.panel.waitFor();
  assert.equal(await widget.nudge.isVisible(), false);
  await leave(page);
  await pause(200);
  assert.equal(await widget.nudge.isVisible(), false, "whoever talks needs no nudge");
});

inBrowser("opening the chat takes a nudge away", { agent: { rule: [left] } }, async ({ page, widget }) => {
  await leave(page);
  await widget.nudge.waitFor();
  await widget.open();
  assert.equal(await widget.nudge.isVisible(), false);
});

inBrowser("on a phone a rule that would open the form shows a sentence, and the page stays the visitor's", { agent: { rule: [{ id: "now", trigger: "url", pattern: "/*", action: "lead_form" }], lead_form: { title: "Shall we write to you?" } }, context: PHONE }, async ({ page, widget }) => {
  await widget.nudge.waitFor();
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal(await page.evaluate(() => document.body.inert), false);
  assert.match(await widget.nudge.innerText(), /Shall we write to you\?/);
  await widget.find(".nudge-open").click();
  await widget.form.waitFor();
});

inBrowser("a finger has nowhere to leave to", { agent: { rule: [left] }, context: PHONE, before: counting }, async ({ page }) => {
  await leave(page);
  await pause(300);
  assert.deepEqual(await triggered(page), []);
});

const card = (...buttons) => ({
  agent: { rule: [{ id: "offer", trigger: "url", pattern: "/*", action: "card", title: "Half price", text: "Until Friday.", button: buttons }], lead_form: {} },
});

inBrowser("a card's button sends its message", card({ label: "Which ones?", does: "message", text: "Which teapots are half price?" }, { label: "No", does: "dismiss" }), async ({ page, widget, model }) => {
  await page.evaluate(() => {
    window.pressed = [];
    widgetd("on", "cta", (detail) => window.pressed.push(detail));
  });
  assert.match(await widget.find(".nudge .card").innerText(), /^Half price\s+Until Friday\./);
  await widget.find(".card button", { hasText: "Which ones?" }).first().click();
  await widget.says(HELLO);
  assert.deepEqual(model.questions, ["Which teapots are half price?"]);
  assert.equal(await widget.find(".card").count(), 0);
  assert.deepEqual(await page.evaluate(() => window.pressed), [{ rule: "offer", button: "Which ones?" }]);
});

inBrowser("a card's button opens the form", card({ label: "Write to me", does: "lead_form" }), async ({ widget }) => {
  await widget.find(".card button").first().click();
  await widget.form.waitFor();
  assert.match(await widget.focus(), /^widget (#lead-email|input)/);
});

inBrowser("a card's button leads to a page of the site, in the same tab", card({ label: "See them", does: "url", url: "/sale" }), async ({ page, widget, site }) => {
  await widget.find(".card button").first().click();
  await page.waitForURL(`${site.origin}/sale`);
});

inBrowser("a card's button leads to another site, in a tab of its own", ({ site }) => card({ label: "See them", does: "url", url: `${site.origin.replace("127.0.0.1", "localhost")}/sale` }), async ({ page, context, widget, site }) => {
  site.page("/sale", { tags: "" });
  const [opened] = await Promise.all([context.waitForEvent("page"), widget.find(".card button").first().click()]);
  await opened.waitForLoadState();
  assert.equal(await opened.evaluate(() => window.opener), null);
  assert.equal(page.url(), `${site.origin}/`);
});

inBrowser("a card can be sent away, and a card for a chat that is open stands in the chat", { agent: { rule: [{ id: "offer", trigger: "messages", count: 1, action: "card", title: "Half price", button: [{ label: "No", does: "dismiss" }] }] } }, async ({ widget }) => {
  await widget.open();
  await widget.hear("One?", HELLO);
  await widget.find(".log .card").waitFor();
  await widget.find(".log .card button").click();
  await eventually(async () => assert.equal(await widget.find(".card").count(), 0));
  assert.equal(await widget.panel.isVisible(), true);
});

inBrowser("a page without a doctype tells how far it is scrolled", { agent: { rule: [scrolled] }, page: { ...LONG, doctype: "" } }, async ({ page, widget }) => {
  assert.equal(await page.evaluate(() => document.compatMode), "BackCompat");
  await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
  await widget.nudge.waitFor();
});

inBrowser("a panel that is open again after a reload uses up no rule's turn", { agent: { rule: [rule("now", { trigger: "url", pattern: "/next" })] }, before: counting }, async ({ page, site, widget }) => {
  await widget.open();
  await page.goto(`${site.origin}/next`);
  await widget.panel.waitFor();
  await pause(LOOK_MS);
  assert.deepEqual(await triggered(page), []);
  await widget.closeButton.click();
  await page.reload();
  await widget.nudge.waitFor();
});

inBrowser("a card's message that is pressed while an answer runs stands in the field", card({ label: "Which ones?", does: "message", text: "Which teapots?" }), async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await page.evaluate(() => {
    document.querySelector("#widgetd").shadowRoot.querySelector(".launcher").hidden = false;
    widgetd("on", "message", ({ role }) => role === "user" && widgetd("send", "From a listener"));
  });
  await widget.find(".nudge-close").click();
  await widget.open();
  await widget.ask("Long?");
  await answer.begun;
  assert.equal(await widget.input.inputValue(), "From a listener");
  answer.finish(" and the end.");
  await widget.says("The beginning and the end.");
});
