// Reads one answer with npm's @microsoft/fetch-event-source: prints its events, [[name, data], …].
import { fetchEventSource } from "@microsoft/fetch-event-source";
import { init, url } from "./question.mjs";

// It is made for a browser.
globalThis.window = globalThis;
globalThis.document = { addEventListener() {}, removeEventListener() {} };

const events = [];
await fetchEventSource(url, {
  ...init,
  onmessage: ({ event, data }) => events.push([event || "message", data]),
  onerror: (error) => {
    throw error;
  },
});
console.log(JSON.stringify(events));
