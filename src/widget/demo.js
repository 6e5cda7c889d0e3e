/**
 * The demo page: a chat with the agent `demo` over the public API, as any site could have it. This file puts the parts
 * together; each part is a module in `demo/`.
 */

import { Chat, say } from "./demo/chat.js";
import { Client } from "./demo/client.js";
import { startComposer } from "./demo/composer.js";
import * as developer from "./demo/developer.js";
import { byId } from "./demo/dom.js";
import { LeadForm } from "./demo/lead_form.js";
import { watchRules } from "./demo/rules.js";
import { openStorage } from "./demo/storage.js";
import { startTelemetry } from "./demo/telemetry.js";
import { applyTheme } from "./demo/theme.js";
import { Transcript } from "./demo/transcript.js";

const AGENT_ID = "demo";

const storage = openStorage(`widgetd.${AGENT_ID}.`);
const client = new Client(AGENT_ID, storage);
const track = startTelemetry(client);
const chat = new Chat(client, new Transcript(), {
  onSession: sessionOpened,
  onBusy: (busy) => composer.setBusy(busy),
  onAsked: questionAsked,
  onFirstToken: developer.showFirstToken,
  onDone: answerDone,
  onFree: (questions) => rules.messages(questions),
  offerLead,
});
const composer = startComposer({ onSend: (text) => chat.send(text), onStop: () => chat.stop() });
const nudge = byId("nudge");

/** Made from the agent's configuration, with the first session. */
let leadForm = null;
let rules = null;

function sessionOpened({ agent, budget }) {
  developer.showBudget(budget);
  nudge.hidden = true;
  leadForm?.close();
  if (leadForm) return;
  paintAgent(agent);
  leadForm = new LeadForm(agent.lead_form, {
    submit: (lead) => client.leaveAddress(lead),
    onOpen: (source) => track("lead_form_open", { source }),
    onDismiss: () => track("dismiss", { what: "lead_form" }),
    onDone: () => storage.set("lead_left", "yes"),
  });
  rules = watchRules(agent.rules, { storage, isFree, act, track });
}

function paintAgent({ name, theme, lead_form: leadDefinition }) {
  applyTheme(theme);
  document.title = `Chat with ${name}`;
  byId("agent-name").textContent = name;
  byId("avatar").textContent = [...name][0].toUpperCase();
  byId("open-lead").hidden = !leadDefinition.enabled;
}

function questionAsked(text) {
  track("message_sent", { characters: text.length });
  nudge.hidden = true;
}

function answerDone({ usage, budget }) {
  developer.showUsage(usage);
  developer.showBudget(budget);
}

/** A visitor who gave an address is not asked for it again. */
function offerLead(answer) {
  if (byId("open-lead").hidden || storage.get("lead_left")) return;
  answer.offer("Leave your email address and get an answer", () => leadForm.open("intent"));
}

function isFree() {
  return !chat.isBusy && !leadForm.isOpen && nudge.hidden;
}

function act(rule) {
  if (rule.action === "nudge") {
    byId("nudge-text").textContent = rule.text;
    nudge.hidden = false;
    say(rule.text);
  } else if (!storage.get("lead_left")) {
    leadForm.open("rule", { takeFocus: false });
    if (leadForm.isOpen) say("A form has opened above the message box.");
  }
}

function dismissNudge() {
  nudge.hidden = true;
  track("dismiss", { what: "nudge" });
}

function showConnection() {
  byId("offline").hidden = navigator.onLine;
}

function reportLink({ target }) {
  const link = target.closest("a[href]");
  if (link) track("link_click", { url: link.origin === "null" ? link.protocol : link.origin + link.pathname });
}

developer.offerCurl(AGENT_ID);
byId("restart").addEventListener("click", () => chat.begin({ fresh: true }).then(composer.focus));
byId("open-lead").addEventListener("click", () => leadForm.open("form"));
byId("nudge-close").addEventListener("click", dismissNudge);
byId("log").addEventListener("click", reportLink);
byId("chat").addEventListener("focusin", () => track("launcher_open"), { once: true });
addEventListener("online", showConnection);
addEventListener("offline", showConnection);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing) chat.stop();
});
showConnection();
chat.begin();
