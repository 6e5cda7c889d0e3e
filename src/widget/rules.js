/**
 * When the widget does something of its own accord. Watches for the triggers of the agent's rules, and acts on one rule at a
 * time, the highest priority first; a rule acts once a page view and `max_per_visitor` times for a visitor.
 */

import { agent } from "./agent.js";
import { every, listen } from "./page.js";
import { matchesAny } from "./paths.js";

/** How often it is looked whether something is due, which is also how exact `idle` is. */
const TICK_MS = 1000;

/**
 * `mayAct(rule)` says whether it fits now, `act(rule)` does it; `counts` remembers how often; `navigated()` is told of a new
 * address in the same page. Returns a function to be told how many messages were sent.
 */
export function watchRules({ counts, mayAct, act, navigated }) {
  let waiting = [];
  let due = [];
  let armed;
  let address = location.href;
  let lastSign = 0;

  /** A new page view. */
  function arm() {
    due = [];
    armed = agent.rules;
    waiting = armed.filter(({ id, paths, max_per_visitor: max }) => counts(id) < max && (!paths.length || matchesAny(paths)));
    lastSign = performance.now();
    notice("url", (rule) => matchesAny([rule.pattern]));
  }

  function notice(trigger, applies) {
    const isDue = (rule) => rule.trigger === trigger && applies(rule);
    due.push(...waiting.filter(isDue));
    waiting = waiting.filter((rule) => !isDue(rule));
    const [rule] = due.filter(mayAct).sort((one, other) => other.priority - one.priority);
    if (!rule) return;
    due = due.filter((other) => other !== rule);
    counts(rule.id, counts(rule.id) + 1);
    act(rule);
  }

  function look() {
    if (location.href !== address) {
      address = location.href;
      navigated();
      armed = null;
    }
    // Another page, or other rules.
    if (agent.rules !== armed) arm();
    const isSeen = document.visibilityState === "visible";
    notice("idle", (rule) => isSeen && performance.now() - lastSign >= rule.seconds * 1000);
  }

  listen(window, "scroll", () => notice("scroll", (rule) => scrolledPercent() >= rule.percent), { passive: true });
  for (const sign of ["pointerdown", "pointermove", "keydown", "scroll"]) {
    listen(window, sign, () => (lastSign = performance.now()), { passive: true, capture: true });
  }
  // The pointer leaves upwards, to the tabs or the address. A finger has nowhere to leave to.
  listen(document.documentElement, "mouseleave", ({ clientY }) => {
    if (clientY <= 0 && matchMedia("(hover: hover)").matches) notice("exit_intent", () => true);
  });
  if (window.navigation) listen(navigation, "navigatesuccess", look);
  every(TICK_MS, look);
  look();
  return (count) => notice("messages", (rule) => count >= rule.count);
}

function scrolledPercent() {
  // Without a doctype it is the body that scrolls.
  const { scrollHeight, clientHeight, scrollTop } = document.scrollingElement ?? document.documentElement;
  const way = scrollHeight - clientHeight;
  return way > 0 ? (100 * Math.ceil(scrollTop)) / way : 0;
}
