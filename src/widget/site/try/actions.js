/** The commands that a page may give the widget, each behind a button. */

import { h } from "../element.js";
import { widgetd } from "../queue.js";
import { button, group } from "./controls.js";
import { agent, change } from "./settings.js";

/** A card is what a rule does: this one is due at once, on any page, as often as one likes to see it. */
const CARD = {
  id: "try-card",
  trigger: "url",
  pattern: "*",
  paths: [],
  priority: 1000,
  max_per_visitor: 1_000_000,
  action: "card",
  title: "Rather talk to a person?",
  text: "Leave your address, and somebody will write to you.",
  buttons: [
    { label: "Leave my address", does: "lead_form" },
    { label: "Not now", does: "dismiss" },
  ],
};

function showCard() {
  widgetd("close");
  change({ rules: [...agent().rules.filter((rule) => rule !== CARD), CARD] });
}

export function actionsGroup() {
  // Once it is shown the rule goes, lest it greets one on every page.
  widgetd("on", "trigger", ({ rule }) => {
    if (rule === CARD.id) change({ rules: undefined });
  });
  return group(
    "Commands",
    h(
      "div",
      { className: "try-buttons" },
      button("Open", () => widgetd("open")),
      button("Close", () => widgetd("close")),
      button("Ask a question", () => widgetd("send", "What is widgetd?")),
      button("Write a draft", () => widgetd("prefill", "How do I put the chat on my site?")),
      button("Card with the lead form", showCard),
      button("New conversation", () => widgetd("reset")),
      button("Hide", () => widgetd("hide")),
      button("Show", () => widgetd("show")),
    ),
  );
}
