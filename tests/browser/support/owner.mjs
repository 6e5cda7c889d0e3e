/**
 * A scene for the owner's page: widgetd with a password, some visitors who were there, and the owner's browser. When the test has
 * ended, no page may have complained in the console.
 *
 *   asOwner("the sentence that is promised", { context: { javaScriptEnabled: false } }, async ({ page, owner }) => { … });
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { request } from "node:http";
import test from "node:test";

import { Complaints, newContext } from "./browser.mjs";
import { startModel } from "./model.mjs";
import { CEILING_MS } from "./patience.mjs";
import { startServer } from "./server.mjs";

export const PASSWORD = "correct horse battery staple";
const PICTURES = new URL("../../../target/browser/", import.meta.url).pathname;
const TIMEOUT_MS = 90_000;
const ORIGIN = "https://www.example.com";
const AGENTS = [
  { id: "demo", name: "Teapot helper", allowed_origins: [ORIGIN], models: ["scripted"] },
  { id: "shop", name: "Shop", allowed_origins: ["https://shop.example"], models: ["scripted"] },
];

export function asOwner(name, setting, body) {
  test(name, { timeout: TIMEOUT_MS }, async (t) => {
    const closing = [];
    let page = null;
    try {
      const model = await startModel();
      closing.push(() => model.close());
      const config = { ceiling: { currency: "EUR", cost_per_month: 50 }, agent: AGENTS };
      const priced = { name: "scripted", url: model.url, model: "scripted", input_price: 1.5, output_price: 6 };
      const server = await startServer({ ...config, model: [priced] });
      closing.push(() => server.stop());
      assert.equal(await server.commandBeside(PASSWORD, "admin", "set-password"), 0);
      const context = await newContext(setting.context);
      context.setDefaultTimeout(CEILING_MS);
      const complaints = new Complaints(context);
      page = await context.newPage();
      const scene = { model, server, context, page, complaints, owner: new Owner(page, server), visitor: () => visit(server) };
      await body(scene);
      assert.deepEqual(complaints.unexpected(), [], "the console stays silent");
    } catch (error) {
      mkdirSync(PICTURES, { recursive: true });
      const picture = `${PICTURES}${name.replace(/\W+/g, "-")}.png`;
      await page?.screenshot({ path: picture, timeout: 5000 }).then(() => t.diagnostic(`picture: ${picture}`), () => {});
      throw error;
    } finally {
      for (const close of closing.reverse()) await close();
    }
  });
}

/** What the owner does with the page. */
class Owner {
  constructor(page, server) {
    this.page = page;
    this.server = server;
  }

  async goes(path) {
    await this.page.goto(`${this.server.origin}${path}`);
  }

  async logsIn(password = PASSWORD) {
    await this.goes("/admin");
    await this.page.getByLabel("Password").fill(password);
    await this.page.getByRole("button", { name: "Log in" }).click();
  }

  async follows(section) {
    await this.page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: section }).click();
    await this.page.getByRole("heading", { level: 1, name: section }).waitFor();
  }

  /** The texts of the first column of links in the page's list. */
  async listed() {
    return this.page.locator("main table a").allInnerTexts();
  }
}

/** A visitor who speaks to the API. */
async function visit(server) {
  const { token } = await post(server, "/v1/widget/init", { agent_id: "demo" });
  return {
    says: (content) => post(server, "/v1/widget/messages", { content }, token),
    leaves: (lead) => post(server, "/v1/widget/leads", lead, token),
  };
}

function post(server, path, body, token) {
  const headers = { "Content-Type": "application/json", Origin: ORIGIN, ...(token && { Authorization: `Bearer ${token}` }) };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${server.origin}${path}`, { method: "POST", headers }, async (answer) => {
      let text = "";
      for await (const piece of answer) text += piece;
      resolve({ status: answer.statusCode, ...JSON.parse(text) });
    });
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}
