/**
 * The wire between the browser and widgetd: passes everything on and keeps a record of it, and breaks where a test says so.
 *
 *   wire.requests                              // {method, path, headers, body, at, status}, in their order; path without query
 *   wire.asked("/v1/widget/init")              // those to this path
 *   wire.next(path, cutAfter("token", 2))      // the next answer there is reset after its second `token` event
 *   wire.next(path, endAfter("token", 2))      // … or ends like any other there
 *   wire.next(path, answering(401, {…}))       // … or is this, and widgetd never sees the request
 *   wire.always(path, unreachable)             // each connection that asks for it is closed (browsers try twice)
 */

import { createServer, request as ask } from "node:http";

const CORS = { "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After" };

export async function startWire() {
  const requests = [];
  const faults = new Map();
  const lasting = new Map();
  const open = new Set();
  let upstream;

  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const path = request.url.split("?")[0];
    const record = { method: request.method, path, headers: request.headers, body: body.toString(), at: Date.now() };
    requests.push(record);
    const fault = request.method === "OPTIONS" ? null : (faults.get(path)?.shift() ?? lasting.get(path));
    if (fault?.instead) return fault.instead(response);
    pass(upstream, request, body, response, record, fault?.onText);
  });
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    leadsTo: (origin) => (upstream = new URL(origin)),
    requests,
    asked: (path) => requests.filter((request) => request.path === path && request.method !== "OPTIONS"),
    next: (path, fault) => faults.set(path, [...(faults.get(path) ?? []), fault]),
    /** Until it is told otherwise, with null. */
    always: (path, fault) => lasting.set(path, fault),
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(upstream, request, body, response, record, onText) {
  const { hostname, port } = upstream;
  const onward = ask({ hostname, port, method: request.method, path: request.url, headers: request.headers, agent: false });
  onward.on("response", (answer) => {
    record.status = answer.statusCode;
    response.writeHead(answer.statusCode, answer.headers);
    response.flushHeaders();
    let text = "";
    answer.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (!record.tokenAt && text.includes("event: token")) record.tokenAt = Date.now();
      response.write(chunk);
      onText?.(text, response);
    });
    answer.on("end", () => response.end());
    answer.on("error", () => response.destroy());
  });
  onward.on("error", () => response.destroy());
  // Whoever hangs up on this side has hung up on the other.
  response.on("close", () => !response.wasCut && onward.destroy());
  onward.end(body);
}

const count = (text, event) => text.split(`event: ${event}\n`).length - 1;

/** widgetd goes on until its end: it was the network that broke. */
export const cutAfter = (event, times) => ({
  onText(text, response) {
    if (count(text, event) < times || response.wasCut) return;
    response.wasCut = true;
    response.write("", () => response.socket?.resetAndDestroy());
    response.write = () => true;
  },
});

export const endAfter = (event, times) => ({
  onText(text, response) {
    if (count(text, event) < times || response.wasCut) return;
    response.wasCut = true;
    response.end();
    response.write = () => true;
  },
});

export const answering = (status, body, headers = {}) => ({
  instead(response) {
    response.writeHead(status, { "Content-Type": "application/problem+json", ...CORS, ...headers });
    response.end(JSON.stringify(body));
  },
});

export const unreachable = { instead: (response) => response.socket.destroy() };
