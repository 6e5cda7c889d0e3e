/**
 * The wire between the browser and widgetd: passes everything on and keeps a record of it, and breaks where a test says so.
 *
 *   wire.requests                              // {method, path, headers, body, at, status}, in their order; path without query
 *   wire.asked("/v1/widget/init")              // those to this path
 *   const answer = wire.nextAnswer(path);      // of the next request there
 *   answer.reset();  answer.end();             // breaks it where it is, or ends it as if that were all
 *   const go = wire.holdsNext(path);           // the next request there waits until go()
 *   wire.next(path, answering(401, {…}))       // the next request there is answered so, and widgetd never sees it
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
    await fault?.gate;
    if (fault?.instead) return fault.instead(response);
    fault?.meet?.(response);
    pass(upstream, request, body, response, record);
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
    nextAnswer(path) {
      let response;
      const cut = (close) => {
        // widgetd goes on until its end: it was the network that broke.
        response.wasCut = true;
        close();
      };
      faults.set(path, [...(faults.get(path) ?? []), { meet: (met) => (response = met) }]);
      return { reset: () => cut(() => response.socket.resetAndDestroy()), end: () => cut(() => response.end()) };
    },
    holdsNext(path) {
      let go;
      const gate = new Promise((resolve) => (go = resolve));
      faults.set(path, [...(faults.get(path) ?? []), { gate }]);
      return go;
    },
    next: (path, fault) => faults.set(path, [...(faults.get(path) ?? []), fault]),
    /** Until it is told otherwise, with null. */
    always: (path, fault) => lasting.set(path, fault),
    close() {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function pass(upstream, request, body, response, record) {
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
      if (!response.wasCut) response.write(chunk);
    });
    answer.on("end", () => !response.wasCut && response.end());
    answer.on("error", () => response.destroy());
  });
  onward.on("error", () => response.destroy());
  // Whoever hangs up on this side has hung up on the other.
  response.on("close", () => !response.wasCut && onward.destroy());
  onward.end(body);
}

export const answering = (status, body, headers = {}) => ({
  instead(response) {
    response.writeHead(status, { "Content-Type": "application/problem+json", ...CORS, ...headers });
    response.end(JSON.stringify(body));
  },
});

export const unreachable = { instead: (response) => response.socket.destroy() };
