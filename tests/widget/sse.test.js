/** The framing of Server-Sent Events: `src/widget/demo/sse.js`. Run with `node --test tests/widget/`. */

import assert from "node:assert/strict";
import test from "node:test";

import { readEvents, sseParser } from "../../src/widget/demo/sse.js";

const TEXT = 'grüße 🚀 e\u0301 "data: x"';

/** A stream as the server writes it, with `end` as the end of a line. */
function written(end) {
  const lines = ["event: start", 'data: {"a":1}', "", ": ping", "", "event: token", `data: ${TEXT}`, "", ""];
  return lines.join(end);
}

const EXPECTED = [
  { name: "start", data: '{"a":1}' },
  { name: "token", data: TEXT },
];

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

for (const [label, end] of Object.entries({ LF: "\n", CRLF: "\r\n", CR: "\r" })) {
  test(`lines that end in ${label} are understood, wherever the chunks are cut`, async () => {
    const bytes = new TextEncoder().encode(written(end));
    for (let size = 1; size <= bytes.length; size += 1) {
      assert.deepEqual(await collected(body(bytes, size)), EXPECTED, `chunks of ${size} bytes`);
    }
  });
}

test("the rules of framing", () => {
  const cases = [
    ["one space after the colon belongs to the framing", "data:a\n\ndata:  b\n\n", ["a", " b"]],
    ["several data lines are one text", "data: a\ndata:\ndata: b\n\n", ["a\n\nb"]],
    ["a line without a colon is a field without a value", "data\n\n", [""]],
    ["comments, ids and unknown fields say nothing", ": x\nid: 1\nretry: 5\nfoo: bar\n\n", []],
    ["an event without data is none", "event: token\n\n", []],
    ["an event that was cut off is none", "data: a\n\ndata: b\n", ["a"]],
    ["a colon in the value stays", "data: a: b\n\n", ["a: b"]],
  ];
  for (const [promise, text, wanted] of cases) {
    assert.deepEqual(sseParser()(text).map(({ data }) => data), wanted, promise);
  }
});

test("the name of an event is not kept for the next one", () => {
  const names = sseParser()("event: token\ndata: a\n\ndata: b\n\n").map(({ name }) => name);
  assert.deepEqual(names, ["token", "message"]);
});

test("an event is there with its last byte, also when that is a CR", () => {
  const push = sseParser();
  assert.deepEqual(push("data: a\r\n\r").map(({ data }) => data), ["a"]);
  assert.deepEqual(push("\ndata: b\r\n\r\n").map(({ data }) => data), ["b"]);
});

test("a byte order mark is not part of the first field", async () => {
  const bytes = new TextEncoder().encode("\ufeffdata: a\n\n");
  assert.deepEqual(await collected(body(bytes, 1)), [{ name: "message", data: "a" }]);
});

test("a stream that falls silent is given up and closed", async () => {
  let cancelled = false;
  const silent = new ReadableStream({ cancel: () => void (cancelled = true) });
  await assert.rejects(collected(silent, 10));
  assert.ok(cancelled);
});

test("a reader that stops listening closes the stream", async () => {
  let cancelled = false;
  const endless = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("data: a\n\n")),
    cancel: () => void (cancelled = true),
  });
  for await (const event of readEvents(endless)) {
    assert.equal(event.data, "a");
    break;
  }
  assert.ok(cancelled);
});
