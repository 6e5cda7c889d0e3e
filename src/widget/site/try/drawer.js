/** The drawer for whoever looks at widgetd: what can be set, done and seen of the widget. Not a part of the shop. */

import { byId, h } from "../element.js";
import { actionsGroup } from "./actions.js";
import { button } from "./controls.js";
import { eventsGroup } from "./events.js";
import { languageGroup } from "./language.js";
import { lookGroup } from "./look.js";
import { agent, loadAgent, undoAll, watch } from "./settings.js";
import { snippetsGroup } from "./snippets.js";

export function startTrying() {
  const drawer = byId("try");
  const opener = byId("try-open");
  const failure = h("p", { className: "try-note", role: "status" });
  let isLoaded = false;

  function open(isOpen) {
    drawer.hidden = !isOpen;
    opener.setAttribute("aria-expanded", isOpen);
    dock();
    if (isOpen && !isLoaded) load();
  }

  async function load() {
    isLoaded = true;
    failure.textContent = await loadAgent().then(() => "", ({ message }) => message);
  }

  /** In wide windows it stands at the side where the widget is not. */
  function dock() {
    const side = agent().theme.side === "left" ? "right" : "left";
    if (drawer.hidden) delete document.documentElement.dataset.try;
    else document.documentElement.dataset.try = side;
  }

  function close() {
    open(false);
    opener.focus();
  }

  drawer.append(
    h(
      "div",
      { className: "try-head" },
      h("h2", { id: "try-title" }, "Try it"),
      button("As configured", undoAll),
      button("Close", close),
    ),
    failure,
    actionsGroup(),
    eventsGroup(),
    lookGroup(),
    languageGroup(),
    snippetsGroup(),
  );
  opener.addEventListener("click", () => open(drawer.hidden));
  drawer.addEventListener("keydown", ({ key }) => {
    if (key === "Escape") close();
  });
  watch(dock);
}
