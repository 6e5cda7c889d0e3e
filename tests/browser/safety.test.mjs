/** Whatever a model, a visitor or a configuration says is text: nothing of it runs, loads or leaves the page. */

import assert from "node:assert/strict";

import { inBrowser } from "./support/scene.mjs";

/** `${away}` is a place that must never hear of anything. */
const CORPUS = (away) => [
  "<script>window.ran = 1</script>",
  "<img src=x onerror=\"window.ran = 1\">",
  `<img src="${away}/img">`,
  "<svg onload=\"window.ran = 1\"><animate onbegin=\"window.ran = 1\"></svg>",
  `<iframe src="javascript:parent.ran = 1"></iframe><iframe src="${away}/frame"></iframe>`,
  `<style>@import "${away}/style"; * { display: none }</style>`,
  `<link rel="stylesheet" href="${away}/link"><base href="${away}/">`,
  `<object data="${away}/object"></object><embed src="${away}/embed">`,
  `<form action="${away}/form"><button>Press</button></form>`,
  `<video src="${away}/video" autoplay></video><audio src="${away}/audio" autoplay></audio>`,
  "<details open ontoggle=\"window.ran = 1\"><summary>Open</summary></details>",
  "<math><mtext><img src=x onerror=\"window.ran = 1\"></mtext></math>",
  "</div></section><script>window.ran = 1</script>",
  "<!--><script>window.ran = 1</script>-->",
  "&lt;script&gt;window.ran = 1&lt;/script&gt; &#106;avascript:window.ran=1",
  "<template shadowrootmode=\"open\"><script>window.ran = 1</script></template>",
  `![picture](${away}/markdown.png?secret=1)`,
  `![picture](${away}/titled.png "a title")`,
  `[![inner](${away}/inner.png)](${away}/outer)`,
  `![data](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIj4=)`,
  `<${away}/autolink>`,
  "[click](javascript:window.ran=1)",
  "[click](JaVaScRiPt:window.ran=1)",
  "[click](\u0001javascript:window.ran=1)",
  "[click](java\tscript:window.ran=1)",
  "[click](java&#10;script:window.ran=1)",
  "[click](&#106;avascript:window.ran=1)",
  "[click]( javascript:window.ran=1)",
  "[click](<javascript:window.ran=1>)",
  "[click](vbscript:msgbox(1))",
  "[click](data:text/html,<script>window.ran=1</script>)",
  "[click](data:text/html;base64,PHNjcmlwdD53aW5kb3cucmFuPTE8L3NjcmlwdD4=)",
  "[click](file:///etc/passwd)",
  "[click](blob:https://example.com/1)",
  "[click](view-source:https://example.com)",
  "[bank](https://bank.example@evil.example/)",
  "[bank](https://user:pass@evil.example/)",
  "https://user:pass@evil.example/bare",
  "[relative](//evil.example/x) [path](/admin) [hash](#x)",
  "[break](https://example.com/\"onmouseover=\"window.ran=1)",
  "[break](https://example.com/'onmouseover='window.ran=1)",
  "[break](https://example.com \"t\" onmouseover=window.ran=1)",
  "[x]: javascript:window.ran=1\n\n[x][x] [x]",
  "`<script>window.ran = 1</script>` and ```<img src=x onerror=window.ran=1>```",
  "```html\n<script>window.ran = 1</script>\n```",
  "```\" onmouseover=\"window.ran=1\nx\n```",
  "| <img src=x onerror=window.ran=1> | b |\n|---|---|\n| [x](javascript:window.ran=1) | <script>window.ran=1</script> |",
  "# <img src=x onerror=window.ran=1>",
  "> <script>window.ran = 1</script>",
  "- <img src=x onerror=window.ran=1>\n  - [x](javascript:window.ran=1)",
  "${window.ran = 1} {{constructor.constructor('window.ran = 1')()}}",
  "\u202Ejavascript:window.ran=1\u202C \u0000<script\u0000>window.ran=1</script>",
  "<a href=\"javascript:window.ran=1\" style=\"position:fixed;inset:0\">x</a>",
  "[constructor](__proto__) [__proto__](constructor:x)",
];

const TAGS = "A B BLOCKQUOTE BR BUTTON CODE DEL DIV EM FORM H2 H3 H4 H5 H6 HEADER HR INPUT LABEL LI OL OPTION P PATH PRE SECTION SELECT SPAN STRONG SVG TABLE TBODY TD TEXTAREA TH THEAD TR UL".split(" ");

/** What is in the widget that must not be. */
function strangers(page) {
  return page.evaluate((tags) => {
    const root = document.querySelector("#widgetd").shadowRoot;
    const found = [];
    if ("ran" in window) found.push("a script ran");
    for (const node of root.querySelectorAll("*")) {
      if (!tags.includes(node.tagName.toUpperCase())) found.push(node.outerHTML);
      for (const { name, value } of node.attributes) {
        if (name.startsWith("on") || (name === "style" && node.closest(".log"))) found.push(`${name}="${value}" of ${node.tagName}`);
      }
    }
    for (const link of root.querySelectorAll("a")) {
      if (!/^(https?|mailto|tel):$/.test(link.protocol) || link.username || link.password) found.push(link.outerHTML);
      for (const word of ["noopener", "noreferrer", "nofollow", "ugc"]) if (!link.relList.contains(word)) found.push(`no ${word}: ${link.outerHTML}`);
      if (link.origin !== location.origin && link.target !== "_blank") found.push(`no target: ${link.outerHTML}`);
    }
    return found;
  }, TAGS);
}

/** Requests to anywhere but the site's page and the widget's API. */
function watchRequests({ page, site, wire }) {
  const away = [];
  page.on("request", (request) => {
    const url = request.url();
    if (url !== `${site.origin}/` && !url.startsWith(`${wire.origin}/`)) away.push(url);
  });
  page.on("dialog", (dialog) => away.push(`a dialog: ${dialog.message()}`));
  return away;
}

// The page has no policy, so that whatever is let through does its worst.
inBrowser("what a model says stays text, however it was said, and so it does after a reload", { config: { budget: { messages: 1000, tokens: 10_000_000 } } }, async (scene) => {
  const { page, widget, model } = scene;
  const away = watchRequests(scene);
  await widget.open();
  for (const [number, text] of CORPUS("http://away.invalid").entries()) {
    // In pieces that cut every tag and every address.
    model.next(text.match(/[^]{1,5}/gu));
    await widget.ask(`Question ${number}`);
    await widget.find(`.msg:nth-last-child(1) .after .copy`).waitFor();
    assert.deepEqual(await strangers(page), [], text);
  }
  const before = await widget.answers();
  await page.reload();
  await widget.find(".msg.bot").nth(10).waitFor();
  assert.deepEqual(await strangers(page), []);
  assert.deepEqual((await widget.answers()).slice(-10), before.slice(-10));
  for (const link of await widget.find(".msg a").all()) await link.hover();
  assert.deepEqual(away, []);
});

inBrowser("what a visitor writes stays exactly what was written", { config: { budget: { messages: 1000, tokens: 10_000_000 } } }, async (scene) => {
  const { page, widget } = scene;
  const away = watchRequests(scene);
  await widget.open();
  const written = CORPUS("http://away.invalid").filter((text) => !/[\u0000-\u0008]/.test(text)).map((text) => text.trim());
  for (const text of written) await widget.hear(text, "Hello from the scripted model.");
  const shown = () => widget.find(".msg.user .body").evaluateAll((bodies) => bodies.map((body) => [body.textContent, body.childElementCount]));
  assert.deepEqual(await shown(), written.map((text) => [text, 0]));
  assert.deepEqual(await strangers(page), []);
  await page.reload();
  await widget.find(".msg.user").nth(10).waitFor();
  const last = written.slice(-10).map((text) => [text, 0]);
  assert.deepEqual((await shown()).slice(-10), last);
  assert.deepEqual(await strangers(page), []);
  assert.deepEqual(away, []);
});

const BAD = "<img src=x onerror=\"window.ran = 1\">";
const configured = {
  agent: {
    name: BAD,
    greeting: `${BAD}\n\n[x](javascript:window.ran=1)`,
    starter_prompts: [BAD],
    theme: { launcher_label: BAD.slice(0, 30) },
    strings: { placeholder: BAD, send: `" onclick="window.ran=1` },
    lead_form: { title: BAD, submit_label: BAD, consent: BAD, field: [{ key: "name", label: BAD }, { key: "kind", label: BAD, type: "select", options: [BAD] }] },
    rule: [{ id: "now", trigger: "url", pattern: "/*", action: "card", title: BAD, text: BAD, button: [{ label: BAD, does: "dismiss" }] }],
  },
};
inBrowser("what an owner configures stays text", configured, async (scene) => {
  const { page, widget } = scene;
  const away = watchRequests(scene);
  await widget.find(".card").waitFor();
  assert.deepEqual(await strangers(page), []);
  await widget.open();
  await widget.find(".lead-open").click();
  await widget.form.waitFor();
  assert.deepEqual(await strangers(page), []);
  assert.deepEqual(away, []);
});

inBrowser("what a page sets by the command stays text, and a colour can bring no style along", {}, async (scene) => {
  const { page, widget } = scene;
  const away = watchRequests(scene);
  await page.evaluate((bad) => {
    const theme = { accent: "red;}*{background:url(http://away.invalid/theme)}", color: "url(http://away.invalid/color)" };
    window.widgetd("set", { theme, name: bad, greeting: bad, strings: { launcher: bad } });
  }, BAD);
  await widget.open();
  assert.deepEqual(await strangers(page), []);
  assert.deepEqual(away, []);
});

inBrowser("a link to another site opens in a tab that cannot reach back, and learns nothing", {}, async (scene) => {
  const { page, widget, model, site, context } = scene;
  const other = site.origin.replace("127.0.0.1", "localhost");
  site.page("/read", { tags: "" });
  model.next(`Read [this](${other}/read).`);
  await widget.open();
  await widget.hear("Where?", "Read this.");
  const [opened] = await Promise.all([context.waitForEvent("page"), widget.find(".msg a").click()]);
  await opened.waitForLoadState();
  assert.deepEqual(await opened.evaluate(() => [window.opener, document.referrer]), [null, ""]);
  assert.equal(page.url(), `${site.origin}/`);
});
