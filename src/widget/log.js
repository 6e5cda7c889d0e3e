/**
 * The messages in the panel. Follows the newest one unless the visitor has scrolled up to read. An answer is painted at most
 * once a frame while it grows. Silent to screen readers: what they hear is said by `chat.js`.
 */

import { words } from "./agent.js";
import { button, h } from "./dom.js";
import { paint } from "./markdown.js";
import { jump, messages } from "./shell.js";

/** So close to the end, in pixels, counts as being there. */
const NEAR_END_PX = 60;
const COPIED_MS = 2000;

let follows = true;
let lastTop = 0;

/** Shows the end again, if that is where the visitor is. */
function follow() {
  if (follows) messages.scrollTop = messages.scrollHeight;
  jump.hidden = follows;
}

export function toEnd() {
  follows = true;
  follow();
}

/** Only a movement upwards lets go: text that grows also moves the end away, and nobody left. */
messages.onscroll = () => {
  const { scrollTop, scrollHeight, clientHeight } = messages;
  follows = scrollHeight - clientHeight - scrollTop < NEAR_END_PX || (follows && scrollTop >= lastTop);
  lastTop = scrollTop;
  jump.hidden = follows;
};

jump.onclick = () => {
  toEnd();
  messages.focus();
};

new ResizeObserver(follow).observe(messages);

export function add(node) {
  messages.append(node);
  follow();
  return node;
}

function addMessage(who, speaker) {
  const body = h("div", { className: "body", dir: "auto" });
  const message = add(h("div", `msg ${who}`, h("span", "sr", `${words(speaker)}: `), body));
  return [message, body];
}

/** What the visitor wrote, as it was written. */
export function addQuestion(text) {
  messages.querySelector(".starters")?.remove();
  addMessage("user", "you_said")[1].textContent = text;
  toEnd();
}

function copyButton(text) {
  const node = button("copy", copy, words("copy"));
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      node.textContent = words("copied");
      setTimeout(() => (node.textContent = words("copy")), COPIED_MS);
    } catch {
      // There is no clipboard on a plain-http page: what was meant is marked, for the keyboard.
      getSelection().selectAllChildren(node.closest(".code,.msg").querySelector("pre,.body"));
    }
  }
  return node;
}

/** An answer: its text as it grows, and beneath it what happened to it. */
export function addAnswer(whole = "") {
  const [message, body] = addMessage("bot", "assistant_said");
  let text = whole;
  let blocks = [];
  let frame = 0;
  let after = null;

  function show() {
    cancelAnimationFrame(frame);
    frame = 0;
    blocks = paint(body, text, blocks, copyButton);
    follow();
  }

  /** What stands beneath it. */
  function addAfter(...nodes) {
    after?.remove();
    after = h("div", "after", ...nodes);
    message.append(after);
    follow();
  }

  if (whole) show();
  return {
    text: () => text,
    /** As it is read, without the marks of Markdown. */
    spoken: () => body.innerText,
    isThere: () => message.isConnected,

    /** Back to nothing, waiting for the first word. */
    begin() {
      text = "";
      after?.remove();
      message.classList.add("busy");
      show();
    },

    append(piece) {
      text += piece;
      frame ||= requestAnimationFrame(show);
    },

    /** No more words will come. */
    end() {
      message.classList.remove("busy");
      show();
    },

    /** All is well. */
    conclude: (...actions) => addAfter(copyButton(text), ...actions),

    /** What happened, and what can be done about it. */
    note: (remark, ...actions) => addAfter(h("span", "note", remark), ...actions),

    /** Only the sentence is an alert: the count on a button must not be read out. */
    fail: (reason, ...actions) => addAfter(h("span", { className: "alert", role: "alert" }, reason), ...actions),
  };
}

/** The agent's suggestions. */
export function addStarters(prompts, onPick) {
  if (!prompts.length) return;
  const buttons = prompts.map((prompt) => button("starter", () => onPick(prompt), prompt));
  add(h("div", { className: "starters", role: "group", ariaLabel: words("suggestions") }, ...buttons));
}

export function clear() {
  messages.replaceChildren();
  follows = true;
}
