/** Without a mouse: in, through and out again, and what is typed here is typed only here. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

inBrowser("keys alone open the chat, ask, close it, and are back where they were", {}, async ({ page, widget }) => {
  await page.locator("#search").focus();
  await page.keyboard.press("Tab");
  assert.equal(await widget.focus(), "widget button.launcher");
  await page.keyboard.press("Enter");
  await widget.panel.waitFor();
  assert.equal(await widget.focus(), "widget textarea");
  await page.keyboard.type("Hello?");
  await page.keyboard.press("Enter");
  await widget.says("Hello from the scripted model.");
  assert.deepEqual(await widget.questions(), ["Hello?"]);
  assert.equal(await widget.input.inputValue(), "");
  assert.equal(await widget.focus(), "widget textarea");
  await page.keyboard.press("Escape");
  assert.equal(await widget.panel.isVisible(), false);
  assert.equal(await widget.focus(), "widget button.launcher");
});

inBrowser("Escape first stops the answer that is running, and then closes", {}, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Long?");
  await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The beginning"));
  await page.keyboard.press("Escape");
  await answer.hungUp;
  assert.equal(await widget.panel.isVisible(), true);
  await widget.stop.waitFor({ state: "hidden" });
  assert.equal(await widget.focus(), "widget textarea");
  await page.keyboard.press("Escape");
  assert.equal(await widget.panel.isVisible(), false);
});

inBrowser("every press of the stop button's keys leaves the focus where one can go on", {}, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Long?");
  await widget.stop.waitFor();
  await widget.stop.focus();
  await page.keyboard.press("Enter");
  await answer.hungUp;
  await widget.stop.waitFor({ state: "hidden" });
  assert.equal(await widget.focus(), "widget textarea");
});

inBrowser("closing gives the focus back to what opened it, be it the page's own button", {}, async ({ page, widget }) => {
  await page.evaluate(() => (document.querySelector("#buy").onclick = () => widgetd("open")));
  await page.locator("#buy").focus();
  await page.keyboard.press("Enter");
  await widget.panel.waitFor();
  assert.equal(await widget.focus(), "widget textarea");
  await page.keyboard.press("Escape");
  assert.equal(await widget.focus(), "#buy");
});

const rule = { id: "now", trigger: "url", pattern: "/*", action: "lead_form" };
inBrowser("what opens of its own accord leaves the focus and the page where they are", { agent: { lead_form: {}, rule: [rule] }, page: null }, async (scene) => {
  const { page, site, widget } = scene;
  site.page("/", { body: '<main><h1>Teapots</h1><input id="search" autofocus><p style="height: 3000px">Long</p></main>' });
  await page.goto(`${site.origin}/`);
  await widget.form.waitFor();
  assert.equal(await widget.focus(), "#search");
  assert.equal(await page.evaluate(() => scrollY), 0);
  await page.reload();
  await widget.panel.waitFor();
  assert.equal(await widget.focus(), "#search", "nor when it is open again after a reload");
});

inBrowser("a page that listens for keys hears none that are typed here, and all others", {}, async ({ page, widget }) => {
  await widget.open();
  await page.evaluate(() => {
    window.heard = [];
    const types = ["keydown", "keypress", "keyup", "beforeinput", "input", "paste", "compositionstart", "compositionend"];
    for (const target of [window, document, document.documentElement]) {
      for (const type of types) target.addEventListener(type, (event) => window.heard.push(`${type} ${event.key ?? event.data}`));
    }
  });
  await widget.input.focus();
  // Shortcuts of well-known sites.
  for (const key of ["j", "k", "/", "?", "s", "ArrowDown", "Control+k", "Enter"]) await page.keyboard.press(key);
  await widget.says("Hello from the scripted model.");
  await widget.log.focus();
  await page.keyboard.press("g");
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("Enter");
  await widget.panel.waitFor();
  await page.evaluate(() => {
    const root = document.querySelector("#widgetd").shadowRoot;
    root.activeElement.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, composed: true }));
  });
  await page.keyboard.insertText("なに");
  assert.deepEqual(await page.evaluate(() => window.heard), []);
  await page.locator("#search").focus();
  await page.keyboard.press("j");
  assert.ok((await page.evaluate(() => window.heard)).includes("keydown j"), "the page's own keys are its own");
});

inBrowser("a page that keeps the focus in its own dialog does not pull it out of here", {}, async ({ page, widget }) => {
  await page.evaluate(() => document.addEventListener("focusin", ({ target }) => target.closest("main") || document.querySelector("#buy").focus()));
  await widget.open();
  assert.equal(await widget.focus(), "widget textarea");
});

inBrowser("Enter that ends a composition sends nothing, and the next one does", {}, async ({ page, context, widget, model }) => {
  await widget.open();
  await widget.input.focus();
  const browser = await context.newCDPSession(page);
  const key = (type, windowsVirtualKeyCode) => browser.send("Input.dispatchKeyEvent", { type, key: "Enter", code: "Enter", windowsVirtualKeyCode });
  await browser.send("Input.imeSetComposition", { text: "おちゃ", selectionStart: 3, selectionEnd: 3 });
  // While a composition runs, 229 is what every key is.
  await key("rawKeyDown", 229);
  await key("keyUp", 13);
  await browser.send("Input.insertText", { text: "お茶" });
  assert.equal(await widget.input.inputValue(), "お茶");
  assert.deepEqual(await widget.questions(), []);
  await page.keyboard.press("Enter");
  await widget.says("Hello from the scripted model.");
  assert.deepEqual(model.questions, ["お茶"]);
});

for (const [browser, event] of [
  ["that says so", { isComposing: true, keyCode: 13 }],
  ["that ends the composition first, as Safari does", { isComposing: false, keyCode: 229 }],
]) {
  inBrowser(`Enter within a composition sends nothing in a browser ${browser}`, {}, async ({ page, widget }) => {
    await widget.open();
    await widget.input.fill("お茶");
    await widget.input.evaluate((node, init) => {
      node.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, composed: true, cancelable: true, ...init }));
    }, event);
    assert.deepEqual(await widget.questions(), []);
    assert.equal(await widget.input.inputValue(), "お茶");
    await page.keyboard.press("Enter");
    await widget.says("Hello from the scripted model.");
  });
}

inBrowser("Escape within a composition ends the composition alone", {}, async ({ widget }) => {
  await widget.open();
  await widget.input.evaluate((node) => {
    node.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, composed: true, isComposing: true }));
  });
  assert.equal(await widget.panel.isVisible(), true);
});

inBrowser("Shift and Enter begin a new line, and the field grows with its lines", {}, async ({ page, widget, model }) => {
  await widget.open();
  const before = (await widget.input.boundingBox()).height;
  await page.keyboard.type("One");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("Two");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("Three");
  assert.equal(await widget.input.inputValue(), "One\nTwo\nThree");
  assert.ok((await widget.input.boundingBox()).height > before + 30);
  await page.keyboard.press("Enter");
  await widget.says("Hello from the scripted model.");
  assert.deepEqual(model.questions, ["One\nTwo\nThree"]);
  assert.equal((await widget.input.boundingBox()).height, before);
});

inBrowser("what is nothing is not sent", {}, async ({ widget, wire }) => {
  await widget.open();
  for (const text of ["", "   ", "\n\n"]) await widget.ask(text);
  await widget.send.click();
  assert.deepEqual(await widget.questions(), []);
  assert.equal(wire.asked("/v1/widget/messages/stream").length, 0);
});

for (const [direction, key] of [["forwards", "Tab"], ["backwards", "Shift+Tab"]]) {
  inBrowser(`with a mouse-sized window, Tab leaves the panel ${direction}: it is no trap`, {}, async ({ page, widget }) => {
    await widget.open();
    assert.notEqual(await widget.panel.getAttribute("aria-modal"), "true");
    const seen = [];
    for (let press = 0; press < 20 && seen.at(-1) !== "#search" && seen.at(-1) !== "#first"; press += 1) {
      await page.keyboard.press(key);
      seen.push(await widget.focus());
    }
    assert.ok(["#search", "#first"].includes(seen.at(-1)), seen.join(", "));
    assert.equal(await widget.panel.isVisible(), true);
  });
}

const nudging = { agent: { rule: [{ id: "left", trigger: "exit_intent", action: "nudge", text: "Questions?" }] } };
inBrowser("a chat that was opened from a nudge gives the focus to its launcher", nudging, async ({ page, widget }) => {
  await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientY: -1 })));
  await widget.find(".nudge-open").focus();
  await page.keyboard.press("Enter");
  await widget.panel.waitFor();
  await page.keyboard.press("Escape");
  await eventually(async () => assert.equal(await widget.focus(), "widget button.launcher"));
});

const offering = { agent: { rule: [{ id: "offer", trigger: "messages", count: 1, action: "card", title: "Half price", text: "Until Friday.", button: [{ label: "No", does: "dismiss" }] }] } };
inBrowser("a card in the log that goes leaves the focus where one can go on", offering, async ({ page, widget }) => {
  await widget.open();
  await widget.hear("One?", "Hello from the scripted model.");
  await widget.find(".log .card button").focus();
  await page.keyboard.press("Enter");
  await eventually(async () => assert.equal(await widget.find(".card").count(), 0));
  assert.equal(await widget.focus(), "widget textarea");
});

inBrowser("the ring around the launcher can be seen, whatever the page's colour", {}, async ({ page, widget }) => {
  await page.keyboard.press("Tab");
  await widget.launcher.focus();
  const [ring, ground, offset] = await Promise.all(["outline-color", "background-color", "outline-offset"].map((name) => widget.style(".launcher", name)));
  assert.ok(parseFloat(offset) < 0, "it lies on the launcher's own colour");
  assert.notEqual(ring, ground);
  assert.equal(ring, await widget.style(".launcher", "color"));
});
