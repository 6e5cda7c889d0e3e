/**
 * Tells the server what visitors do, in batches, never what they write. Says nothing of visitors whose browser asks for that
 * (Global Privacy Control). Losing an event is no reason to bother anyone.
 */

import { hasSession, post, randomId } from "./net.js";
import { listen, place } from "./page.js";

/** As many of the largest events as the 64 KiB hold that browsers keep of requests that outlive their page. */
const BATCH_MAX = 20;
/** The API takes no more. */
const PROPS_CHARS_MAX = 2048;
const QUEUE_MAX = 200;
const DELAY_MS = 2000;

const queue = [];
let timer = 0;

/** One of the API's types, with a few figures and names. */
export function track(type, props = {}) {
  if (navigator.globalPrivacyControl || queue.length >= QUEUE_MAX || JSON.stringify(props).length > PROPS_CHARS_MAX) return;
  queue.push({ id: randomId(), ts: new Date(), type, props, page: place() });
  timer ||= setTimeout(flush, DELAY_MS);
}

async function flush() {
  clearTimeout(timer);
  timer = 0;
  while (queue.length) {
    const events = queue.splice(0, BATCH_MAX);
    try {
      // A page may be left at any time.
      await post("events", { events }, { keepalive: true });
    } catch ({ status }) {
      // What the server will not have, it will not have later either.
      if (status === 422) continue;
      // Their ids make it safe to send them again, with whatever happens next.
      queue.unshift(...events);
      return;
    }
  }
}

/** A page that is hidden may not come back, and there is no time left to fetch a token. */
export function watchLeaving() {
  listen(document, "visibilitychange", () => {
    if (document.visibilityState === "hidden" && hasSession()) flush();
  });
}
