// Reads one answer with npm's eventsource: prints its events, [[name, data], …].
import { EventSource } from "eventsource";
import { init, url } from "./question.mjs";

const source = new EventSource(url, {
  fetch: (input, own) => fetch(input, { ...own, ...init, headers: { ...own.headers, ...init.headers } }),
});
const events = [];
for (const name of ["message", "start", "token", "done", "error"]) {
  source.addEventListener(name, (event) => {
    // Without data it is the client's own: the end of the connection, which would have it ask again.
    if (event.data !== undefined) events.push([event.type, event.data]);
    else source.close();
    if (source.readyState === EventSource.CLOSED) console.log(JSON.stringify(events));
  });
}
