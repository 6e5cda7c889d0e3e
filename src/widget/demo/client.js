/**
 * The public API as the page uses it: one conversation, its token, and every way in which a call can fail as one
 * `ApiError`. Renews an expired token by itself. Knows neither the DOM nor what to tell a person (that is `words.js`).
 */

import { readEvents } from "./sse.js";

const BASE = "/v1/widget/";
/** How often a message is offered again while the server still ends the answer before it. */
const BUSY_ATTEMPTS_MAX = 5;

/**
 * `code` is one of the contract's, or one of the page's own: `offline`, `unreachable`, `cut` (a stream that did not
 * come to its end). `retryAfter` is in seconds; `fields` is the contract's `errors`.
 */
export class ApiError extends Error {
  constructor(code, { detail = "", retryAfter = null, requestId = "", fields = [] } = {}) {
    super(detail || code);
    Object.assign(this, { code, detail, retryAfter, requestId, fields });
  }
}

export class Client {
  #agentId;
  #storage;
  #session = null;
  #opening = null;

  constructor(agentId, storage) {
    this.#agentId = agentId;
    this.#storage = storage;
  }

  /** A conversation with its token: the visitor's latest, or a fresh one. The contract's answer to `init`. */
  async open({ fresh = false } = {}) {
    // Two calls may share one answer, but a fresh conversation is never an old one.
    if (fresh) await this.#opening?.catch(() => {});
    this.#opening ??= this.#init(fresh).finally(() => (this.#opening = null));
    return this.#opening;
  }

  async #init(fresh) {
    const response = await post("init", {
      agent_id: this.#agentId,
      visitor_id: this.#storage.get("visitor_id") ?? undefined,
      new_conversation: fresh,
      locale: navigator.language,
      page: page(),
    });
    if (!response.ok) throw await refusal(response);
    this.#session = await response.json();
    this.#storage.set("visitor_id", this.#session.visitor_id);
    return this.#session;
  }

  /**
   * Sends a message and yields the events of its answer; returns after `done`. `id` makes it safe to send the same
   * message again: the server answers it once. Aborting `signal` rejects with the signal's reason.
   */
  async *ask(content, id, signal) {
    const response = await this.#askPatiently({ content, client_message_id: id, page: page() }, signal);
    try {
      for await (const { data } of readEvents(response.body)) {
        const event = JSON.parse(data);
        if (event.type === "error") {
          throw new ApiError(event.code, { detail: event.detail, retryAfter: event.retry_after });
        }
        yield event;
        if (event.type === "done") return;
      }
    } catch (error) {
      if (error instanceof ApiError || signal.aborted) throw error;
      // What broke is told by `cut`, whether it was the network or a proxy.
    }
    throw new ApiError("cut");
  }

  /** A stopped answer is noticed by the server within 2 s; until then the next message is refused. */
  async #askPatiently(body, signal) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#call("messages/stream", body, { signal });
      } catch (error) {
        if (error.code !== "generation_in_progress" || attempt === BUSY_ATTEMPTS_MAX) throw error;
        await pause(error.retryAfter ?? 1, signal);
      }
    }
  }

  async leaveAddress(lead) {
    await this.#call("leads", { ...lead, page: page() });
  }

  /** `keepalive` lets the request outlive the page. */
  async report(events, { keepalive = false } = {}) {
    await this.#call("events", { events }, { keepalive });
  }

  async #call(path, body, options = {}) {
    const { token } = this.#session ?? (await this.open());
    try {
      return await authorized(path, body, token, options);
    } catch (error) {
      if (error.code !== "expired_token" && error.code !== "invalid_token") throw error;
      return await authorized(path, body, await this.#renewed(token), options);
    }
  }

  /** A token that is not `stale`. Another call may have fetched one meanwhile. */
  async #renewed(stale) {
    const session = this.#session.token === stale ? await this.open() : this.#session;
    return session.token;
  }
}

async function authorized(path, body, token, options) {
  const response = await post(path, body, { ...options, headers: { Authorization: `Bearer ${token}` } });
  if (!response.ok) throw await refusal(response);
  return response;
}

async function post(path, body, { headers = {}, ...options } = {}) {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
    credentials: "omit",
    cache: "no-store",
    ...options,
  };
  try {
    return await fetch(BASE + path, init);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(navigator.onLine ? "unreachable" : "offline");
  }
}

/** A refused response as an error. A proxy may have answered, so that nothing of the body can be relied upon. */
async function refusal(response) {
  const problem = await response.json().catch(() => ({}));
  const retryAfter = parseInt(response.headers.get("Retry-After") ?? "", 10);
  return new ApiError(problem.code ?? `http_${response.status}`, {
    detail: problem.detail,
    retryAfter: Number.isNaN(retryAfter) ? null : retryAfter,
    requestId: problem.request_id ?? response.headers.get("X-Request-Id") ?? "",
    fields: problem.errors,
  });
}

/** Where the visitor is. Queries are left out: they hold what is nobody's business. */
function page() {
  const referrer = URL.canParse(document.referrer) ? new URL(document.referrer).origin : undefined;
  return { url: location.origin + location.pathname, title: document.title, referrer };
}

function pause(seconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}

/** For messages and events. `crypto.randomUUID` is missing on a plain-http address in the local network. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
