/**
 * The page that the widget is on: which agent it asked for, what it is told, and the end of all listening. There is one widget
 * on a page, so its parts are modules with a state of their own.
 */

/** Only while this script runs for the first time is it known which tag it came from. */
const tag = document.currentScript ?? document.querySelector("script[data-agent-id]");
const address = new URL(tag.src);

/** Whose API this script talks to: the one that it came from. */
export const server = address.origin;
/** Tag managers strip unknown attributes, so there are three ways to say it. */
export const agentId = tag.dataset.agentId ?? address.searchParams.get("agent") ?? window.widgetdSettings?.agentId;

/** The element that holds the widget. */
export const host = document.createElement("div");
host.id = "widgetd";
// A page's `* { … !important }` matches it; only its own style is stronger.
host.style.setProperty("all", "initial", "important");

const life = new AbortController();

/** Listens until the widget is destroyed. */
export function listen(target, type, listener, options) {
  target.addEventListener(type, listener, { signal: life.signal, ...options });
}

/** Does it every so many milliseconds until then. */
export function every(ms, action) {
  const timer = setInterval(() => (life.signal.aborted ? clearInterval(timer) : action()), ms);
}

/**
 * Puts the host on the page, beside the body, which some pages replace: then `onReplaced()` is told. Whoever removes the host
 * finds it there again, a moment later: a page that removes it at once, each time, must not be kept from all else.
 */
export function attach(onReplaced) {
  const { documentElement } = document;
  const append = () => host.isConnected || life.signal.aborted || documentElement.append(host);
  append();
  new MutationObserver((changes, observer) => {
    if (life.signal.aborted) return observer.disconnect();
    setTimeout(append);
    onReplaced();
  }).observe(documentElement, { childList: true });
}

/** Nothing is left behind, and the script may come again. */
export function destroy() {
  life.abort();
  window.widgetd = null;
  host.remove();
}

const listeners = {};

/** `listener(detail)` is told of every event of this name; the function that it gives ends that. */
export function on(name, listener) {
  (listeners[name] ??= new Set()).add(listener);
  return () => listeners[name].delete(listener);
}

/** What the page got wrong is told in the console, and stops nothing else. */
export function attempt(action, ...values) {
  try {
    action(...values);
  } catch (error) {
    console.error(error);
  }
}

/** Tells the listeners, and the page by an event of the host that bubbles. */
export function emit(name, detail = {}) {
  for (const listener of listeners[name] ?? []) attempt(listener, detail);
  host.dispatchEvent(new CustomEvent(`widgetd:${name}`, { detail, bubbles: true, composed: true }));
}

/** Where the visitor is. Queries are left out: they hold what is nobody's business. */
export function place() {
  const referrer = document.referrer ? new URL(document.referrer).origin : undefined;
  return { url: location.origin + location.pathname, title: document.title, referrer };
}
