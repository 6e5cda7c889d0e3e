/** Pages and visitors that are not the usual ones: other encodings, directions, needs and devices. */

import assert from "node:assert/strict";

import { inBrowser } from "./support/scene.mjs";

const GERMAN = { name: "Müllers Kännchen", greeting: "Grüß Gott – was möchten Sie wissen?", language: "de", strings: { placeholder: "Ihre Frage …" } };

const latin1 = { agent: GERMAN, page: { charset: "iso-8859-1", encoding: "latin1", head: '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">', body: "<main><h1>Kännchen</h1></main>" } };
inBrowser("on a page in ISO 8859-1 every letter is right, in both directions", latin1, async ({ page, widget, model }) => {
  assert.equal(await page.evaluate(() => document.characterSet), "windows-1252");
  model.next("Schön: 茶 🫖");
  await widget.open();
  assert.deepEqual(await widget.answers(), [GERMAN.greeting]);
  assert.equal(await widget.find("#name, .name").innerText(), GERMAN.name);
  assert.equal(await widget.input.getAttribute("placeholder"), "Ihre Frage …");
  await widget.hear("Für zwölf Gäste? 茶", "Schön: 茶 🫖");
  assert.deepEqual(model.questions, ["Für zwölf Gäste? 茶"]);
  assert.deepEqual(await widget.questions(), ["Für zwölf Gäste? 茶"]);
});

inBrowser("on a page that names no encoding every letter is right", { agent: GERMAN, page: { charset: null } }, async ({ widget }) => {
  await widget.open();
  assert.deepEqual(await widget.answers(), [GERMAN.greeting]);
});

const ARABIC = { language: "ar", greeting: "مرحبا! كيف أساعدك؟", starter_prompts: ["ما الجديد؟"], lead_form: { consent: "نعم" } };
inBrowser("a language that is read from the right mirrors the widget", { agent: ARABIC }, async ({ page, widget, model }) => {
  assert.deepEqual(await widget.wrapper.evaluate((node) => [node.dir, node.lang]), ["rtl", "ar"]);
  await widget.open();
  const middle = async (selector) => {
    const { x, width } = await widget.find(selector).first().boundingBox();
    return x + width / 2;
  };
  assert.ok((await middle("header .close")) < (await middle(".avatar")), "the head runs from the right");
  assert.ok((await middle(".send")) < (await middle(".composer textarea")));
  assert.match(await widget.style(".send svg", "transform"), /^matrix\(-1, 0, 0, 1/, "the arrow points onwards");
  model.next("An English answer.");
  await widget.hear("ما الجديد؟", "An English answer.");
  assert.ok((await middle(".msg.user")) < (await middle(".msg.bot")), "who writes has the other side");
  const directions = await widget.find(".msg .body").evaluateAll((all) => all.map((body) => getComputedStyle(body).direction));
  assert.deepEqual(directions, ["rtl", "rtl", "ltr"], "each message is read in its own direction");
  await widget.find(".lead-open").click();
  await widget.form.waitFor();
  const box = await widget.find("form.lead input[type=checkbox]").boundingBox();
  const label = await widget.find("form.lead label").last().boundingBox();
  assert.ok(box.x > label.x, "the box stands before its words");
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
});

inBrowser("the direction is the owner's word, whatever the language", { agent: { language: "ar", direction: "ltr" } }, async ({ widget }) => {
  assert.equal(await widget.wrapper.getAttribute("dir"), "ltr");
});

inBrowser("who asks for less motion gets none", {}, async ({ page, widget, model }) => {
  const moving = () => page.evaluate(() => document.querySelector("#widgetd").shadowRoot.getAnimations().length);
  const answer = model.nextHolds();
  await widget.open();
  await widget.ask("Slow?");
  await answer.begun;
  assert.equal(await moving(), 0);
});

inBrowser("everybody else sees that an answer is coming", { context: { reducedMotion: "no-preference" } }, async ({ page, widget, model }) => {
  const answer = model.nextHolds();
  await widget.open();
  await widget.ask("Slow?");
  await answer.begun;
  await page.waitForFunction(() => document.querySelector("#widgetd").shadowRoot.getAnimations({ subtree: true }).length > 0);
});

inBrowser("with colours forced by the system, everything that can be pressed has an edge, and the focus can be seen", { context: { forcedColors: "active" }, agent: { lead_form: {}, starter_prompts: ["What?"] } }, async ({ page, widget }) => {
  const edged = (selector) =>
    widget.find(selector).evaluateAll((all) =>
      all
        .filter((node) => node.getClientRects().length)
        .filter((node) => {
          const style = getComputedStyle(node);
          return style.borderTopStyle === "none" || parseFloat(style.borderTopWidth) === 0 || style.borderTopColor === style.backgroundColor || /^rgba.*, 0\)$/.test(style.borderTopColor);
        })
        .map((node) => node.className),
    );
  assert.deepEqual(await edged(".launcher"), []);
  await widget.open();
  await widget.hear("What?", "Hello from the scripted model.");
  assert.deepEqual(await edged(".panel, .msg .body, header button, .send, .composer textarea"), []);
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => {
    const style = getComputedStyle(document.querySelector("#widgetd").shadowRoot.activeElement);
    return [style.outlineStyle, parseFloat(style.outlineWidth)];
  });
  assert.notEqual(outline[0], "none");
  assert.ok(outline[1] >= 2);
});

inBrowser("on paper there is nothing of it", {}, async ({ page, widget }) => {
  await widget.open();
  await page.emulateMedia({ media: "print" });
  assert.equal(await widget.wrapper.isVisible(), false);
  assert.equal(await widget.panel.isVisible(), false);
});

inBrowser("a visitor who magnifies four times can still write and send", { context: { viewport: { width: 320, height: 256 } } }, async ({ widget }) => {
  await widget.open();
  for (const part of [widget.input, widget.send, widget.closeButton]) {
    const { x, y, width, height } = await part.boundingBox();
    assert.ok(x >= 0 && y >= 0 && x + width <= 320 && y + height <= 256, `${x} ${y} ${width} ${height}`);
  }
  await widget.hear("Hello?", "Hello from the scripted model.");
});

const LOOKS = { side: "left", offset_x_px: 60, offset_y_px: 90, launcher_label: "Ask us", launcher_icon: "help", radius_px: 0, color: "#112233", accent: "#aa3300" };
inBrowser("side, distance, label and colours are as the owner set them", { agent: { theme: LOOKS } }, async ({ page, widget }) => {
  const { x, y, height } = await widget.launcher.boundingBox();
  assert.equal(x, 60);
  assert.equal(y + height, 800 - 90);
  assert.match(await widget.launcher.innerText(), /Ask us/);
  assert.equal(await widget.style(".launcher", "background-color"), "rgb(17, 34, 51)");
  await widget.open();
  assert.equal((await widget.panel.boundingBox()).x, 60);
  assert.equal(await widget.style(".panel", "border-top-left-radius"), "0px");
  assert.equal(await widget.style("header", "background-color"), "rgb(17, 34, 51)");
  await page.evaluate(() => widgetd("set", { theme: { side: "right", color: "#445566" }, name: "Another", strings: { placeholder: "Say it" } }));
  assert.equal(await widget.style("header", "background-color"), "rgb(68, 85, 102)");
  assert.equal(await widget.input.getAttribute("placeholder"), "Say it");
  assert.ok((await widget.panel.boundingBox()).x > 600);
});
