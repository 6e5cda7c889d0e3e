/** Settings as `widget.toml` has them. */

/** `changes` are parts of the agent object: members of it, with `theme` and `strings` as tables. Empty if there are none. */
export function toToml({ language, direction, greeting, theme = {}, strings = {} }) {
  const tables = [
    ["", { language, direction, greeting }],
    ["[agent.theme]", theme],
    ["[agent.strings]", strings],
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
