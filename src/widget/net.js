/**
 * The API: one conversation, its token, and every way in which a call can fail as one kind of error. Renews an expired token by
 * itself. Knows neither the page's elements nor what to tell a visitor.
 *
 * The token goes into the body of a `text/plain` request: so no browser asks for leave first (Fetch, "CORS-preflight fetch"),
 * which would cost a round trip before the first word.
 */

import { agentId, place, server } from "./page.js";
import { readEvents } from "./sse.js";
import { recall, remember } from "./store.js";

const BASE = `${server}/v1/widget/`;
/** How often a message is offered again while the server still ends the answer before it. */
const BUSY_ATTEMPTS_MAX = 5;

let session = null;
let opening = null;
/** Whether a fresh conversation was asked for and has not been given yet. */
let wantsFresh = false;

/**
 * `code` is one of the API's, or one of our own: `offline`, `unreachable`, `cut` (a stream that did not come to its end).
 * `retryAfter` is in seconds, 0 if unknown; `fields` is what was wrong with which field.
 */
function failure(code, retryAfter = 0, status, fields) {
  return { code, retryAfter, status, fields };
}

/** POSTs, and gives the response if it is a good one. */
async function call(path, body, options) {
  let response;
  try {
    response = await fetch(BASE + path, { method: "POST", credentials: "omit", body: JSON.stringify(body), ...options });
  } catch (error) {
    if (options?.signal?.aborted) throw error;
    throw failure(navigator.onLine ? "unreachable" : "offline");
  }
  if (response.ok) return response;
  // A proxy may have answered, so that nothing of the body can be relied upon.
  const { code, errors } = await response.json().catch(() => ({}));
  throw failure(code, Number(response.headers.get("Retry-After")) || 0, response.status, errors);
}

async function init() {
  const response = await call("init", {
    agent_id: agentId,
    visitor_id: recall("visitor"),
    new_conversation: wantsFresh,
    page: place(),
  });
  session = await response.json();
  wantsFresh = false;
  remember("visitor", session.visitor_id);
  return session;
}

/** A conversation with its token, as `/init` gives it: the visitor's latest, or a fresh one. */
export async function openSession(fresh) {
  if (fresh) {
    // Two calls may share one answer, but a fresh conversation is never an old one, whatever fails meanwhile.
    await opening?.catch(() => {});
    wantsFresh = true;
    session = null;
  }
  opening ??= init().finally(() => (opening = null));
  return opening;
}

export const hasSession = () => session !== null;

/** A call that needs the token. */
export async function post(path, body, options) {
  const { token } = session ?? (await openSession());
  try {
    return await call(path, { ...body, token }, options);
  } catch (error) {
    if (!/_token$/.test(error.code)) throw error;
    // Another call may have renewed it meanwhile.
    if (session.token === token) await openSession();
    return call(path, { ...body, token: session.token }, options);
  }
}

/** A stopped answer is noticed by the server within 2 s; until then the next message is refused. */
async function askPatiently(body, signal) {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      return await post("messages/stream", body, { signal });
    } catch (error) {
      if (error.code !== "generation_in_progress" || attempt === BUSY_ATTEMPTS_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, error.retryAfter * 1000));
    }
  }
}

/**
 * Sends a message and yields the events of its answer; returns after `done`. The same `id` again is the same message: it is
 * answered, and paid for, once. Rejects when `signal` is aborted.
 */
export async function* ask(content, id, signal) {
  const response = await askPatiently({ content, client_message_id: id, page: place() }, signal);
  try {
    for await (const event of readEvents(response.body)) {
      if (event.type === "error") throw failure(event.code, event.retry_after);
      yield event;
      if (event.type === "done") return;
    }
  } catch (error) {
    if (error?.code || signal.aborted) throw error;
    // Whether it was the network or a proxy that broke it: it was cut.
  }
  throw failure("cut");
}

/** A GET that a browser may keep and that tells of nobody. */
const get = (path) => fetch(`${BASE}${path}?agent_id=${agentId}`, { credentials: "omit" });

/** The agent's configuration; none if this page gets none, and then the console says why. */
export async function fetchAgent() {
  try {
    const response = await get("config");
    if (response.ok) return await response.json();
  } catch {
    // A refused origin may not even read the refusal.
  }
  return tellWhy();
}

/** Whoever set the widget up reads here what to change. */
export async function tellWhy() {
  let reason = `${server} cannot be reached`;
  try {
    const { hint, detail } = await (await get("check")).json();
    reason = hint ? `${hint} in widget.toml` : (detail ?? "the server is busy");
  } catch {
    // There is nothing more to say.
  }
  console.error(`widgetd: agent "${agentId}" cannot be used on ${location.origin}: ${reason}`);
}

/** For messages and events. `crypto.randomUUID` is missing on plain-http pages. */
export function randomId() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}
