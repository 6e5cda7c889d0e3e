/** What axe-core finds, in every state that a visitor meets. */

import assert from "node:assert/strict";

import { contrastFindings, findings } from "./support/axe.mjs";
import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
const EVERYTHING = "# Heading\n\nA [link](https://example.com), `code`, **bold**.\n\n- list\n\n1. list\n\n> quote\n\n```\n" + "a long line of code ".repeat(12) + "\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n\nThe end.";
const card = { id: "offer", action: "card", title: "Half price", text: "Until Friday.", button: [{ label: "See them", does: "url", url: "/sale" }, { label: "No", does: "dismiss" }] };
const agent = {
  starter_prompts: ["Which pots are there?"],
  rule: [{ ...card, trigger: "exit_intent" }],
  lead_form: {
    title: "Shall we write to you?",
    consent: "You may store my address.",
    field: [
      { key: "name", label: "Name", required: true },
      { key: "phone", label: "Phone", type: "tel" },
      { key: "kind", label: "Kind", type: "select", options: ["Round", "Square"], required: true },
      { key: "message", label: "Message", type: "textarea" },
    ],
  },
};
const PHONE = { viewport: { width: 390, height: 760 }, hasTouch: true, isMobile: true };

/** Walks through all states, and asks axe in each. */
async function walk({ page, widget, model, complaints }) {
  complaints.expect(/status of 50/);
  const found = [];
  const ask = async (state) => found.push(...(await findings(page)).map((line) => `${state}: ${line}`));
  await ask("closed");
  await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientY: -1 })));
  if (await page.evaluate(() => matchMedia("(hover: hover)").matches)) {
    await widget.find(".nudge .card").waitFor();
    await ask("a card");
  }
  await widget.open();
  await ask("open, with suggestions");
  const answer = model.nextHolds("The beginning");
  await widget.ask("What?");
  await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The beginning"));
  await ask("an answer is running");
  answer.finish(`\n\n${EVERYTHING}`);
  await widget.find(".msg.bot .after .copy").waitFor();
  await ask("an answer with everything in it");
  await widget.log.evaluate((log) => (log.scrollTop = 0));
  await ask("scrolled up");
  model.alwaysFails(500);
  await widget.ask("And?");
  await widget.alert.waitFor();
  await ask("an error");
  await widget.find(".lead-open").click();
  await widget.form.waitFor();
  await ask("the form");
  await widget.find("form.lead .submit").click();
  await widget.find(".complaint:not(:empty)").first().waitFor();
  await ask("the form with complaints");
  await page.evaluate(() => widgetd("prefill", "Some text"));
  await ask("a draft");
  assert.deepEqual(found, []);
}

inBrowser("axe finds nothing, in any state", { agent }, walk);
inBrowser("axe finds nothing in the dark", { agent: { ...agent, theme: { mode: "dark" } } }, walk);
inBrowser("axe finds nothing on a phone", { agent, context: PHONE }, walk);
inBrowser("axe finds nothing from right to left", { agent: { ...agent, language: "ar" }, page: { html: 'lang="ar" dir="rtl"' } }, walk);

inBrowser("where the visitor's system is dark, an agent of mode auto is dark too, and changes with it", { agent: { theme: { mode: "auto" } }, context: { colorScheme: "dark" } }, async ({ page, widget }) => {
  await widget.open();
  const light = async () => {
    const [red] = (await widget.style(".panel", "background-color")).match(/\d+/g);
    return Number(red) > 128;
  };
  assert.equal(await light(), false);
  await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
  await eventually(async () => assert.equal(await light(), true));
});

inBrowser("whatever colours an owner chooses, everything can be read", { agent }, async ({ page, widget, model }) => {
  model.next("A [link](https://example.com) and `code`.");
  await widget.open();
  await widget.hear("What?", "A link and code.");
  for (const mode of ["light", "dark"]) {
    for (const colour of ["#ffff00", "#ffffff", "#000000", "#777777", "#ff0000", "#00ff00", "#2563eb", "#f59e0b"]) {
      await page.evaluate((theme) => widgetd("set", { theme }), { mode, accent: colour, color: colour });
      assert.deepEqual(await contrastFindings(page), [], `${colour}, ${mode}`);
    }
  }
});

// That the tests above could fail.
inBrowser("axe sees into the shadow root, and finds what is taken away there", {}, async ({ page, widget }) => {
  await widget.open();
  await widget.hear("Hello?", HELLO);
  assert.deepEqual(await findings(page), []);
  await widget.input.evaluate((node) => {
    for (const { name } of [...node.attributes]) if (/label|placeholder|title/.test(name)) node.removeAttribute(name);
  });
  await widget.lastAnswer().evaluate((node) => node.style.setProperty("color", "#999"));
  const found = await findings(page);
  assert.equal(found.length, 2, found.join("\n"));
  assert.ok(found.some((line) => line.startsWith("label (critical): #widgetd")), found.join("\n"));
  assert.ok(found.some((line) => line.startsWith("color-contrast (serious): ")), found.join("\n"));
});
