/** The form that asks for an address: what it demands, what it sends, and that nobody is asked twice. */

import assert from "node:assert/strict";

import { eventually, pause } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";
import { answering } from "./support/wire.mjs";

const LEADS = "/v1/widget/leads";
const form = {
  title: "Shall we write to you?",
  submit_label: "Yes, write",
  thanks: "We will write.",
  consent: "You may store my address.",
  field: [
    { key: "name", label: "Your name", required: true },
    { key: "phone", label: "Phone", type: "tel" },
    { key: "kind", label: "Kind of pot", type: "select", options: ["Round", "Square"], required: true },
    { key: "message", label: "Your question", type: "textarea" },
  ],
};
const agent = { lead_form: form };

const sent = (wire) => wire.asked(LEADS).map(({ body }) => JSON.parse(body));
const complaints = (widget) => widget.find("form.lead .complaint:not(:empty)").allInnerTexts();
const field = (widget, label) => widget.form.getByLabel(label, { exact: false });

async function openForm(widget) {
  await widget.open();
  await widget.find(".lead-open").click();
  await widget.form.waitFor();
}

async function fillIn(widget) {
  await field(widget, "Email").fill(" Ada@Example.com ");
  await field(widget, "Your name").fill("Ada");
  await field(widget, "Kind of pot").selectOption("Square");
  await field(widget, "You may store").check();
}

inBrowser("each field is what the owner made it, with its label", { agent }, async ({ widget }) => {
  await openForm(widget);
  assert.match(await widget.form.innerText(), /Shall we write to you\?/);
  const kinds = [["Email", "email"], ["Your name", "text"], ["Phone", "tel"], ["Kind of pot", "select-one"], ["Your question", "textarea"], ["You may store my address.", "checkbox"]];
  for (const [label, type] of kinds) assert.equal(await field(widget, label).evaluate((node) => node.type), type, label);
  assert.deepEqual(await field(widget, "Kind of pot").locator("option").allInnerTexts().then((texts) => texts.slice(1)), ["Round", "Square"]);
  assert.equal(await field(widget, "Email").getAttribute("autocomplete"), "email");
  assert.equal(await field(widget, "You may store").isChecked(), false, "nobody has agreed yet");
  assert.match(await widget.focus(), /lead-email/);
});

inBrowser("what is missing or wrong stands beside its field, the first of them has the focus, and nothing is sent", { agent }, async ({ page, widget, wire }) => {
  await openForm(widget);
  await field(widget, "Email").fill("ada at example");
  await widget.find(".submit").click();
  assert.deepEqual(await complaints(widget), ["Please write an address such as ada@example.com.", "Please fill this in.", "Please fill this in.", "Please tick this box."]);
  assert.match(await widget.focus(), /lead-email/);
  assert.deepEqual(await widget.find("form.lead [aria-invalid=true]").evaluateAll((all) => all.map((node) => node.id)), ["lead-email", "lead-name", "lead-kind", "lead-consent"]);
  const described = await field(widget, "Email").evaluate((node) => node.getRootNode().getElementById(node.getAttribute("aria-describedby")).textContent);
  assert.equal(described, "Please write an address such as ada@example.com.");
  await field(widget, "Email").fill("ada@example.com");
  await page.keyboard.press("Enter");
  assert.match(await widget.focus(), /lead-name/);
  assert.equal((await complaints(widget)).length, 3);
  assert.deepEqual(sent(wire), []);
});

inBrowser("a whole form is sent once, however often it is pressed, and thanked for", { agent }, async ({ page, widget, wire }) => {
  await page.evaluate(() => {
    window.leads = 0;
    widgetd("on", "lead", () => (window.leads += 1));
  });
  await openForm(widget);
  await fillIn(widget);
  await widget.find(".submit").evaluate((button) => {
    button.click();
    button.click();
  });
  await widget.find(".thanks").waitFor();
  assert.equal(await widget.find(".thanks").innerText(), "We will write.");
  assert.equal(await widget.form.count(), 0);
  const [{ token, ...lead }] = sent(wire);
  assert.deepEqual(lead, { source: "form", email: "Ada@Example.com", name: "Ada", fields: { kind: "Square" }, consent: true });
  assert.equal(typeof token, "string");
  assert.deepEqual(wire.asked(LEADS).map(({ status }) => status), [201]);
  assert.equal(await page.evaluate(() => window.leads), 1);
});

const asking = { agent: { ...agent, rule: [{ id: "one", trigger: "messages", count: 1, action: "lead_form", max_per_visitor: 9 }] } };
inBrowser("who has left an address is not asked again, after a reload neither", asking, async ({ page, widget, model }) => {
  await widget.open();
  await widget.hear("One?", "Hello from the scripted model.");
  await widget.form.waitFor();
  await fillIn(widget);
  await widget.find(".submit").click();
  await widget.find(".thanks").waitFor();
  await page.reload();
  await widget.panel.waitFor();
  model.next("I do not know.");
  await widget.hear("Two?", "I do not know.");
  await pause(300);
  assert.equal(await widget.form.count(), 0);
  assert.equal(await widget.find(".offer").count(), 0);
});

inBrowser("who was asked and has not answered is not asked again of the widget's own accord, but can still ask for it", asking, async ({ page, widget }) => {
  await widget.open();
  await widget.hear("One?", "Hello from the scripted model.");
  await widget.form.waitFor();
  await widget.find(".lead-close").click();
  assert.equal(await widget.form.count(), 0);
  assert.match(await widget.focus(), /^widget /);
  await page.reload();
  await widget.panel.waitFor();
  await widget.hear("Two?", "Hello from the scripted model.");
  await pause(300);
  assert.equal(await widget.form.count(), 0);
  await widget.find(".lead-open").click();
  await widget.form.waitFor();
});

const unknown = { agent: { ...agent, models: ["builtin"], unknown_answer: "I do not know that one." } };
inBrowser("an answer that does not know offers the form", unknown, async ({ widget, wire }) => {
  await widget.open();
  await widget.hear("What is the weight of the moon?", "I do not know that one.");
  await widget.find(".offer").click();
  await widget.form.waitFor();
  assert.match(await widget.focus(), /lead-email/);
  await fillIn(widget);
  await widget.find(".submit").click();
  await widget.find(".thanks").waitFor();
  assert.equal(sent(wire)[0].source, "intent");
});

inBrowser("what the server finds wrong stands beside its field", { agent }, async ({ widget, wire, complaints: console }) => {
  console.expect(/status of 422/);
  await openForm(widget);
  await fillIn(widget);
  await field(widget, "Email").fill(`${"a".repeat(65)}@example.com`);
  await widget.find(".submit").click();
  await widget.find("form.lead .complaint:not(:empty)").waitFor();
  assert.match(await widget.focus(), /lead-email/);
  await field(widget, "Email").fill("ada@example.com");
  await widget.find(".submit").click();
  await widget.find(".thanks").waitFor();
  assert.deepEqual(wire.asked(LEADS).map(({ status }) => status), [422, 201]);
});

inBrowser("an address that cannot be sent now can be sent later, and nothing that was written is lost", { agent }, async ({ widget, wire, complaints: console }) => {
  console.expect(/status of 429/);
  await openForm(widget);
  await fillIn(widget);
  wire.next(LEADS, answering(429, { status: 429, code: "rate_limited", title: "Too Many Requests", detail: "…" }, { "Retry-After": "7" }));
  await widget.find(".submit").click();
  await widget.find("form.lead .alert:not(:empty)").waitFor();
  assert.match(await widget.find("form.lead .alert").innerText(), /7 s/);
  await eventually(async () => assert.equal(await widget.find(".submit").isEnabled(), true));
  await widget.find(".submit").click();
  await widget.find(".thanks").waitFor();
});

inBrowser("what the page knows of its visitor is filled in", { agent }, async ({ page, widget }) => {
  await page.evaluate(() => widgetd("identify", { email: "ada@example.com", name: "Ada", phone: "+44 1" }));
  await openForm(widget);
  const values = await Promise.all(["Email", "Your name", "Phone"].map((label) => field(widget, label).inputValue()));
  assert.deepEqual(values, ["ada@example.com", "Ada", "+44 1"]);
});

inBrowser("where the owner has no form, there is no button for it", {}, async ({ widget }) => {
  await widget.open();
  assert.equal(await widget.find(".lead-open").isVisible(), false);
});

const returning = { agent: { ...agent, rule: [{ id: "card", trigger: "exit_intent", action: "card", title: "Half price", text: "Until Friday.", button: [{ label: "Write to me", does: "lead_form" }] }] } };
for (const [how, openBy] of [
  ["a card's button", async ({ page, widget }) => {
    await page.evaluate(() => document.documentElement.dispatchEvent(new MouseEvent("mouseleave", { clientY: -1 })));
    await widget.find(".card button").first().click();
  }],
  ["the page's command", ({ page }) => page.evaluate(() => widgetd("lead"))],
]) {
  inBrowser(`a visitor who comes back gets the form by ${how} beneath what was said before, and it stays`, returning, async (scene) => {
    const { page, widget, wire } = scene;
    await widget.open();
    await widget.hear("One?", "Hello from the scripted model.");
    await widget.closeButton.click();
    await page.reload();
    await widget.launcher.waitFor();
    await page.evaluate(() => {
      window.opened = [];
      widgetd("on", "open", ({ by }) => window.opened.push(by));
    });
    const go = wire.holdsNext("/v1/widget/init");
    await openBy(scene);
    await eventually(() => assert.equal(wire.asked("/v1/widget/init").length, 2));
    go();
    await widget.says("Hello from the scripted model.");
    await widget.form.waitFor();
    await pause(200);
    assert.equal(await widget.form.count(), 1);
    assert.match(await widget.focus(), /lead-email/);
    assert.deepEqual(await widget.questions(), ["One?"]);
    assert.deepEqual(await page.evaluate(() => window.opened), [how === "a card's button" ? "card" : "api"]);
  });
}

inBrowser("a form that could not be sent has the focus where it can be sent again", { agent }, async ({ page, widget, wire, complaints: console }) => {
  console.expect(/status of 429/);
  await openForm(widget);
  await fillIn(widget);
  wire.next(LEADS, answering(429, { status: 429, code: "rate_limited" }, { "Retry-After": "7" }));
  await widget.find(".submit").focus();
  await page.keyboard.press("Enter");
  await widget.find("form.lead .alert:not(:empty)").waitFor();
  await eventually(async () => assert.equal(await widget.focus(), "widget button.primary.submit"));
});

inBrowser("where the owner has no form, the page's command opens none", {}, async ({ page, widget }) => {
  await page.evaluate(() => widgetd("lead"));
  await widget.panel.waitFor();
  await pause(200);
  assert.equal(await widget.form.count(), 0);
});
