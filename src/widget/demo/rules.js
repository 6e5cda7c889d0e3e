/**
 * When the page does something of its own accord. Watches for the triggers of the agent's rules, and acts on one rule
 * at a time, the highest priority first; a rule acts once a page view and `max_per_visitor` times for a visitor.
 */

/** How often it is looked whether something is due, which is also how exact `idle` is. */
const TICK_MS = 1000;
const EVENT_TYPES = { scroll: "scroll_trigger", idle: "idle_trigger", exit_intent: "exit_intent", url: "url_trigger" };

/**
 * `isFree()` says whether the visitor may be interrupted, `act(rule)` does it and `track` reports it.
 * Returns `{ messages(count) }`, to be told how many messages the visitor has sent.
 */
export function watchRules(rules, { storage, isFree, act, track }) {
  const waiting = new Set(rules.filter((rule) => timesShown(storage, rule) < rule.max_per_visitor));
  const due = new Set();

  function notice(trigger, applies) {
    for (const rule of waiting) {
      if (rule.trigger !== trigger || !applies(rule)) continue;
      waiting.delete(rule);
      due.add(rule);
    }
    offer();
  }

  function offer() {
    const rule = highest([...due]);
    if (!rule || !isFree()) return;
    due.delete(rule);
    storage.set(`rule.${rule.id}`, timesShown(storage, rule) + 1);
    track(EVENT_TYPES[rule.trigger] ?? `custom.${rule.trigger}_trigger`, { rule: rule.id });
    act(rule);
  }

  watchScroll(() => notice("scroll", (rule) => scrolledPercent() >= rule.percent));
  watchIdle((seconds) => notice("idle", (rule) => seconds >= rule.seconds));
  watchExit(() => notice("exit_intent", () => true));
  notice("url", (rule) => pathMatches(rule.pattern, location.pathname));
  return { messages: (count) => notice("messages", (rule) => count >= rule.count) };
}

export function highest(rules) {
  return rules.reduce((best, rule) => (best && best.priority >= rule.priority ? best : rule), null);
}

/** `*` in the pattern stands for any run of characters. */
export function pathMatches(pattern, path) {
  const literals = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${literals.join(".*")}$`, "s").test(path);
}

function timesShown(storage, rule) {
  return Number(storage.get(`rule.${rule.id}`) ?? 0);
}

function watchScroll(react) {
  addEventListener("scroll", react, { passive: true });
}

function scrolledPercent() {
  const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
  const way = scrollHeight - clientHeight;
  return way > 0 ? (100 * Math.ceil(scrollTop)) / way : 0;
}

/** Calls `react` every second with the seconds since the visitor last did anything here. */
function watchIdle(react) {
  let last = performance.now();
  const signs = ["pointerdown", "pointermove", "keydown", "scroll", "touchstart"];
  for (const sign of signs) addEventListener(sign, () => (last = performance.now()), { passive: true, capture: true });
  setInterval(() => {
    if (document.visibilityState === "visible") react((performance.now() - last) / 1000);
  }, TICK_MS);
}

/** The pointer leaves upwards, to the tabs or the address. A finger has nowhere to leave to. */
function watchExit(react) {
  if (!matchMedia("(hover: hover) and (pointer: fine)").matches) return;
  document.documentElement.addEventListener("mouseleave", (event) => {
    if (event.clientY <= 0) react();
  });
}
