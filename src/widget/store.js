/**
 * What the browser remembers of a visitor, as JSON. Browsers may refuse their storage at any call (blocked cookies, a full
 * disk): then it is remembered for as long as the page is open.
 */

import { agentId } from "./page.js";

const PREFIX = `widgetd:${agentId}:`;
const memory = {};

/** Null if it is not there. `area` is where to look: what all tabs know, or what this one does. */
export function recall(key, area = "localStorage") {
  let found;
  try {
    // Other tabs may have changed it.
    found = JSON.parse(window[area].getItem(PREFIX + key));
  } catch {
    // It was never taken.
  }
  return found ?? memory[key] ?? null;
}

/** Null forgets it. */
export function remember(key, value, area = "localStorage") {
  memory[key] = value;
  try {
    if (value === null) window[area].removeItem(PREFIX + key);
    else window[area].setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // It stays in memory.
  }
}

/** Whether an event of the window says that another tab has changed this. */
export function isAbout(key, event) {
  return event.key === PREFIX + key;
}
