/**
 * Takes the pictures of the README, to be looked at before they are put there:
 *
 *   WIDGETD=target/release/widgetd node tests/browser/screenshots.mjs FOLDER
 */

import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

import { startServer } from "./support/server.mjs";

const QUESTION = "What is widgetd?";
const folder = process.argv[2];
if (!folder) throw new Error("write the folder for the pictures");
mkdirSync(folder, { recursive: true });

const agent = {
  id: "demo",
  name: "Kite helper",
  greeting: "Hello! Ask me about our kites.",
  allowed_origins: ["self"],
  models: ["builtin"],
  starter_prompts: ["Which kite is for beginners?", "How long is delivery?"],
  faq: [{ question: QUESTION, answer: "An AI chat server that **you host yourself**:\n\n- one binary\n- one SQLite file\n- any OpenAI-compatible model" }],
  lead_form: { title: "Shall we write to you?", consent: "You may store my address.", field: [{ key: "name", label: "Your name" }] },
};
const server = await startServer({ agent: [agent] });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });

async function picture(name, { width, height, settings = {} }, act) {
  const context = await browser.newContext({ viewport: { width, height }, reducedMotion: "reduce", locale: "en-GB" });
  const page = await context.newPage();
  await page.goto(`${server.origin}/`);
  const find = (selector) => page.locator("#widgetd").locator(selector);
  await find(".launcher").waitFor();
  await page.evaluate((patch) => widgetd("set", patch), settings);
  await find(".launcher").click();
  await act(page, find);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await context.close();
}

async function chat(page, find) {
  await find(".composer textarea").fill(QUESTION);
  await find(".send").click();
  await find(".msg.bot .copy").waitFor();
}

const form = async (page, find) => {
  await find(".lead-open").click();
  await find("form.lead").waitFor();
};
const DESKTOP = { width: 1000, height: 700 };
const PHONE = { width: 390, height: 700 };
try {
  await picture("chat", DESKTOP, chat);
  await picture("lead", DESKTOP, form);
  await picture("dark", { ...DESKTOP, settings: { theme: { mode: "dark" } } }, chat);
  await picture("phone", PHONE, chat);
  await picture("phone-form", { ...PHONE, settings: { theme: { mode: "dark" } } }, form);
  await picture("rtl", { ...DESKTOP, settings: { language: "ar", direction: "rtl", greeting: "مرحبا! كيف أساعدك؟" } }, chat);
} finally {
  await browser.close();
  await server.stop();
}
