/** What the page may say to the widget, and what it is told: the README's two tables. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const HELLO = "Hello from the scripted model.";
/** The README's own lines, and a page that speaks at once. */
const STUB = `<script>
  window.widgetd = window.widgetd || function () { (widgetd.q = widgetd.q || []).push(arguments) };
  window.told = [];
  for (const name of ["ready", "open", "close"]) widgetd("on", name, (detail) => told.push([name, detail]));
  widgetd("prefill", "Written before");
</script>`;

inBrowser("what a page says before there is a widget is done when there is one, in its order", { page: { head: STUB } }, async ({ page, widget }) => {
  await widget.panel.waitFor();
  assert.equal(await widget.input.inputValue(), "Written before");
  await widget.closeButton.click();
  await page.evaluate(() => widgetd("toggle"));
  await page.evaluate(() => widgetd("toggle"));
  assert.equal(await widget.panel.isVisible(), false);
  const told = await page.evaluate(() => window.told);
  assert.deepEqual(told, [["ready", {}], ["open", { by: "api" }], ["close", {}], ["open", { by: "api" }], ["close", {}]]);
});

const broken = { page: { head: STUB.replace("</script>", 'widgetd("set"); widgetd("send"); widgetd("open"); widgetd("on", "open", () => { throw new Error("the page\'s own") });</script>') } };
inBrowser("a command that the page got wrong is told in the console, and the next one is done", broken, async ({ page, widget, complaints }) => {
  complaints.expect(/TypeError|the page's own/);
  await widget.panel.waitFor();
  await page.evaluate(() => widgetd("send"));
  await widget.hear("Hello?", HELLO);
});

inBrowser("an unknown command is warned of once, and throws nothing", {}, async ({ page, complaints }) => {
  complaints.expect(/^warning: widgetd: .*"dance"/);
  for (const name of ["dance", "hasOwnProperty"]) {
    complaints.expect(new RegExp(`^warning: widgetd: .*"${name}"`));
    await page.evaluate((command) => widgetd(command), name);
  }
  await eventually(() => assert.equal(complaints.all().length, 2));
});

inBrowser("a listener is told until it has had enough, and one that fails keeps nobody from being told", {}, async ({ page, widget, complaints }) => {
  complaints.expect(/the page's own/);
  await page.evaluate(() => {
    window.told = [];
    widgetd("on", "open", () => {
      throw new Error("the page's own");
    });
    window.enough = widgetd("on", "open", ({ by }) => window.told.push(by));
    document.addEventListener("widgetd:open", ({ detail, target }) => window.told.push(`${target.id} ${detail.by}`));
  });
  await widget.open();
  await widget.closeButton.click();
  await page.evaluate(() => window.enough());
  await page.evaluate(() => widgetd("open"));
  assert.deepEqual(await page.evaluate(() => window.told), ["launcher", "widgetd launcher", "widgetd api"]);
});

inBrowser("where the widget is hidden, the page cannot ask behind the visitor's back", {}, async ({ page, widget, model, wire }) => {
  await page.evaluate(() => {
    widgetd("hide");
    widgetd("send", "Hello?");
    widgetd("show");
  });
  await widget.launcher.click();
  await widget.hear("Mine?", HELLO);
  assert.deepEqual(model.questions, ["Mine?"]);
  assert.equal(wire.asked("/v1/widget/messages/stream").length, 1);
});

inBrowser("an avatar is shown, and is the only picture that is loaded", ({ site }) => ({ agent: { theme: { avatar: `${site.origin}/avatar.svg` } } }), async ({ page, site, widget }) => {
  await page.route("**/avatar.svg", (route) => route.fulfill({ contentType: "image/svg+xml", body: '<svg xmlns="http://www.w3.org/2000/svg" width="36" height="36"/>' }));
  await page.reload();
  await widget.open();
  await eventually(() => widget.find("img.avatar").evaluate((image) => image.complete && image.naturalWidth === 36));
  assert.equal(await widget.find("img").count(), 1);
  assert.equal(await widget.find("img").getAttribute("alt"), "");
});
