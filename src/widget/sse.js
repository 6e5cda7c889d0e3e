/**
 * Server-Sent Events out of the body of a `fetch` (WHATWG HTML, section 9.2.6), since `EventSource` cannot POST. The server that
 * this script came from writes each event's data in one line of JSON, which says the event's type too; so that line is all that
 * is looked for.
 */

/** The server sends a comment every 15 s, so a stream that is silent for longer than this is dead. */
const SILENCE_MAX_MS = 45_000;

/** The data of the events of a response's body. Throws when the connection breaks or falls silent. */
export async function* readEvents(body, silenceMaxMs = SILENCE_MAX_MS) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await within(silenceMaxMs, reader.read());
      if (done) return;
      // Of a CR at the end it is not known yet whether an LF follows.
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) yield JSON.parse(line.slice(5));
      }
    }
  } finally {
    // Also when the caller stops listening: the server is to notice.
    reader.cancel().catch(() => {});
  }
}

function within(ms, promise) {
  let timer;
  const limit = new Promise((_, reject) => (timer = setTimeout(reject, ms)));
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
