/** What goes wrong is said in words, and can be tried again: a question stands there once, and is paid for once. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";
import { answering, unreachable } from "./support/wire.mjs";

const STREAM = "/v1/widget/messages/stream";
const HELLO = "Hello from the scripted model.";
/** The browser's own lines about an answer that is an error. */
const STATUS = /Failed to load resource: the server responded with a status of/;
const BROKEN = /net::ERR_/;

for (const [how, breakIt] of [
  ["is reset in its middle", (answer) => answer.reset()],
  ["ends without its end, as a proxy can make it", (answer) => answer.end()],
]) {
  inBrowser(`a stream that ${how} is an error; trying again gives the same answer, and neither is doubled`, {}, async (scene) => {
    const { page, widget, wire, model, complaints } = scene;
    complaints.expect(BROKEN);
    // widgetd may still be storing the answer when it is asked for again.
    complaints.expect(/status of 409/);
    const said = model.nextHolds("Hello from");
    const carried = wire.nextAnswer(STREAM);
    await widget.open();
    await widget.ask("Hello?");
    await eventually(async () => assert.equal(await widget.lastAnswer().innerText(), "Hello from"));
    breakIt(carried);
    await widget.alert.waitFor();
    assert.equal(await widget.lastAnswer().innerText(), "Hello from", "what came stays");
    assert.equal(await widget.stop.isVisible(), false);
    said.finish(" the scripted model.");
    await widget.retry.click();
    await widget.says(HELLO);
    assert.deepEqual(await widget.questions(), ["Hello?"]);
    assert.equal(await widget.alert.count(), 0);
    const ids = new Set(wire.asked(STREAM).map(({ body }) => JSON.parse(body).client_message_id));
    assert.equal(ids.size, 1);
    assert.ok(!ids.has(undefined));
    assert.deepEqual(model.questions, ["Hello?"], "the model is asked once");
    await page.reload();
    await widget.says(HELLO);
    assert.deepEqual(await widget.questions(), ["Hello?"]);
  });
}

const limited = { config: { limits: { messages_per_address: "1/4s", init_per_address: "100/1m" } } };
inBrowser("too many questions: the wait is told in seconds, and after it the question goes through", limited, async (scene) => {
  const { widget, complaints, model, page } = scene;
  complaints.expect(STATUS);
  await page.evaluate(() => {
    window.errors = [];
    widgetd("on", "error", (detail) => window.errors.push(detail));
  });
  await widget.open();
  await widget.hear("One?", HELLO);
  await widget.ask("Two?");
  await widget.alert.waitFor();
  assert.match(await widget.alert.innerText(), /\b[1-4] seconds?\b/);
  assert.equal(await widget.retry.isDisabled(), true);
  const { status, code } = (await page.evaluate(() => window.errors))[0];
  assert.deepEqual([status, code], [429, "rate_limited"]);
  await eventually(async () => assert.equal(await widget.retry.isEnabled(), true));
  await widget.retry.click();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["One?", "Two?"]);
  assert.deepEqual(model.questions, ["One?", "Two?"]);
});

inBrowser("a conversation that is used up says for how long, and offers a new one", { config: { budget: { messages: 1 } } }, async (scene) => {
  const { widget, complaints } = scene;
  complaints.expect(STATUS);
  await widget.open();
  await widget.hear("One?", HELLO);
  await widget.ask("Two?");
  await widget.alert.waitFor();
  assert.match(await widget.alert.innerText(), /used up.* 24 hours\b/);
  await widget.find(".after button", { hasText: "New conversation" }).last().click();
  await eventually(async () => assert.deepEqual(await widget.questions(), []));
  await widget.hear("Two?", HELLO);
});

const spent = { config: { budget: { agent_tokens_per_day: 200, answer_tokens: 200 } } };
inBrowser("an agent that has answered all that it may says until when", spent, async ({ widget, complaints, model }) => {
  complaints.expect(STATUS);
  await widget.open();
  await widget.ask("Hello?");
  await widget.alert.waitFor();
  assert.match(await widget.alert.innerText(), /for now.* \d+ (hours?|minutes?|seconds?)\b/);
  assert.deepEqual(model.questions, []);
});

inBrowser("a model that is down is told in words, and asked again when it is back", {}, async ({ widget, model, complaints }) => {
  complaints.expect(STATUS);
  model.alwaysFails(500);
  await widget.open();
  await widget.ask("Hello?");
  await widget.alert.waitFor();
  assert.match(await widget.alert.innerText(), /cannot answer right now/);
  assert.equal(await widget.lastAnswer().isVisible(), false, "there is no empty bubble");
  model.always(HELLO);
  await eventually(async () => assert.equal(await widget.retry.isEnabled(), true));
  await widget.retry.click();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Hello?"]);
});

inBrowser("a token that has expired is renewed without a word, and the question is asked once", {}, async (scene) => {
  const { widget, wire, model, complaints } = scene;
  complaints.expect(STATUS);
  await widget.open();
  await widget.hear("One?", HELLO);
  wire.next(STREAM, answering(401, { status: 401, code: "expired_token", title: "Unauthorized", detail: "…" }));
  await widget.hear("Two?", HELLO);
  assert.equal(wire.asked("/v1/widget/init").length, 2);
  const [, refused, replayed] = wire.asked(STREAM).map(({ body }) => JSON.parse(body));
  assert.equal(refused.client_message_id, replayed.client_message_id);
  assert.notEqual(refused.token, replayed.token);
  assert.deepEqual(model.questions, ["One?", "Two?"]);
  assert.deepEqual(await widget.questions(), ["One?", "Two?"]);
});

inBrowser("a token that is refused again and again is not renewed for ever", {}, async ({ widget, wire, complaints }) => {
  complaints.expect(STATUS);
  await widget.open();
  wire.always(STREAM, answering(401, { status: 401, code: "expired_token", title: "Unauthorized", detail: "…" }));
  await widget.ask("One?");
  await widget.alert.waitFor();
  assert.equal(wire.asked(STREAM).length, 2);
  wire.always(STREAM, null);
  await widget.retry.click();
  await widget.says(HELLO);
});

inBrowser("a server that cannot be reached is told in words, and the question can be sent again", {}, async (scene) => {
  const { widget, wire, model, complaints } = scene;
  complaints.expect(BROKEN);
  await widget.open();
  wire.always(STREAM, unreachable);
  await widget.ask("Hello?");
  await widget.alert.waitFor();
  assert.match(await widget.alert.innerText(), /cannot be reached/);
  wire.always(STREAM, null);
  await widget.retry.click();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Hello?"]);
  assert.deepEqual(model.questions, ["Hello?"]);
});

inBrowser("an answer of a proxy that is no answer of ours is told in words", {}, async ({ widget, wire, complaints }) => {
  complaints.expect(STATUS);
  await widget.open();
  wire.next(STREAM, answering(502, "<html>Bad gateway</html>"));
  await widget.ask("Hello?");
  await widget.alert.waitFor();
  assert.match(await widget.alert.innerText(), /went wrong/);
  await widget.retry.click();
  await widget.says(HELLO);
});

inBrowser("a chat whose first request fails can still be begun", {}, async ({ widget, wire, complaints }) => {
  complaints.expect(BROKEN);
  complaints.expect(/^error: widgetd: /);
  wire.always("/v1/widget/init", unreachable);
  await widget.launcher.click();
  await widget.ask("Hello?");
  await widget.alert.waitFor();
  wire.always("/v1/widget/init", null);
  await widget.retry.click();
  await widget.says(HELLO);
  assert.deepEqual(await widget.questions(), ["Hello?"]);
});
