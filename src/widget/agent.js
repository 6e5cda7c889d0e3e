/** The agent's configuration, as the server gave it and as the page has changed it since. */

export let agent;

/** Some of its members; of the inner objects, some of theirs. */
export function setAgent(patch) {
  const before = agent;
  agent = { ...before, ...patch };
  for (const part of ["theme", "strings", "lead_form"]) agent[part] = { ...before?.[part], ...patch[part] };
}

/** A text of the widget's own, in the agent's language; `n` goes into the place of `{n}`. */
export function words(key, n) {
  return agent.strings[key].replace("{n}", () => n);
}

/** What to tell a visitor of what `net.js` threw: there is a text for each `code` that one can meet. */
export function explain({ code, retryAfter, fields }) {
  if (fields) return words("refused", fields.map(({ message }) => message).join("; "));
  return words(code in agent.strings ? code : "failed", retryAfter ? inWords(retryAfter) : words("soon"));
}

/** "in 30 seconds", in the agent's language and the unit in which it is short. */
function inWords(seconds) {
  const [unit, size] = seconds > 7200 ? ["hour", 3600] : seconds > 120 ? ["minute", 60] : ["second", 1];
  return new Intl.RelativeTimeFormat(agent.language).format(Math.ceil(seconds / size), unit);
}
