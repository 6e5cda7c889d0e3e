/** The demo page that widgetd serves: a plausible shop under a strict policy, with the widget and controls to try it. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
const demo = (body) => async (scene) => {
  const { page, server } = scene;
  await page.goto(`${server.origin}/`);
  await scene.widget.launcher.waitFor();
  await body(scene);
};
const agent = { allowed_origins: ["self"], lead_form: {} };

inBrowser("the demo page carries the widget under its own policy, with a silent console", { agent, page: null }, demo(async ({ page, server, widget }) => {
  const { headers } = await fetch(`${server.origin}/`);
  assert.match(headers.get("content-security-policy"), /default-src 'none'|default-src 'self'/);
  assert.doesNotMatch(headers.get("content-security-policy"), /unsafe/);
  await widget.open();
  await widget.hear("Which kite for a beginner?", HELLO);
  await page.reload();
  await widget.says(HELLO);
}));

inBrowser("each control of the demo page changes the widget", { agent, page: null }, demo(async ({ page, widget }) => {
  await page.locator("#try-open").click();
  const drawer = page.locator("#try");
  const pick = (name) => drawer.getByText(name, { exact: true }).click();
  await drawer.getByLabel("Theme colour").fill("#112233");
  assert.equal(await widget.style(".launcher", "background-color"), "rgb(17, 34, 51)");
  await pick("Dark");
  assert.match(await widget.wrapper.getAttribute("class"), /dark/);
  await pick("Left");
  await eventually(async () => assert.ok((await widget.launcher.boundingBox()).x < 200));
  await pick("Right");
  await eventually(async () => assert.ok((await widget.launcher.boundingBox()).x > 600));
  await drawer.getByLabel("Launcher label").fill("Ask us");
  assert.match(await widget.launcher.innerText(), /Ask us/);
  await drawer.getByLabel("Language", { exact: true }).selectOption("ar");
  await eventually(async () => assert.deepEqual(await widget.wrapper.evaluate((node) => [node.dir, node.lang]), ["rtl", "ar"]));
  await drawer.getByText("As configured").click();
  await eventually(async () => assert.deepEqual(await widget.wrapper.evaluate((node) => [node.dir, node.lang]), ["ltr", "en"]));
  assert.equal((await widget.launcher.innerText()).trim(), "");
}));
