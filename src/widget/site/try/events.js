/** What the widget tells the page, as it comes, and the figures that follow from it or that its rules look at. */

import { byId, h } from "../element.js";
import { widgetd } from "../queue.js";
import { button, group } from "./controls.js";

const NAMES = ["ready", "open", "close", "message", "unread", "lead", "cta", "trigger", "navigate", "error", "reset"];
const ENTRIES_MAX = 200;

/** Listens from now on. */
export function eventsGroup() {
  const list = h("ol", { className: "try-events" });
  const log = h("div", { className: "try-log", tabIndex: 0, role: "log", "aria-live": "off", "aria-label": "Events" }, list);
  const figures = { ttft: figure("First token"), unread: figure("Unread"), depth: figure("Scrolled"), path: figure("Path") };

  function note(name, detail) {
    const time = new Date().toLocaleTimeString("en-GB");
    const rest = Object.keys(detail ?? {}).length ? JSON.stringify(detail) : "";
    list.append(h("li", {}, h("time", {}, time), h("b", {}, name), rest && h("code", {}, rest)));
    if (list.children.length > ENTRIES_MAX) list.firstChild.remove();
    log.scrollTop = log.scrollHeight;
    if (detail?.ttft !== undefined) figures.ttft.show(`${Math.round(detail.ttft)} ms`);
    if (name === "unread") figures.unread.show(detail.count);
    if (name === "navigate") showPlace();
  }

  /** What the triggers `scroll` and `url` compare. */
  function showPlace() {
    const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
    const way = scrollHeight - clientHeight;
    figures.depth.show(`${way > 0 ? Math.min(100, Math.round((100 * scrollTop) / way)) : 0} %`);
    figures.path.show(location.pathname);
  }

  // Its script may have been quicker than this one.
  if (byId("widgetd")) note("ready", { earlier: true });
  for (const name of NAMES) widgetd("on", name, (detail) => note(name, detail));
  addEventListener("scroll", showPlace, { passive: true });
  addEventListener("resize", showPlace);
  showPlace();
  return group(
    "What happens",
    h("dl", { className: "try-figures" }, ...Object.values(figures).map(({ node }) => node)),
    log,
    h("div", { className: "try-buttons" }, button("Clear the list", () => list.replaceChildren())),
  );
}

function figure(label) {
  const value = h("dd", {}, "–");
  return { node: h("div", {}, h("dt", {}, label), value), show: (text) => (value.textContent = text) };
}
