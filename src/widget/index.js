/**
 * The script behind the tag: fetches the looks of the agent that is meant, and puts the widget on the page, once. Whatever the
 * page says to `window.widgetd` before that is kept and done then.
 */

import { fetchAgent } from "./net.js";
import { agentId, emit, on } from "./page.js";
import { commands, start } from "./widget.js";

let isReady = false;
const early = window.widgetd?.q ?? [];
const late = [];

function widgetd(command, ...rest) {
  if (command === "on") return on(...rest);
  if (!isReady) late.push([command, ...rest]);
  else if (Object.hasOwn(commands, command)) commands[command](...rest);
  else console.warn(`widgetd: there is no command "${command}"`);
}

async function boot() {
  window.widgetd = widgetd;
  for (const command of early) widgetd(...command);
  const config = await fetchAgent();
  if (!config) return;
  start(config);
  isReady = true;
  emit("ready");
  for (const command of late) widgetd(...command);
}

// A second tag makes no second widget.
if (!agentId) console.error('widgetd: the script tag does not say which agent is meant: add data-agent-id="…"');
else if (!window.widgetd?.isHere) {
  widgetd.isHere = true;
  boot();
}
