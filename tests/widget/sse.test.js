/** Server-Sent Events as the server writes them: `src/widget/sse.js`. Run with `node --test tests/widget/`. */

import assert from "node:assert/strict";
import test from "node:test";

import { readEvents } from "../../src/widget/sse.js";

const EVENTS = [{ type: "start" }, { type: "token", text: 'grüße 🚀 e\u0301 "data: x"' }];

/** A stream as the server writes it, with `end` as the end of a line. */
function written(end) {
  const [start, token] = EVENTS.map((event) => JSON.stringify(event));
  return ["event: start", `data: ${start}`, "", ": ping", "", "event: token", `data: ${token}`, "", ""].join(end);
}

/** A body that gives `bytes` in chunks of `size`. */
function body(bytes, size) {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + size));
      at += size;
    },
  });
}

async function collected(stream, silenceMaxMs) {
  const events = [];
  for await (const event of readEvents(stream, silenceMaxMs)) events.push(event);
  return events;
}

const collect = (text, size = 1) => collected(body(new TextEncoder().encode(text), size));

for (const [label, end] of Object.entries({ LF: "\n", CRLF: "\r\n", CR: "\r" })) {
  test(`lines that end in ${label} are understood, wherever the chunks are cut`, async () => {
    const { length } = new TextEncoder().encode(written(end));
    for (let size = 1; size <= length; size += 1) {
      assert.deepEqual(await collect(written(end), size), EVENTS, `chunks of ${size} bytes`);
    }
  });
}

test("comments, names and unknown fields say nothing, and what was cut off is none", async () => {
  for (const text of [": x\nid: 1\nretry: 5\nevent: token\n\n", "data: {}", ""]) {
    assert.deepEqual(await collect(text), [], JSON.stringify(text));
  }
  assert.deepEqual(await collect("data:1\n\ndata:  2\n\n"), [1, 2]);
});

test("a byte order mark is not part of the first field", async () => {
  assert.deepEqual(await collect("\ufeffdata: 1\n\n"), [1]);
});

test("what is no JSON is an error, not a silence", async () => {
  await assert.rejects(collect("data: {\n\n"));
});

test("a stream that falls silent is given up and closed", async () => {
  let isCancelled = false;
  const silent = new ReadableStream({ cancel: () => void (isCancelled = true) });
  await assert.rejects(collected(silent, 10));
  assert.ok(isCancelled);
});

test("a reader that stops listening closes the stream", async () => {
  let cancel;
  const cancelled = new Promise((resolve) => (cancel = resolve));
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: 1\n\n")),
    cancel,
  });
  for await (const event of readEvents(endless)) {
    assert.equal(event, 1);
    break;
  }
  await cancelled;
});
