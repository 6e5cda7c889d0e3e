/**
 * Tells the server what visitors do, in batches, never what they write. Says nothing at all to visitors whose browser
 * asks for that (Global Privacy Control). Losing an event is no reason to bother anyone.
 */

import { randomId } from "./client.js";

const BATCH_MAX = 50;
const QUEUE_MAX = 200;
const DELAY_MS = 3000;

/** A function `track(type, props)`. */
export function startTelemetry(client) {
  if (navigator.globalPrivacyControl) return () => {};
  let queue = [];
  let timer = null;

  async function flush({ keepalive = false } = {}) {
    clearTimeout(timer);
    timer = null;
    while (queue.length > 0) {
      const batch = queue.splice(0, BATCH_MAX);
      try {
        await client.report(batch, { keepalive });
      } catch {
        // Their ids make it safe to send them again, with whatever happens next.
        queue = [...batch, ...queue].slice(-QUEUE_MAX);
        return;
      }
    }
  }

  addEventListener("pagehide", () => flush({ keepalive: true }));
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") flush({ keepalive: true });
  });

  return function track(type, props = {}) {
    queue.push({ id: randomId(), ts: new Date().toISOString(), type, props });
    queue = queue.slice(-QUEUE_MAX);
    timer ??= setTimeout(flush, DELAY_MS);
  };
}
