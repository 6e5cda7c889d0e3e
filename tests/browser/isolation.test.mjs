/** No rule of the page reaches in, and none of the widget's reaches out. */

import assert from "node:assert/strict";

import { inBrowser } from "./support/scene.mjs";

/** Everything, however unkind, that real sites have in their style sheets. */
const HOSTILE = `
  html { font-size: 62.5%; letter-spacing: 3px; word-spacing: 9px; line-height: 3; text-transform: uppercase; cursor: wait; direction: rtl;
         color: red; font-style: italic; visibility: hidden; text-align: center; quotes: none; tab-size: 1; white-space: nowrap; }
  *:not(html) { color: red !important; font: italic 40px serif !important; letter-spacing: 5px !important; text-transform: uppercase !important;
      background: yellow !important; border: 9px solid lime !important; border-radius: 0 !important; box-sizing: content-box !important;
      margin: 13px !important; padding: 17px !important; float: left !important; width: 50px !important; height: 50px !important;
      max-width: 60px !important; min-width: 10px !important; min-height: 5px !important; display: block !important; position: static !important;
      transform: rotate(3deg) !important; opacity: 0.5 !important; visibility: visible !important; z-index: 1 !important; overflow: hidden !important;
      animation: none !important; transition: all 9s !important; filter: blur(1px) !important; pointer-events: none !important;
      text-indent: 30px !important; text-shadow: 1px 1px lime !important; text-align: right !important; direction: rtl !important;
      white-space: nowrap !important; list-style: none !important; cursor: wait !important; user-select: none !important; line-height: 4 !important;
      box-shadow: 0 0 9px lime !important; outline: 9px solid lime !important; clip-path: inset(10px) !important; contain: strict !important;
      writing-mode: vertical-rl !important; zoom: 2 !important; mix-blend-mode: difference !important; perspective: 10px !important; }
  div, section, button, textarea, form, p { display: none !important; }
  #widgetd, html > div { display: none !important; inset: 0 !important; }
  div:empty { display: none !important; }
  ::placeholder { color: lime !important; }
  :focus { outline: none !important; }
  ::part(launcher) { display: none; }
`;

/** The computed styles of everything in the widget, and of the inside of a bubble. */
function stylesOf(page) {
  return page.evaluate(() => {
    const { shadowRoot } = document.querySelector("#widgetd");
    const pseudo = [null, "::before", "::after", "::placeholder"];
    // Where it stands follows from the window, which is the same, and from its parts, which are compared.
    return [...shadowRoot.querySelectorAll("*")].flatMap((node, number) =>
      pseudo.map((part) => {
        const style = getComputedStyle(node, part);
        const { x, y, width, height } = node.getBoundingClientRect();
        return { what: `${number} ${node.localName}.${node.className.baseVal ?? node.className}${part ?? ""}`, box: [x, y, width, height], style: Object.fromEntries([...style].map((name) => [name, style.getPropertyValue(name)])) };
      }),
    );
  });
}

function differences(kind, cruel) {
  assert.equal(kind.length, cruel.length, "the same elements");
  return kind.flatMap(({ what, style, box }, index) => [
    ...Object.keys(style).filter((name) => style[name] !== cruel[index].style[name]).map((name) => `${what}: ${name}: ${style[name]} became ${cruel[index].style[name]}`),
    ...(box.some((side, at) => Math.abs(side - cruel[index].box[at]) > 0.5) ? [`${what}: box ${box} became ${cruel[index].box}`] : []),
  ]);
}

const agent = {
  starter_prompts: ["Which?"],
  lead_form: { consent: "You may.", field: [{ key: "kind", label: "Kind", type: "select", options: ["A"] }, { key: "message", label: "Message", type: "textarea" }] },
  rule: [{ id: "two", trigger: "messages", count: 1, action: "card", title: "Half price", text: "Until Friday.", button: [{ label: "No", does: "dismiss" }] }],
};

async function populated({ page, widget, model }) {
  await widget.launcher.waitFor({ state: "attached" });
  model.next("**Bold** and `code`.\n\n- list\n\n> quote\n\n```\ncode\n```\n\n| a |\n|---|\n| 1 |");
  await page.evaluate(() => widgetd("open"));
  await page.evaluate(() => widgetd("send", "What?"));
  await widget.find(".log .card").first().waitFor();
  await widget.find(".lead-open").evaluate((button) => button.click());
  await widget.form.waitFor();
  await page.evaluate(() => document.querySelector("#widgetd").shadowRoot.activeElement?.blur());
  return stylesOf(page);
}

inBrowser("the unkindest style sheet of a page changes nothing in the widget, not even what is inherited", { agent, page: null }, async (scene) => {
  const { page, site, context } = scene;
  site.page("/kind", {});
  site.page("/cruel", { head: `<style>${HOSTILE}</style>`, html: 'lang="en" style="zoom: 1"' });
  await page.goto(`${site.origin}/kind`);
  const kind = await populated(scene);
  await page.evaluate(() => widgetd("destroy"));
  await context.clearCookies();
  await page.evaluate(() => [localStorage, sessionStorage].forEach((area) => area.clear()));
  await page.goto(`${site.origin}/cruel`);
  const cruel = await populated(scene);
  assert.ok(kind.length > 200, "there is something to compare");
  assert.deepEqual(differences(kind, cruel).slice(0, 20), []);
});

inBrowser("the widget changes no style and no box of the page, closed or open", { agent, page: null }, async (scene) => {
  const { page, site, widget } = scene;
  const body = '<main><h1>Teapots</h1><p class="panel msg log body">Text <a href="#">link</a></p><button class="launcher close send">Buy</button><form class="lead"><input><textarea></textarea><select><option>A</select></form><div class="card w nudge">Card</div><table><tr><td>1</table><pre><code>x</code></pre></main>';
  const read = () =>
    page.evaluate(() =>
      [document.documentElement, ...document.querySelectorAll("body, body *")].filter((node) => node.localName !== "script").map((node) => {
        const style = getComputedStyle(node);
        const { x, y, width, height } = node.getBoundingClientRect();
        return [node.localName, x, y, width, height, scrollX, scrollY, ...[...style].map((name) => `${name}: ${style.getPropertyValue(name)}`)];
      }),
    );
  site.page("/without", { body, tags: "" });
  site.page("/with", { body });
  await page.goto(`${site.origin}/without`);
  const without = await read();
  await page.goto(`${site.origin}/with`);
  await widget.launcher.waitFor();
  assert.deepEqual(await read(), without, "closed");
  await widget.open();
  assert.deepEqual(await read(), without, "open");
  await widget.closeButton.click();
  assert.deepEqual(await read(), without, "closed again");
});

inBrowser("one name of the page's is taken, and no other", { page: null }, async ({ page, site, widget }) => {
  const names = () => page.evaluate(() => Object.getOwnPropertyNames(window).filter((name) => !/^\d+$/.test(name)));
  site.page("/without", { tags: "" });
  await page.goto(`${site.origin}/without`);
  const without = new Set(await names());
  await page.goto(`${site.origin}/with`);
  await widget.open();
  const added = (await names()).filter((name) => !without.has(name));
  assert.deepEqual(added, ["widgetd"]);
});

inBrowser("the widget stands above whatever the page lays over itself", {}, async ({ page, widget }) => {
  await page.evaluate(() => {
    const cover = document.createElement("div");
    cover.style.cssText = "position: fixed; inset: 0; z-index: 2147483647; background: #fff";
    document.body.append(cover);
  });
  await widget.open();
  await widget.hear("Hello?", "Hello from the scripted model.");
});

inBrowser("custom properties that the page sets do not reach in, on a phone neither", { agent, context: { viewport: { width: 390, height: 760 } } }, async ({ page, widget }) => {
  await widget.open();
  const before = [await stylesOf(page), await widget.panel.boundingBox()];
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    const names = ["text", "quiet", "back", "soft", "line", "bad", "color", "on-color", "accent", "on-accent"];
    const lengths = ["radius", "x", "y", "height"];
    sheet.replaceSync(`* { ${names.map((name) => `--${name}: lime !important;`).join("")} ${lengths.map((name) => `--${name}: 77px !important;`).join("")} }`);
    document.adoptedStyleSheets = [sheet];
  });
  assert.deepEqual([await stylesOf(page), await widget.panel.boundingBox()], before);
});
