/** The strip below the chat for whoever evaluates it: what the last answer took, and how to talk to the API by hand. */

import { byId } from "./dom.js";

const COPIED_MS = 2000;

export class Developer {
  #copy = byId("copy");
  #session = byId("curl");

  constructor(agentId) {
    this.#session.textContent = curlSession(location.origin, agentId);
    this.#copy.addEventListener("click", () => this.#copySession());
  }

  showFirstToken(ms) {
    byId("first-token").textContent = `${Math.round(ms)} ms`;
  }

  showUsage({ input_tokens: input, output_tokens: output }) {
    byId("tokens").textContent = `${number(input)} in, ${number(output)} out`;
  }

  showBudget({ messages_remaining: messages, tokens_remaining: tokens }) {
    byId("budget").textContent = `${number(messages)} messages, ${number(tokens)} tokens`;
  }

  async #copySession() {
    try {
      await navigator.clipboard.writeText(this.#session.textContent);
      this.#copy.textContent = "Copied";
    } catch {
      // There is no clipboard on a plain-http address in the local network.
      getSelection().selectAllChildren(this.#session);
      this.#copy.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (this.#copy.textContent = "Copy"), COPIED_MS);
  }
}

const number = (value) => value.toLocaleString("en");

function curlSession(origin, agentId) {
  const json = "  -H 'Content-Type: application/json' \\";
  return [
    "# a conversation and its token, which lasts an hour",
    `TOKEN=$(curl -s ${origin}/v1/widget/init \\`,
    json,
    `  -H 'Origin: ${origin}' \\`,
    `  -d '{"agent_id":"${agentId}"}' | jq -r .token)`,
    "",
    "# an answer, as it is generated",
    `curl -N ${origin}/v1/widget/messages/stream \\`,
    json,
    '  -H "Authorization: Bearer $TOKEN" \\',
    `  -d '{"content":"What is this?"}'`,
  ].join("\n");
}
