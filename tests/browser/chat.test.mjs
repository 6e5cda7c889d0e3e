/** Asking, stopping and beginning anew. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const STREAM = "/v1/widget/messages/stream";
const HELLO = "Hello from the scripted model.";

inBrowser("Stop hangs up on the model before it has ended, and keeps what was said", {}, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Long?");
  await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The beginning"));
  assert.equal(await widget.send.isVisible(), false, "there is one button: send or stop");
  await widget.stop.click();
  await answer.hungUp;
  await widget.says("The beginning");
  assert.equal(await widget.alert.count(), 0, "what was wanted is no error");
  await page.reload();
  await widget.says("The beginning");
  assert.deepEqual(await widget.questions(), ["Long?"]);
});

inBrowser("Stop before the first word leaves a question that can be asked again", {}, async ({ widget, model }) => {
  const answer = model.nextHolds();
  await widget.open();
  await widget.ask("Slow?");
  await answer.begun;
  await widget.stop.click();
  await answer.hungUp;
  await widget.stop.waitFor({ state: "hidden" });
  await widget.find(".again").click();
  await widget.says(HELLO);
  assert.deepEqual(model.questions, ["Slow?", "Slow?"]);
});

inBrowser("after a stop the next question is answered, however quickly it comes", {}, async ({ widget, model, complaints }) => {
  // widgetd still ends the answer before it: the browser's console tells of each refusal.
  complaints.expect(/status of 409/);
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("Long?");
  await answer.begun;
  await widget.stop.click();
  await widget.ask("Short?");
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Long?", "Short?"]);
  assert.deepEqual(model.questions, ["Long?", "Short?"]);
});

inBrowser("while an answer runs, Enter keeps the next question in the field", {}, async ({ widget, model }) => {
  const answer = model.nextHolds("The beginning");
  await widget.open();
  await widget.ask("First?");
  await answer.begun;
  await widget.ask("Second?");
  assert.equal(await widget.input.inputValue(), "Second?");
  answer.finish();
  await widget.says("The beginning");
  await widget.input.press("Enter");
  await widget.says(HELLO);
  assert.deepEqual(model.questions, ["First?", "Second?"]);
});

const starters = { agent: { starter_prompts: ["Which pots are there?", "What do they cost?"] } };
inBrowser("a suggestion is asked by one press, and then all of them are gone", starters, async ({ widget, model }) => {
  await widget.open();
  assert.deepEqual(await widget.find(".starters button").allInnerTexts(), starters.agent.starter_prompts);
  await widget.find(".starters button").nth(1).click();
  await widget.says(HELLO);
  assert.deepEqual(model.questions, ["What do they cost?"]);
  assert.equal(await widget.find(".starters").count(), 0);
  assert.equal(await widget.focus(), "widget textarea");
});

inBrowser("a new conversation is empty, and the old one is not in it after a reload", starters, async ({ page, widget, wire }) => {
  await widget.open();
  await widget.hear("Old?", HELLO);
  const [first] = wire.asked(STREAM);
  await widget.fresh.click();
  await widget.find(".starters").waitFor();
  assert.deepEqual(await widget.questions(), []);
  await widget.hear("New?", HELLO);
  const [, second] = wire.asked(STREAM);
  assert.notEqual(JSON.parse(second.body).token, JSON.parse(first.body).token);
  await page.reload();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["New?"]);
});

inBrowser("a new conversation ends an answer that is running, and hears nothing more of it", {}, async ({ widget, model }) => {
  const answer = model.nextHolds("The old beginning");
  await widget.open();
  await widget.ask("Old?");
  await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "The old beginning"));
  await widget.fresh.click();
  await answer.hungUp;
  await eventually(async () => assert.deepEqual(await widget.answers(), ["Hello! What would you like to know?"]));
  await widget.hear("New?", HELLO);
  assert.deepEqual(await widget.questions(), ["New?"]);
});

inBrowser("a question asked before the server has said who is there waits for that", {}, async ({ widget, model }) => {
  await widget.launcher.click();
  await widget.ask("Quick?");
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Quick?"]);
  assert.deepEqual(model.questions, ["Quick?"]);
});

for (const [reason, remark] of [
  ["length", /cut at its greatest length/],
  ["content_filter", /content filter/],
]) {
  inBrowser(`an answer that the model ended with ${reason} says so`, {}, async ({ widget, model }) => {
    const answer = model.nextHolds("The beginning");
    await widget.open();
    await widget.ask("Long?");
    await answer.begun;
    answer.finish("", reason);
    await widget.find(".msg.bot .note").waitFor();
    assert.match(await widget.find(".msg.bot .note").innerText(), remark);
  });
}

inBrowser("an answer without a word says so", {}, async ({ widget, model, complaints }) => {
  complaints.expect(/status of 5/);
  const answer = model.nextHolds();
  await widget.open();
  await widget.ask("Anything?");
  await answer.begun;
  answer.finish();
  await widget.find(".msg.bot .after").waitFor();
  assert.ok((await widget.find(".msg.bot .after").innerText()).trim());
  assert.equal(await widget.stop.isVisible(), false);
});
