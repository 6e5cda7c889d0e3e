/**
 * Server-Sent Events out of the body of a `fetch` (WHATWG HTML, section 9.2.6), since `EventSource` can neither POST
 * nor send a bearer token. Knows framing alone: what an event means is for `client.js` to say.
 */

/** The server sends a comment every 15 s, so a stream that is silent for longer than this is dead. */
const SILENCE_MAX_MS = 45_000;

/**
 * A function that is fed text as it comes and returns the events that it completed, as `{ name, data }`.
 * An event without its closing empty line is never returned.
 */
export function sseParser() {
  let rest = "";
  let skipLineFeed = false;
  let name = "";
  let data = [];

  function takeLine(line, events) {
    if (line === "") {
      if (data.length > 0) events.push({ name: name || "message", data: data.join("\n") });
      name = "";
      data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field === "data") data.push(value);
    // A comment has an empty field name; `id` and `retry` are of no use without reconnecting.
  }

  return function push(text) {
    if (text === "") return [];
    // A CR ends its line at once, so that no event waits for the next chunk; its LF may come with that chunk.
    const chunk = skipLineFeed && text[0] === "\n" ? text.slice(1) : text;
    skipLineFeed = text.endsWith("\r");
    const lines = (rest + chunk).split(/\r\n|\r|\n/);
    rest = lines.pop();
    const events = [];
    for (const line of lines) takeLine(line, events);
    return events;
  };
}

/** The events of a response's body. Throws when the connection breaks or falls silent. */
export async function* readEvents(body, silenceMaxMs = SILENCE_MAX_MS) {
  const reader = body.getReader();
  // Keeps the beginning of a character until the rest of it arrives.
  const decoder = new TextDecoder();
  const push = sseParser();
  try {
    for (;;) {
      const { done, value } = await within(silenceMaxMs, reader.read());
      if (done) return;
      yield* push(decoder.decode(value, { stream: true }));
    }
  } finally {
    // Also when the caller stops listening: the server is to notice.
    reader.cancel().catch(() => {});
  }
}

function within(ms, promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing was heard for ${ms} ms`)), ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
