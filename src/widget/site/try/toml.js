/** Settings as `widget.toml` has them. */

/** `changes` are parts of the agent object. Its words are left out: the language brings them. Empty if there are none. */
export function toToml({ language, direction, greeting, theme = {} }) {
  const tables = [
    ["", { language, direction, greeting }],
    ["[agent.theme]", theme],
  ];
  return tables
    .map(([header, members]) => [header, lines(members)])
    .filter(([, members]) => members.length)
    .map(([header, members]) => [...(header ? [header] : []), ...members].join("\n"))
    .join("\n\n");
}

/** What JSON escapes in a string, TOML reads alike. */
function lines(members) {
  const isSet = ([, value]) => value !== undefined;
  return Object.entries(members).filter(isSet).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
}
