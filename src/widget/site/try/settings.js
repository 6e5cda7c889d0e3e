/**
 * What is being tried: the demo agent as it is configured, and what was changed of it here. A change goes to the widget at
 * once, by `widgetd("set", …)`, and to whoever shows the settings.
 */

import { widgetd } from "../queue.js";

/** What an agent has that configures nothing of it; the server's answer comes over it. */
let configured = {
  language: "en",
  direction: "ltr",
  greeting: "",
  strings: {},
  rules: [],
  theme: {
    accent: "#2563eb",
    color: "#2563eb",
    mode: "auto",
    side: "right",
    radius_px: 12,
    offset_x_px: 20,
    offset_y_px: 20,
    launcher_label: "",
    launcher_icon: "chat",
  },
};
let changed = { theme: {} };
const watchers = [];

/** Asks the server for the agent, as the widget does. Throws with what to tell if that fails; then the defaults stay. */
export async function loadAgent() {
  const response = await fetch("/v1/widget/config?agent_id=demo");
  if (!response.ok) throw new Error(`The agent’s configuration was refused (${response.status}): these are the defaults.`);
  const agent = await response.json();
  configured = { ...configured, ...agent, theme: { ...configured.theme, ...agent.theme } };
  tell();
}

/** The agent as the widget has it now. */
export function agent() {
  const theme = { ...configured.theme, ...changed.theme };
  // A colour that was not configured of its own is the accent.
  if (!changed.theme.color && configured.theme.color === configured.theme.accent) theme.color = theme.accent;
  return { ...configured, ...changed, theme };
}

/** Only what differs from the configuration. */
export const changes = () => changed;

export function changeTheme(part) {
  changed.theme = { ...changed.theme, ...part };
  widgetd("set", { theme: agent().theme });
  tell();
}

/** Members of the agent other than its theme; one that is undefined is as configured again. */
export function change(part) {
  changed = { ...changed, ...part };
  for (const key of Object.keys(part)) if (part[key] === undefined) delete changed[key];
  const now = agent();
  widgetd("set", Object.fromEntries(Object.keys(part).map((key) => [key, now[key]])));
  tell();
}

export function undoAll() {
  changed = { theme: {} };
  const { language, direction, greeting, strings, rules, theme } = configured;
  widgetd("set", { language, direction, greeting, strings, rules, theme });
  tell();
}

/** `watcher()` is called after every change, and now. */
export function watch(watcher) {
  watchers.push(watcher);
  watcher();
}

function tell() {
  for (const watcher of watchers) watcher();
}
