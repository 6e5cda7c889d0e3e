/** The commands that a page may give the widget, each behind a button. */

import { h } from "../element.js";
import { widgetd } from "../queue.js";
import { button, group } from "./controls.js";
import { agent, change } from "./settings.js";

let cards = 0;

/** A card is what a rule does: this one is due at once, on any page. Each time it is another, so that no cap holds it back. */
function showCard() {
  const rule = {
    id: `try-card-${++cards}-${Date.now()}`,
    trigger: "url",
    pattern: "*",
    paths: [],
    priority: 1000,
    max_per_visitor: 1,
    action: "card",
    title: "Rather talk to a person?",
    text: "Leave your address, and somebody will write to you.",
    buttons: [
      { label: "Leave my address", does: "lead_form" },
      { label: "Not now", does: "dismiss" },
    ],
  };
  widgetd("close");
  change({ rules: [...agent().rules.filter(({ id }) => !id.startsWith("try-card-")), rule] });
}

export function actionsGroup() {
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
