/**
 * What people are told. Every error that a visitor can meet, in a sentence that says what happened and what to do, and
 * the sentence by which an answer shows that its author does not know.
 */

/** A wait longer than this is not worth counting down. */
const COUNTDOWN_MAX_SECONDS = 300;

/**
 * `text` to show, and what to offer: `retry` (the same message again), after `wait` seconds; `startOver` (a new
 * conversation); `resend` (by itself, once the connection is back).
 */
export function explain(error) {
  const wait = error.retryAfter ?? 0;
  const again = wait > 0 ? `in ${inWords(wait)}` : "in a moment";
  const canRetry = { retry: wait <= COUNTDOWN_MAX_SECONDS, wait };
  switch (error.code) {
    case "offline":
      return { text: "You are offline. This is sent as soon as the connection is back.", retry: true, resend: true };
    case "unreachable":
      return { text: "The server cannot be reached. Please check your connection.", retry: true };
    case "cut":
      return { text: "The connection was lost before the answer was complete.", retry: true };
    case "rate_limited":
      return { text: `That was a lot at once. Please try again ${again}.`, ...canRetry };
    case "conversation_budget_exhausted":
      return {
        text: `This conversation has used up its budget. It can go on ${again}, or you start a new one now.`,
        ...canRetry,
        startOver: true,
      };
    case "agent_budget_exhausted":
      return { text: `The assistant has used up its budget for today. It answers again ${again}.`, ...canRetry };
    case "model_unavailable":
    case "model_timeout":
      return { text: `The assistant cannot answer right now. Please try again ${again}.`, ...canRetry };
    case "generation_in_progress":
      return { text: "The message before is still being answered. Please try again in a moment.", ...canRetry };
    case "overloaded":
    case "shutting_down":
      return { text: `The server is busy. Please try again ${again}.`, ...canRetry };
    case "validation_failed":
      return { text: error.fields.map(({ field, message }) => `${field} ${message}`).join("; ") || error.detail };
    default:
      return { text: unexpected(error), retry: true };
  }
}

/** The server's own words where it has some: they tell the site's owner which setting to change. */
function unexpected({ code, detail, requestId }) {
  const request = requestId ? ` (request ${requestId})` : "";
  return detail ? `${detail}${request}` : `Something went wrong: ${code}${request}.`;
}

export function inWords(seconds) {
  const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;
  if (seconds <= 120) return count(seconds, "second");
  if (seconds <= 7200) return `about ${count(Math.ceil(seconds / 60), "minute")}`;
  return `about ${count(Math.ceil(seconds / 3600), "hour")}`;
}

/** "I don't know", in the languages in which the embedded model says it and as other models put it. */
const DOES_NOT_KNOW = new RegExp(
  [
    "(don['’]t|do not) (know|have (that|this|any|enough|specific)? ?(information|details))",
    "(can['’]t|cannot|couldn['’]t|could not) find",
    "(am|['’]m) not (sure|aware)",
    "weiß ich leider nicht|no lo sé|ne (le )?sais pas|non lo so|weet ik helaas niet|não sei",
  ].join("|"),
  "i",
);

export function saysItDoesNotKnow(answer) {
  return DOES_NOT_KNOW.test(answer);
}
