/**
 * Puts the parts together: what the visitor presses, what the rules say, and what the page commands. Everything else knows only
 * what is below it.
 */

import { agent, setAgent } from "./agent.js";
import * as chat from "./chat.js";
import * as lead from "./lead.js";
import { toEnd } from "./log.js";
import * as offers from "./offers.js";
import { destroy, emit, listen, on } from "./page.js";
import { matchesAny } from "./paths.js";
import { watchRules } from "./rules.js";
import * as shell from "./shell.js";
import { input, wrapper } from "./shell.js";
import { recall, remember } from "./store.js";
import { track, watchLeaving } from "./telemetry.js";

let isHidden = false;

/** `by` says how it came to open. */
function open(by, takesFocus = true) {
  if (shell.isOpen() || wrapper.hidden) return;
  offers.hide();
  remember("open", true, "sessionStorage");
  shell.openPanel(takesFocus);
  shell.showUnread(0);
  chat.begin();
  toEnd();
  if (by !== "restore") track("launcher_open", { by });
  emit("open", { by });
}

function close() {
  if (!shell.isOpen()) return;
  remember("open", null, "sessionStorage");
  shell.closePanel();
  track("launcher_close");
  emit("close");
}

const toggle = (by) => (shell.isOpen() ? close() : open(by));

/** The first press stops an answer, the next one closes. */
function escape() {
  if (chat.isBusy()) chat.stop();
  else if (shell.isOpen()) close();
  else if (offers.isShown()) offers.dismiss();
}

function submit() {
  if (chat.send(input.value)) chat.prefill("");
  if (!shell.phone.matches) input.focus({ preventScroll: true });
}

function openLead(source, by, takesFocus) {
  open(by, takesFocus);
  chat.openLead(source, takesFocus);
}

/** Says it for the visitor; while an answer runs, writes it for the visitor to say. */
function say(text, by) {
  open(by);
  if (!wrapper.hidden) chat.send(text) || chat.prefill(text);
}

/** What a card's button does. */
function press({ id: rule }, { does, label, url, text }) {
  track("cta_click", { rule, button: label });
  emit("cta", { rule, button: label });
  if (does === "url") offers.follow(url);
  if (does === "lead_form") openLead("cta", "card");
  if (does === "message") say(text, "card");
}

/** Nobody is interrupted, and the bubble's sentence is for a panel that is closed. */
function mayAct({ action }) {
  if (wrapper.hidden || chat.isBusy() || offers.isShown() || lead.isOpen()) return false;
  return action === "nudge" ? !shell.isOpen() : action === "card" || lead.mayAsk();
}

function act(rule) {
  const { id, trigger } = rule;
  // The API's names; it has none for the number of messages.
  track(trigger === "exit_intent" ? trigger : `${trigger === "messages" ? "custom." : ""}${trigger}_trigger`, { rule: id });
  emit("trigger", { rule: id });
  if (rule.action === "nudge") offers.showSentence(rule.text, () => open("nudge"));
  else if (rule.action === "card") offers.showCard(rule, (button) => press(rule, button));
  // A phone is not taken over.
  else if (shell.phone.matches && !shell.isOpen()) offers.showSentence(agent.lead_form.title, () => openLead("rule", "nudge"));
  else {
    openLead("rule", "rule", false);
    shell.say(agent.lead_form.title);
  }
}

/** How often a visitor has seen a rule, which can be set. */
function counts(id, count) {
  const caps = recall("caps") ?? {};
  if (count) remember("caps", { ...caps, [id]: count });
  return caps[id] ?? 0;
}

/** Where it may not be, nothing of the widget is to be seen. */
function show(isShown = !isHidden) {
  isHidden = !isShown;
  wrapper.hidden = isHidden || matchesAny(agent.restricted_paths);
  shell.coverPage();
}

function navigated() {
  show();
  emit("navigate", { url: location.origin + location.pathname });
}

function pressedKey(event) {
  // Safari ends a composition before its key arrives, and tells by the code alone.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape") escape();
  if (event.key === "Enter" && event.target === input && !event.shiftKey) {
    event.preventDefault();
    submit();
  }
}

/** On the page, with the configuration that the server gave. */
export function start(config) {
  setAgent(config);
  shell.launcher.onclick = () => toggle("launcher");
  shell.closeButton.onclick = close;
  shell.freshButton.onclick = chat.reset;
  shell.leadButton.onclick = () => chat.openLead("form");
  shell.sendButton.onclick = submit;
  shell.stopButton.onclick = chat.stop;
  input.oninput = chat.drafted;
  listen(wrapper, "keydown", pressedKey);
  shell.messages.onclick = ({ target }) => {
    const link = target.closest("a");
    if (link) track("link_click", { url: link.href.split(/[?#]/)[0] });
  };
  shell.putOnPage();
  show();
  lead.showButton();
  input.value = recall("draft") ?? "";
  watchLeaving();
  chat.followTabs();
  // After a reload the panel is as it was; but a phone is not taken over.
  if (recall("open", "sessionStorage") && !shell.phone.matches) open("restore", false);
  const count = watchRules({ counts, mayAct, act, navigated });
  on("message", ({ role, count: questions }) => role === "user" && count(questions));
}

/** What the page may tell the widget to do. */
export const commands = {
  open: () => open("api"),
  close,
  toggle: () => toggle("api"),
  show: () => show(true),
  hide: () => show(false),
  send: (text) => say(text, "api"),
  prefill(text) {
    open("api");
    chat.prefill(text);
  },
  lead: () => openLead("form", "api"),
  identify: lead.identify,
  set(patch) {
    setAgent(patch);
    shell.paint();
    lead.showButton();
    show();
  },
  reset: chat.reset,
  track: (name, props) => track(`custom.${name}`, props),
  destroy() {
    chat.stop();
    close();
    destroy();
  },
};
