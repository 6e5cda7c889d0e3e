/** `widget.toml` from an object: tables are written inline, so that each of its members is one line. */

export function toToml(members) {
  return Object.entries(members)
    .map(([key, value]) => `${key} = ${valueOf(value)}\n`)
    .join("");
}

function valueOf(value) {
  if (Array.isArray(value)) return `[${value.map(valueOf).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)} = ${valueOf(inner)}`);
  return `{ ${pairs.join(", ")} }`;
}
