/**
 * The conversation: opening it, asking, stopping, trying again. One answer runs at a time. Says to screen readers exactly two
 * things a turn: that an answer is being written, and the answer.
 */

import { agent, explain, words } from "./agent.js";
import { button } from "./dom.js";
import * as lead from "./lead.js";
import * as log from "./log.js";
import { ask, openSession, randomId, tellWhy } from "./net.js";
import { emit, listen } from "./page.js";
import { fit, input, isOpen, messages, refocus, say, setBusy, showUnread, unread } from "./shell.js";
import { isAbout, remember } from "./store.js";
import { track } from "./telemetry.js";

/** A longer answer is not read out whole: the visitor finds it in the log. */
const SPOKEN_CHARS_MAX = 400;
/** Nobody waits for a button for longer than this. */
const WAIT_MAX_SECONDS = 300;

/** What stops the answer that is being written. */
let turn = null;
/** The opening of the conversation, once it was tried. */
let begun = null;
let questions = 0;

/** What was said before must stand there first: it replaces all that is in the log. */
const ready = () => Promise.allSettled([begun]);

export const isBusy = () => turn !== null;
export const stop = () => turn?.abort();

/** The visitor's latest conversation. The greeting does not wait for the server. */
export function begin() {
  if (begun) return;
  if (!questions) show([]);
  resume();
}

/** A fresh conversation. */
export function reset() {
  stop();
  show([]);
  refocus();
  resume(true);
  emit("reset");
}

async function resume(fresh) {
  const opening = (begun = openSession(fresh));
  try {
    const { messages } = await opening;
    // A fresh one may have been asked for meanwhile.
    if (opening === begun && messages.length) show(messages);
  } catch ({ code, status }) {
    if (opening === begun) begun = null;
    emit("error", { code, status });
    tellWhy();
  }
}

function show(messages) {
  log.clear();
  questions = 0;
  if (agent.greeting) log.addAnswer(agent.greeting);
  let question = "";
  for (const { role, content, status } of messages) {
    if (role === "user") {
      question = content;
      questions += 1;
      log.addQuestion(content);
    } else {
      const answer = log.addAnswer(content);
      if (status === "partial") unfinished(answer, "unfinished", question);
      else answer.conclude();
    }
  }
  if (messages.at(-1)?.role === "user") unfinished(log.addAnswer(), "unanswered", question);
  if (!questions) log.addStarters(agent.starter_prompts, send);
  log.toEnd();
}

/** Whether `text` is on its way: not if it is empty, or while an answer runs. */
export function send(text) {
  const content = text.trim();
  if (!content || turn) return false;
  begin();
  const answering = (turn = new AbortController());
  const stopped = new Promise((resolve) => (answering.signal.onabort = resolve));
  setBusy(true);
  Promise.race([ready(), stopped]).then(() => {
    log.addQuestion(content);
    questions += 1;
    track("message_sent", { characters: content.length });
    emit("message", { role: "user", count: questions });
    answer(content, randomId(), log.addAnswer(), answering);
  });
  return true;
}

/** Asks and shows what comes. The same `id` again is the same message: the server answers it once. */
async function answer(content, id, shown, answering = new AbortController()) {
  turn = answering;
  const start = performance.now();
  let first = 0;
  shown.begin();
  setBusy(true);
  say(words("writing"));
  try {
    for await (const event of ask(content, id, turn.signal)) {
      if (event.type === "token") {
        first ||= performance.now() - start;
        shown.append(event.text);
      }
      if (event.type === "done") finished(event, content, shown, Math.round(first));
    }
  } catch (error) {
    shown.end();
    if (answering.signal.aborted) {
      unfinished(shown, "stopped", content);
      say(words("stopped"));
    } else failed(error, content, shown, () => answer(content, id, shown));
  } finally {
    turn = null;
    setBusy(false);
  }
}

function finished({ finish_reason: reason, offer_lead: offersLead }, content, shown, ttft) {
  shown.end();
  // There is a text for each reason to end that a visitor should know of.
  const remark = reason in agent.strings ? reason : shown.text() ? "" : "empty";
  if (reason === "cancelled") unfinished(shown, "unfinished", content);
  else if (remark) shown.note(words(remark));
  else if (offersLead && lead.mayAsk()) shown.conclude(button("offer", () => openLead("intent"), words("lead_offer")));
  else shown.conclude();
  const text = remark ? words(remark) : shown.spoken();
  say(text.length > SPOKEN_CHARS_MAX ? `${words("finished")} ${text.slice(0, SPOKEN_CHARS_MAX / 2)}` : text);
  // Other tabs of the visitor fetch what was said.
  remember("sync", randomId());
  emit("message", { role: "assistant", ttft });
  if (!isOpen()) showUnread(unread + 1);
}

/** What is stored cannot be continued: asking again is a new message. */
function unfinished(shown, remark, question) {
  shown.note(words(remark), button("again", () => send(question), words("ask_again")));
}

function failed(error, question, shown, again) {
  const retry = () => {
    if (!turn && shown.isThere()) again();
  };
  const { code, status, retryAfter, fields } = error;
  const actions = [];
  if (!fields && retryAfter <= WAIT_MAX_SECONDS) {
    const retryButton = button("retry", retry, words("retry"));
    retryButton.disabled = retryAfter > 0;
    setTimeout(() => (retryButton.disabled = false), retryAfter * 1000);
    actions.push(retryButton);
  }
  if (code === "conversation_budget_exhausted") {
    const ask = () => {
      prefill(question);
      reset();
    };
    actions.push(button("fresh", ask, words("new_conversation")));
  }
  shown.fail(explain(error), ...actions);
  if (code === "offline") listen(window, "online", () => shown.text() || retry(), { once: true });
  emit("error", { code, status });
}

/** The form, once it is known beneath what. */
export function openLead(source, takesFocus) {
  ready().then(() => lead.open(source, takesFocus));
}

/** Writes it for the visitor to send. */
export function prefill(text) {
  input.value = text;
  drafted();
}

/** What is written, but not sent, is there after a reload. */
export function drafted() {
  fit();
  remember("draft", input.value || null);
}

/** Follows what is said in the visitor's other tabs. */
export function followTabs() {
  listen(window, "storage", (event) => {
    // What stands in this log alone would be lost: a form, or a question that was not sent.
    const isOurs = turn || lead.isOpen() || messages.querySelector(".retry");
    if (!isOurs && begun && isAbout("sync", event)) resume();
  });
}
