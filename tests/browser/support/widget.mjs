/** The widget as a visitor finds it on a page. CSS selectors reach through its shadow root. */

import assert from "node:assert/strict";

import { eventually } from "./patience.mjs";

export class Widget {
  constructor(page) {
    this.page = page;
    this.host = page.locator("#widgetd");
    this.wrapper = this.find(".w");
    this.launcher = this.find(".launcher");
    this.badge = this.find(".badge");
    this.nudge = this.find(".nudge");
    this.panel = this.find(".panel");
    this.log = this.find(".log");
    this.input = this.find(".composer textarea");
    this.send = this.find(".send");
    this.stop = this.find(".stop");
    this.closeButton = this.find("header .close");
    this.fresh = this.find("header .new");
    this.offline = this.find(".offline");
    this.jump = this.find(".jump");
    this.status = this.find(".status");
    this.form = this.find("form.lead");
    this.alert = this.find(".msg .alert");
    this.retry = this.find(".retry");
  }

  find(selector) {
    return this.host.locator(selector);
  }

  /** Opened by its launcher, with the greeting and the server's answer to it there. */
  async open() {
    const answered = this.page.waitForResponse((response) => response.url().endsWith("/v1/widget/init"));
    await this.launcher.click();
    await this.panel.waitFor();
    await answered;
  }

  async ask(text) {
    await this.input.fill(text);
    await this.input.press("Enter");
  }

  /** Asks, and waits until the whole answer is there. */
  async hear(question, answer) {
    await this.ask(question);
    await this.says(answer);
  }

  /** Until the newest answer is `text`, white space aside, and has ended. */
  async says(text) {
    const plain = (value) => value.replace(/\s+/g, " ").trim();
    await eventually(async () => {
      assert.equal(plain(await this.lastAnswer().innerText()), plain(text));
      assert.equal(await this.stop.isVisible(), false, "the answer has ended");
    });
  }

  lastAnswer() {
    return this.find(".msg.bot .body").last();
  }

  answers() {
    return this.find(".msg.bot .body").allInnerTexts();
  }

  questions() {
    return this.find(".msg.user .body").allInnerTexts();
  }

  /** What has the focus: a selector of the widget's element, or of the page's, or null for the page itself. */
  focus() {
    return this.page.evaluate(() => {
      const inner = document.activeElement?.shadowRoot?.activeElement;
      const focused = inner ?? document.activeElement;
      if (!focused || focused === document.body || focused === document.documentElement) return null;
      const name = focused.id ? `#${focused.id}` : [focused.localName, ...focused.classList].join(".");
      return inner ? `widget ${name}` : name;
    });
  }

  /** Runs `read` on an element, in the page. */
  async style(selector, property) {
    return this.find(selector).first().evaluate((node, name) => getComputedStyle(node).getPropertyValue(name), property);
  }
}
