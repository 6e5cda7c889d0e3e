/** The strip below the chat for whoever evaluates it: what the last answer took, and how to talk to the API by hand. */

import { byId } from "./dom.js";

const COPIED_MS = 2000;
const number = (value) => value.toLocaleString("en");

export function showFirstToken(ms) {
  byId("first-token").textContent = `${Math.round(ms)} ms`;
}

export function showUsage({ input_tokens: input, output_tokens: output }) {
  byId("tokens").textContent = `${number(input)} in, ${number(output)} out`;
}

export function showBudget({ messages_remaining: messages, tokens_remaining: tokens }) {
  byId("budget").textContent = `${number(messages)} messages, ${number(tokens)} tokens`;
}

export function offerCurl(agentId) {
  byId("curl").textContent = curlSession(location.origin, agentId);
  byId("copy").addEventListener("click", copy);
}

async function copy({ currentTarget: button }) {
  try {
    await navigator.clipboard.writeText(byId("curl").textContent);
    button.textContent = "Copied";
  } catch {
    // There is no clipboard on a plain-http address in the local network.
    getSelection().selectAllChildren(byId("curl"));
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => (button.textContent = "Copy"), COPIED_MS);
}

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
    `  -d '{"content":"What is widgetd?"}'`,
  ].join("\n");
}
