/** What a rule shows: a sentence or a card, in the bubble beside the launcher, or in the log if the panel is open. */

import { words } from "./agent.js";
import { button, h } from "./dom.js";
import { add } from "./log.js";
import { linkProperties, safeHref } from "./markdown.js";
import { bubble, isOpen, refocus, say } from "./shell.js";
import { track } from "./telemetry.js";

export const isShown = () => !bubble.hidden;

export function hide() {
  bubble.hidden = true;
}

export function dismiss() {
  hide();
  track("dismiss", { what: "nudge" });
}

function show(content) {
  const close = button("nudge-close", dismiss, "\u00d7");
  close.ariaLabel = words("close");
  bubble.replaceChildren(content, close);
  bubble.hidden = false;
}

/** `onPress` is what comes of it. */
export function showSentence(text, onPress) {
  show(button("nudge-open", onPress, text));
  say(text);
}

/** `onPress(button)` is told which of the card's buttons was pressed. */
export function showCard({ title, text, buttons }, onPress) {
  const press = (pressed) => {
    card.remove();
    hide();
    onPress(pressed);
    refocus();
  };
  const card = h(
    "div",
    { className: "card", role: "group", ariaLabel: title },
    h("strong", {}, title),
    h("p", {}, text),
    h("div", "buttons", ...buttons.map((spec, at) => button(at ? "" : "primary", () => press(spec), spec.label))),
  );
  if (isOpen()) add(card);
  else show(card);
  say(`${title} ${text}`);
}

/** Another site opens in a tab of its own, the page's own site in this one. */
export function follow(url) {
  const href = safeHref(new URL(url, location.href).href);
  if (href) window.open(href, linkProperties(href).target || "_self", "noopener");
}
