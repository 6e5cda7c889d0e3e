/** On a phone the open chat is all there is, and when it closes the page is as it was. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
const SIZE = { width: 390, height: 760 };
const phone = { context: { viewport: SIZE, hasTouch: true, isMobile: true } };
const LONG = { body: '<main><h1>Teapots</h1><a href="#x" id="first">All</a><p style="height: 3000px">Long</p><button id="buy">Buy</button></main>' };

/** What of the page the open chat changes. */
const stateOf = (page) =>
  page.evaluate(() => ({
    inert: document.body.inert,
    html: document.documentElement.getAttribute("style") ?? "",
    body: document.body.getAttribute("style") ?? "",
    overflow: getComputedStyle(document.documentElement).overflowY,
  }));

inBrowser("open, it fills the screen, is modal, and the page is out of reach and does not scroll", { ...phone, page: LONG }, async ({ page, widget }) => {
  const before = await stateOf(page);
  await widget.open();
  assert.deepEqual(await widget.panel.boundingBox(), { x: 0, y: 0, ...SIZE });
  assert.equal(await widget.panel.getAttribute("aria-modal"), "true");
  const open = await stateOf(page);
  assert.equal(open.inert, true);
  assert.equal(open.overflow, "hidden");
  assert.equal(await widget.launcher.isVisible(), false);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing is wider than the screen");
  await widget.closeButton.tap();
  assert.deepEqual(await stateOf(page), before);
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal(await widget.focus(), "widget button.launcher");
});

inBrowser("a page that had its own ideas has them again after", phone, async ({ page, widget }) => {
  await page.evaluate(() => {
    document.body.inert = true;
    document.documentElement.style.overflow = "scroll";
    document.body.style.overflow = "clip";
  });
  const before = await stateOf(page);
  await widget.open();
  await widget.closeButton.tap();
  assert.deepEqual(await stateOf(page), before);
});

for (const key of ["Tab", "Shift+Tab"]) {
  inBrowser(`${key} goes round within it, over everything that can be pressed`, { ...phone, agent: { lead_form: {}, starter_prompts: ["What?"] } }, async ({ page, widget }) => {
    await widget.open();
    const round = [];
    for (let press = 0; press < 24; press += 1) {
      await page.keyboard.press(key);
      const focus = await widget.focus();
      assert.match(String(focus), /^widget /, `after ${round.join(", ")}`);
      round.push(focus);
    }
    const again = round.indexOf(round[0], 1);
    assert.ok(again > 0, "it comes round");
    const once = round.slice(0, again);
    assert.equal(new Set(once).size, once.length, "each is met once");
    const reachable = ["button.lead-open", "button.new", "button.close", "div.log", "button.starter", "textarea"];
    for (const name of reachable) assert.ok(once.includes(`widget ${name}`), `${name} in ${once.join(", ")}`);
  });
}

inBrowser("opening it brings up no keyboard, and no field makes the page zoom", { ...phone, agent: { lead_form: { consent: "Yes", field: [{ key: "name", label: "Name" }, { key: "kind", label: "Kind", type: "select", options: ["A"] }, { key: "message", label: "Message", type: "textarea" }] } } }, async ({ widget }) => {
  await widget.open();
  assert.doesNotMatch(String(await widget.focus()), /textarea|input/);
  assert.match(await widget.focus(), /^widget /);
  await widget.find(".lead-open").tap();
  await widget.form.waitFor();
  const sizes = await widget.find("input:not([type=checkbox]), textarea, select").evaluateAll((fields) => fields.map((field) => parseFloat(getComputedStyle(field).fontSize)));
  assert.equal(sizes.length, 5);
  for (const size of sizes) assert.ok(size >= 16, `${size} px`);
});

inBrowser("what a finger must hit is at least 40 pixels high and 24 wide", { ...phone, agent: { lead_form: {}, starter_prompts: ["What?"] } }, async ({ widget, model }) => {
  const targets = async () =>
    widget.find("button").evaluateAll((all) => {
      const seen = all.filter((node) => node.getClientRects().length);
      return seen.map((node) => [node.className || node.textContent, node.getBoundingClientRect().width, node.getBoundingClientRect().height]);
    });
  const check = async () => {
    for (const [name, width, height] of await targets()) assert.ok(width >= 24 && height >= 40, `${name}: ${width} × ${height}`);
  };
  await check();
  await widget.open();
  await check();
  model.next("```\ncode\n```");
  await widget.ask("What?");
  await widget.find(".after .copy").waitFor();
  await check();
  await widget.find(".lead-open").tap();
  await widget.form.waitFor();
  await check();
});

inBrowser("the panel is as high as what the keyboard leaves", phone, async ({ page, widget }) => {
  await widget.open();
  await page.evaluate(() => {
    Object.defineProperty(visualViewport, "height", { value: 400, configurable: true });
    visualViewport.dispatchEvent(new Event("resize"));
  });
  await eventually(async () => assert.equal((await widget.panel.boundingBox()).height, 400));
  const composer = await widget.input.boundingBox();
  assert.ok(composer.y + composer.height <= 400, "the field is above the keyboard");
});

inBrowser("turned to a wider window while open, it gives the page back", { context: { viewport: SIZE } }, async ({ page, widget }) => {
  await widget.open();
  assert.equal((await stateOf(page)).inert, true);
  await page.setViewportSize({ width: 1200, height: 800 });
  await eventually(async () => assert.equal((await stateOf(page)).inert, false));
  assert.notEqual(await widget.panel.getAttribute("aria-modal"), "true");
  assert.ok((await widget.panel.boundingBox()).width < 600);
  await page.setViewportSize(SIZE);
  await eventually(async () => assert.equal((await stateOf(page)).inert, true));
});

for (const how of ["hide", "destroy"]) {
  inBrowser(`a page that calls ${how} while it is open can be used again`, phone, async ({ page, widget }) => {
    const before = await stateOf(page);
    await widget.open();
    await page.evaluate((command) => widgetd(command), how);
    assert.deepEqual(await stateOf(page), before);
  });
}

inBrowser("after a reload it stays closed, with the conversation in it", phone, async ({ page, widget }) => {
  await widget.open();
  await widget.hear("Hello?", HELLO);
  await page.reload();
  await widget.launcher.waitFor();
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal((await stateOf(page)).inert, false);
  await widget.open();
  await widget.says(HELLO);
});

inBrowser("Send and Stop, which stand in one place, leave the focus inside, and Escape goes on working", phone, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.input.fill("Long?");
  await widget.send.focus();
  await page.keyboard.press("Enter");
  await answer.begun;
  await widget.stop.waitFor();
  assert.match(String(await widget.focus()), /^widget /);
  await widget.stop.focus();
  await page.keyboard.press("Enter");
  await widget.find(".again").waitFor();
  await eventually(async () => assert.match(String(await widget.focus()), /^widget /));
  await page.keyboard.press("Escape");
  await eventually(async () => assert.equal(await widget.panel.isVisible(), false));
});

inBrowser("two fingers that magnify do not make the panel lower", phone, async ({ page, widget }) => {
  await widget.open();
  await page.evaluate(() => {
    Object.defineProperty(visualViewport, "height", { value: 380, configurable: true });
    Object.defineProperty(visualViewport, "scale", { value: 2, configurable: true });
    visualViewport.dispatchEvent(new Event("resize"));
  });
  await eventually(async () => assert.equal((await widget.panel.boundingBox()).height, 760));
});
