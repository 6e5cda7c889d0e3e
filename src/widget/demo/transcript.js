/**
 * The messages on the page. Follows the newest one unless the visitor has scrolled up to read. An answer is painted at
 * most once a frame while it grows. Silent to screen readers: what they hear is said by `chat.js`.
 */

import { byId, button, element } from "./dom.js";
import { paint } from "./markdown.js";

/** So close to the end, in pixels, counts as being there. */
const NEAR_END_PX = 60;

export class Transcript {
  #log = byId("log");
  #jump = byId("jump");
  #follows = true;
  #lastTop = 0;

  constructor() {
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#jump.addEventListener("click", () => this.toEnd());
    new ResizeObserver(() => this.follow()).observe(this.#log);
  }

  get questions() {
    return this.#log.querySelectorAll(".question").length;
  }

  clear() {
    this.#log.replaceChildren();
    this.#follows = true;
  }

  setLanguage(language) {
    this.#log.lang = language;
  }

  /** What the visitor wrote, as it was written. */
  addQuestion(text) {
    this.#add("question", "You said:").body.textContent = text;
    this.toEnd();
  }

  addAnswer(text = "") {
    const answer = new Answer(this.#add("answer", "Assistant said:"), this);
    if (text) answer.append(text);
    return answer;
  }

  /** The agent's suggestions, as buttons. */
  addStarters(prompts, onPick) {
    if (prompts.length === 0) return;
    const buttons = prompts.map((prompt) => button(prompt, () => onPick(prompt), "button starter"));
    this.#log.append(element("div", { className: "starters", role: "group", ariaLabel: "Suggestions" }, ...buttons));
  }

  removeStarters() {
    this.#log.querySelector(".starters")?.remove();
  }

  #add(kind, speaker) {
    const body = element("div", { className: "body", dir: "auto" });
    const message = element("div", { className: `message ${kind}` });
    message.append(element("span", { className: "visually-hidden", lang: "en" }, speaker), body);
    this.#log.append(message);
    return { message, body };
  }

  toEnd() {
    this.#follows = true;
    this.follow();
  }

  /** Shows the end again, if that is where the visitor is. */
  follow() {
    if (this.#follows) this.#log.scrollTop = this.#log.scrollHeight;
    this.#jump.hidden = this.#follows;
  }

  /** Only a movement upwards lets go: text that grows also moves the end away, and nobody left. */
  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#log;
    const isNearEnd = scrollHeight - clientHeight - scrollTop < NEAR_END_PX;
    if (isNearEnd) this.#follows = true;
    else if (scrollTop < this.#lastTop) this.#follows = false;
    this.#lastTop = scrollTop;
    this.#jump.hidden = this.#follows || isNearEnd;
  }
}

/** One answer: its text, and beneath it what happened to it. */
class Answer {
  text = "";
  #parts;
  #transcript;
  #shown = [];
  #frame = null;
  #countdown = null;

  constructor(parts, transcript) {
    this.#parts = parts;
    this.#transcript = transcript;
  }

  /** As it is read, without the marks of Markdown. */
  get plainText() {
    return this.#parts.body.innerText;
  }

  get isOnPage() {
    return this.#parts.message.isConnected;
  }

  remove() {
    this.#parts.message.remove();
  }

  /** Back to nothing, waiting for the first word. */
  begin() {
    this.text = "";
    clearInterval(this.#countdown);
    this.#parts.message.querySelector(".aftermath")?.remove();
    this.#parts.message.classList.add("is-streaming");
    this.#paint();
  }

  append(text) {
    this.text += text;
    this.#frame ??= requestAnimationFrame(() => this.#paint());
  }

  /** No more words will come. */
  end() {
    this.#parts.message.classList.remove("is-streaming");
    this.#paint();
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#shown = paint(this.#parts.body, this.text, this.#shown);
    this.#transcript.follow();
  }

  /** A quiet remark, with something to do about it. */
  note(text, ...actions) {
    this.#addAftermath(element("p", { className: "note" }, text), actions);
  }

  /** A link-like button under the answer. */
  offer(label, onClick) {
    this.#addAftermath("", [button(label, onClick, "link-button")]);
  }

  /** Why there is no answer. Only the sentence is an alert: the count on the button must not be read out. */
  fail(text, ...actions) {
    this.#addAftermath(element("p", { className: "failure", role: "alert" }, text), actions);
  }

  /** A button that can be pressed after `wait` seconds, which it counts down. */
  retryButton(onClick, wait) {
    const node = button("Try again", onClick);
    const ready = performance.now() + wait * 1000;
    const tick = () => {
      // By the clock: a page in the background has few ticks.
      const left = Math.ceil((ready - performance.now()) / 1000);
      node.disabled = left > 0;
      node.textContent = left > 0 ? `Try again in ${left} s` : "Try again";
      if (left <= 0) clearInterval(this.#countdown);
    };
    this.#countdown = setInterval(tick, 250);
    tick();
    return node;
  }

  #addAftermath(text, actions) {
    this.#parts.message.append(element("div", { className: "aftermath", lang: "en" }, text, ...actions));
    this.#transcript.follow();
  }
}
