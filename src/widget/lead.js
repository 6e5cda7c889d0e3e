/**
 * The form that asks for an address, built from the agent's `lead_form`. It never takes the focus unless the visitor opened
 * it, and what is wrong with a field stands beside that field.
 */

import { agent, explain, words } from "./agent.js";
import { button, h } from "./dom.js";
import { add, toEnd } from "./log.js";
import { post } from "./net.js";
import { emit } from "./page.js";
import { leadButton, messages } from "./shell.js";
import { recall, remember } from "./store.js";
import { track } from "./telemetry.js";

/** These are members of a lead; what an owner adds goes into its `fields`. */
const MEMBERS = ["email", "name", "phone", "company", "message", "consent"];
const AUTOCOMPLETE = { email: "email", name: "name", phone: "tel", company: "organization" };

/** What the page knows of its visitor, by the keys of the fields. */
const known = {};
let form = null;

export const identify = (person) => Object.assign(known, person);
export const isOpen = () => Boolean(form?.isConnected);
/** Whether the visitor may be asked, if it did not ask for it. */
export const mayAsk = () => agent.lead_form.enabled && !recall("lead") && !isOpen();

export function showButton() {
  leadButton.hidden = !agent.lead_form.enabled || recall("lead") === "left";
}

/** `source` as the API names it: `form`, `cta`, `rule` or `intent`. */
export function open(source, takesFocus = true) {
  if (!agent.lead_form.enabled) return;
  if (!isOpen()) {
    form = add(build(source));
    toEnd();
    if (source !== "form") remember("lead", "asked");
    track("lead_form_open", { source });
  }
  if (takesFocus) form.querySelector("input").focus();
}

function close() {
  form.remove();
  messages.focus();
  track("dismiss", { what: "lead_form" });
}

function build(source) {
  const { title, submit_label: submitLabel, fields, consent } = agent.lead_form;
  const specs = [{ key: "email", label: words("email"), type: "email", required: true }, ...fields];
  if (consent) specs.push({ key: "consent", label: consent, type: "checkbox", required: true });
  const controls = specs.map(control);
  const alert = h("p", { className: "alert", role: "alert" });
  const submit = h("button", { type: "submit", className: "primary submit" }, submitLabel);
  const buttons = h("div", "buttons", submit, button("lead-close", close, words("close")));
  const rows = controls.map(({ row }) => row);
  return h("form", { className: "card lead", noValidate: true, ariaLabel: title, onsubmit }, h("h3", {}, title), ...rows, alert, buttons);

  async function onsubmit(event) {
    event.preventDefault();
    alert.textContent = "";
    for (const control of controls) control.complain(problem(control));
    if (focusFirstBad(controls)) return;
    submit.disabled = true;
    try {
      await post("leads", toLead(controls, source));
      thank();
    } catch (error) {
      for (const { field, message } of error.fields ?? []) {
        controls.find(({ key }) => field.replace("fields.", "") === key)?.complain(message);
      }
      submit.disabled = false;
      if (focusFirstBad(controls)) return;
      alert.textContent = explain(error);
      // It lost the focus when it was disabled.
      submit.focus();
    }
  }
}

function thank() {
  remember("lead", "left");
  showButton();
  // It is read out because it has the focus, and the focus was in the form that is gone.
  const thanks = h("p", { className: "card thanks", tabIndex: -1 }, agent.lead_form.thanks);
  form.replaceWith(thanks);
  thanks.focus();
  emit("lead");
}

/** A field: its row, its value, and a place for what is wrong with it. */
function control({ key, label, type, required, options = [] }) {
  const id = `lead-${key}`;
  const input = inputOf(type, options);
  const complaint = h("span", { className: "complaint", id: `${id}-complaint` });
  Object.assign(input, { id, required, autocomplete: AUTOCOMPLETE[key] ?? "off" });
  if (known[key]) input.value = known[key];
  input.setAttribute("aria-describedby", complaint.id);
  const caption = h("label", { htmlFor: id }, label, required ? "" : ` (${words("optional")})`);
  const isBox = type === "checkbox";
  const row = h("div", isBox ? "field tick" : "field", ...(isBox ? [input, caption] : [caption, input]), complaint);
  const complain = (message) => {
    complaint.textContent = message;
    input.ariaInvalid = message !== "";
  };
  return { key, type, input, row, complain, value: () => (isBox ? input.checked : input.value.trim()) };
}

function inputOf(type, options) {
  if (type === "textarea") return h("textarea", { rows: 2, maxLength: 1000 });
  if (type !== "select") return h("input", { type, maxLength: type === "tel" ? 50 : 200 });
  return h("select", {}, h("option", { value: "" }, words("choose")), ...options.map((option) => h("option", {}, option)));
}

function problem({ type, input }) {
  const { valid, valueMissing } = input.validity;
  if (valid) return "";
  return words(type === "checkbox" ? "tick" : valueMissing ? "required" : "bad_email");
}

function focusFirstBad(controls) {
  const bad = controls.find(({ input }) => input.ariaInvalid === "true");
  bad?.input.focus();
  return bad;
}

/** What was left empty is left out, so that it overwrites nothing. */
function toLead(controls, source) {
  const lead = { source };
  for (const { key, value } of controls) {
    if (!value()) continue;
    if (MEMBERS.includes(key)) lead[key] = value();
    else lead.fields = { ...lead.fields, [key]: value() };
  }
  return lead;
}
