/**
 * Tells the server what visitors do, in batches, never what they write. Says nothing of visitors whose browser asks for that
 * (Global Privacy Control). Losing an event is no reason to bother anyone.
 */

import { hasSession, post, randomId } from "./net.js";
import { listen, place } from "./page.js";

const BATCH_MAX = 50;
const QUEUE_MAX = 200;
const DELAY_MS = 2000;

let queue = [];
let timer = 0;

/** One of the API's types, with a few figures and names. */
export function track(type, props = {}) {
  if (navigator.globalPrivacyControl) return;
  queue = [...queue, { id: randomId(), ts: new Date().toISOString(), type, props, page: place() }].slice(-QUEUE_MAX);
  timer ||= setTimeout(flush, DELAY_MS);
}

async function flush(options) {
  clearTimeout(timer);
  timer = 0;
  while (queue.length) {
    const events = queue.splice(0, BATCH_MAX);
    try {
      await post("events", { events }, options);
    } catch {
      // Their ids make it safe to send them again, with whatever happens next.
      queue.unshift(...events);
      return;
    }
  }
}

/**
 * A page that is hidden may not come back: `keepalive` lets the request outlive it. There is no time left to fetch a token.
 */
export function watchLeaving() {
  listen(document, "visibilitychange", () => {
    if (document.visibilityState === "hidden" && hasSession()) flush({ keepalive: true });
  });
}
