/**
 * The script behind the tag: fetches the looks of the agent that is meant, and puts the widget on the page, once. Whatever the
 * page says to `window.widgetd` before that is kept and done then.
 */

import { fetchAgent } from "./net.js";
import { agentId, attempt, emit, on } from "./page.js";
import { commands, start } from "./widget.js";

/** What the page has said so far, until there is a widget to do it. */
let late = [];

function widgetd(...command) {
  const [name, ...rest] = command;
  if (name === "on") return on(...rest);
  if (late) late.push(command);
  else if (Object.hasOwn(commands, name)) attempt(commands[name], ...rest);
  else console.warn(`widgetd: there is no command "${name}"`);
}

async function boot() {
  const early = window.widgetd?.q ?? [];
  window.widgetd = widgetd;
  for (const command of early) widgetd(...command);
  const config = await fetchAgent();
  if (!config) return;
  start(config);
  const queued = late;
  late = null;
  emit("ready");
  for (const command of queued) widgetd(...command);
}

// A second tag makes no second widget.
if (!agentId) console.error('widgetd: add data-agent-id="AGENT" to the script tag');
else if (!window.widgetd?.isHere) {
  widgetd.isHere = true;
  boot();
}
