/** The Markdown that models write, as elements: the same whether it streamed in or was there at once. */

import assert from "node:assert/strict";

import { eventually } from "./support/patience.mjs";
import { inBrowser } from "./support/scene.mjs";

const DOCUMENT = `# First heading

## Second *heading*

A paragraph with **bold**, *italic*, ***both***, ~~struck~~, \`code\` and __also bold__, _also italic_.
Its second line.

Words like snake_case_name, 2*3*4 and file_name stay as they are; so do 5 * 3 and a_b.

- one
- two
  - inner one
  - inner two
- three with \`code\`

1. first
2. second
   1. inner

> A quote of
> two lines
>
> - and a list

\`\`\`js
const tea = "pot"; // <b>not bold</b>

done();
\`\`\`

---

| Pot | Price |
|:----|------:|
| Small *one* | 10 |
| Large | 20 |

[A link](https://example.com/a_b(c)?q=1#d) and https://example.com/bare_address. Also ![a picture](https://example.com/p.png), \\*escaped\\*.

Grüße, 你好, 👩‍👩‍👧‍👦 and مرحبا.
`;

const content = (widget) => widget.find(".msg.bot .body").last().evaluate((body) => body.innerHTML);

/** Cut everywhere: every character comes alone, or three at once. */
for (const size of [1, 3]) {
  inBrowser(`what streamed in by ${size} looks as it does after a reload`, {}, async ({ page, widget, model }) => {
    model.next(DOCUMENT.match(new RegExp(`[^]{1,${size}}`, "gu")));
    await widget.open();
    await widget.ask("All of it?");
    await widget.find(".msg.bot .after .copy").waitFor();
    const streamed = await content(widget);
    await page.reload();
    await widget.find(".msg.user").waitFor();
    assert.equal(await content(widget), streamed);
  });
}

inBrowser("each kind of block and of emphasis becomes its element", {}, async ({ page, widget, model }) => {
  model.next(DOCUMENT);
  await widget.open();
  await widget.ask("All of it?");
  await widget.find(".msg.bot .after .copy").waitFor();
  const texts = (selector) => widget.find(".msg.bot .body").last().locator(selector).allInnerTexts();

  // The page's own headings stay above.
  assert.equal(await widget.find(".body").last().locator("h1, h2").count(), 0);
  assert.deepEqual(await texts("h3"), ["First heading"]);
  assert.deepEqual(await texts("h4"), ["Second heading"]);
  assert.deepEqual(await texts("p strong"), ["bold", "both", "also bold"]);
  assert.deepEqual(await texts("p em"), ["italic", "both", "also italic"]);
  assert.deepEqual(await texts("em > strong, strong > em"), ["both"]);
  assert.deepEqual(await texts("del"), ["struck"]);
  assert.deepEqual(await texts(":scope > p > code"), ["code"]);
  const paragraphs = await texts(":scope > p");
  assert.match(paragraphs[0], /also italic\.\nIts second line\.$/);
  assert.equal(paragraphs[1], "Words like snake_case_name, 2*3*4 and file_name stay as they are; so do 5 * 3 and a_b.");
  assert.deepEqual((await texts("ul > li > ul > li")).map((text) => text.trim()), ["inner one", "inner two"]);
  assert.equal((await texts("ol > li")).length, 3);
  assert.deepEqual((await texts("ol > li > ol > li")).map((text) => text.trim()), ["inner"]);
  assert.equal((await texts("blockquote li"))[0].trim(), "and a list");
  assert.deepEqual(await texts("pre"), ['const tea = "pot"; // <b>not bold</b>\n\ndone();']);
  assert.equal((await texts("hr")).length, 1);
  assert.deepEqual(await texts("th"), ["Pot", "Price"]);
  assert.deepEqual(await texts("td"), ["Small one", "10", "Large", "20"]);
  const links = await widget.find(".msg.bot a").evaluateAll((all) => all.map((link) => [link.textContent, link.href]));
  assert.deepEqual(links, [
    ["A link", "https://example.com/a_b(c)?q=1#d"],
    ["https://example.com/bare_address", "https://example.com/bare_address"],
    ["a picture", "https://example.com/p.png"],
  ]);
  assert.equal(paragraphs.at(-1), "Grüße, 你好, 👩‍👩‍👧‍👦 and مرحبا.");
  assert.ok(paragraphs.at(-2).endsWith("*escaped*."));
  assert.equal(await page.locator("#widgetd img").count(), 0);
});

inBrowser("what is finished keeps its elements while the rest streams in, so a selection survives", {}, async ({ page, widget, model }) => {
  const answer = model.nextHolds("The first paragraph.\n\n```\nthe code\n```\n\nThe second");
  await widget.open();
  await widget.ask("All of it?");
  const body = widget.lastAnswer();
  await body.locator("p").nth(1).waitFor();
  await body.evaluate((node) => getSelection().selectAllChildren(node.querySelector("p")));
  await body.evaluate((node) => [...node.children].slice(0, 2).forEach((child) => (child.isTheSame = true)));
  answer.finish(" paragraph, and\n\n- a list");
  await body.locator("li").waitFor();
  assert.deepEqual(await body.evaluate((node) => [...node.children].map((child) => child.isTheSame === true)), [true, true, false, false]);
  assert.equal(await page.evaluate(() => getSelection().toString()), "The first paragraph.");
});

const clipboard = { context: { permissions: ["clipboard-read", "clipboard-write"] } };
inBrowser("an answer and a block of code can be copied, as they were written", clipboard, async ({ page, widget, model }) => {
  model.next("**Bold**:\n\n```\n  the code\n```");
  await widget.open();
  await widget.hear("Code?", "Bold: the code Copy");
  const copied = () => page.evaluate(() => navigator.clipboard.readText());
  await widget.find(".body .copy").click();
  await eventually(async () => assert.equal(await copied(), "  the code"));
  await widget.find(".after .copy").click();
  await eventually(async () => assert.equal(await copied(), "**Bold**:\n\n```\n  the code\n```"));
});

inBrowser("where there is no clipboard, what was to be copied is selected", {}, async ({ page, widget, model }) => {
  await page.evaluate(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  model.next("Some words.");
  await widget.open();
  await widget.hear("Words?", "Some words.");
  await widget.find(".after .copy").click();
  await eventually(async () => assert.equal(await page.evaluate(() => getSelection().toString().trim()), "Some words."));
});

/** Each makes a careless reader go back again and again. */
const SLOW = ["*a ", "[", "`", "> ", "- ", "**", "|", "_a", "[a](", "~~a", "https://a", "![", "\n> - ", "***a"];

inBrowser("a text made to be slow to read holds nobody up", {}, async ({ widget, model }) => {
  await widget.open();
  for (const piece of SLOW) {
    model.next(Array(20).fill(piece.repeat(100)));
    await widget.ask("Slow?");
    await widget.find(".msg:nth-last-child(1) .after .copy").waitFor();
  }
});
