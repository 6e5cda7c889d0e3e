/** Debian's Chromium, started once for a file of tests, and what its pages complain about. */

import { after } from "node:test";

import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let browser = null;

/** A profile of its own: nothing stored, nothing cached. `options` are Playwright's. */
export async function newContext(options) {
  browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
  // Boxes and colours that are read in the middle of an animation are nobody's.
  return browser.newContext({ reducedMotion: "reduce", locale: "en-GB", viewport: { width: 1200, height: 800 }, ...options });
}

after(() => browser?.close());

/**
 * Errors and warnings of the console, exceptions that nobody caught, and violations of a policy (of which the console tells), of
 * all pages of a context. A test expects none, or says which.
 */
export class Complaints {
  #found = [];
  #expected = [];

  constructor(context) {
    context.on("console", (message) => {
      if (["error", "warning", "assert"].includes(message.type())) this.#found.push(`${message.type()}: ${message.text()}`);
    });
    context.on("weberror", (error) => this.#found.push(`exception: ${error.error()}`));
  }

  /** Those that `pattern` fits are part of what is tested. */
  expect(pattern) {
    this.#expected.push(pattern);
  }

  all() {
    return [...this.#found];
  }

  unexpected() {
    return this.#found.filter((text) => !this.#expected.some((pattern) => pattern.test(text)));
  }
}
