/**
 * The form that asks for an address, built from the agent's `lead_form`. It never takes the focus unless the visitor
 * opened it, and what the server complains about is shown beside the field that it names.
 */

import { byId, element } from "./dom.js";
import { inWords } from "./words.js";

/** These are members of a lead; what an owner adds goes into its `fields`. */
const LEAD_MEMBERS = ["email", "name", "phone", "company", "message", "consent"];
const AUTOCOMPLETE = { email: "email", name: "name", phone: "tel", company: "organization" };
const EMAIL = { key: "email", label: "Email", type: "email", required: true };
const LOOKS_LIKE_EMAIL = /^[^\s@]+@[^\s@]+$/;

export class LeadForm {
  #definition;
  #handlers;
  #panel = byId("lead");
  #form = byId("lead-form");
  #failure = byId("lead-failure");
  #thanks = byId("lead-thanks");
  #controls = [];
  #source = "form";
  #opener = null;

  /** Handlers: `submit(lead)` sends it and may reject, `onOpen(source)`, `onDismiss()`, `onDone()`. */
  constructor(definition, handlers) {
    this.#definition = definition;
    this.#handlers = handlers;
    byId("lead-title").textContent = definition.title;
    byId("lead-send").textContent = definition.submit_label;
    this.#thanks.textContent = definition.thanks;
    byId("lead-close").addEventListener("click", () => this.#dismiss());
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      this.#dismiss();
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** `source` as the contract names it: `form`, `rule` or `intent`. */
  open(source, { takeFocus = true } = {}) {
    if (!this.#definition.enabled) return;
    if (!this.isOpen || this.#form.hidden) {
      this.#source = source;
      this.#opener = document.activeElement;
      this.#empty();
      this.#handlers.onOpen(source);
    }
    if (takeFocus) this.#panel.querySelector("input")?.focus();
  }

  close() {
    const hadFocus = this.#panel.contains(document.activeElement);
    this.#panel.hidden = true;
    if (hadFocus) this.#opener?.focus();
  }

  #dismiss() {
    this.close();
    if (this.#thanks.hidden) this.#handlers.onDismiss();
  }

  #empty() {
    const { fields, consent } = this.#definition;
    const box = consent ? [{ key: "consent", label: consent, type: "checkbox", required: true }] : [];
    this.#controls = [EMAIL, ...fields, ...box].map(control);
    byId("lead-fields").replaceChildren(...this.#controls.map(({ row }) => row));
    this.#failure.textContent = "";
    this.#form.hidden = false;
    this.#thanks.hidden = true;
    this.#panel.hidden = false;
  }

  async #submit() {
    this.#failure.textContent = "";
    for (const control of this.#controls) control.complain(problem(control));
    if (this.#focusFirstBad()) return;
    byId("lead-send").disabled = true;
    try {
      await this.#handlers.submit(toLead(this.#controls, this.#source));
      this.#thank();
    } catch (error) {
      this.#refused(error);
    } finally {
      byId("lead-send").disabled = false;
    }
  }

  #refused(error) {
    for (const { field, message } of error.fields ?? []) {
      const key = field.replace(/^fields\./, "");
      this.#controls.find((control) => control.key === key)?.complain(`This ${message}.`);
    }
    if (!this.#focusFirstBad()) this.#failure.textContent = explain(error);
  }

  #focusFirstBad() {
    const bad = this.#controls.find(({ input }) => input.getAttribute("aria-invalid") === "true");
    bad?.input.focus();
    return bad !== undefined;
  }

  #thank() {
    this.#form.hidden = true;
    this.#thanks.hidden = false;
    // It is read out because it has the focus, and the focus was in the form that is gone.
    this.#thanks.focus();
    this.#handlers.onDone();
  }
}

/** A field: its row, its value, and a place for what is wrong with it. */
function control({ key, label, type, required, options = [] }) {
  const id = `lead-field-${key}`;
  const input = inputOf(type, options);
  const complaint = element("p", { className: "complaint", id: `${id}-complaint` });
  Object.assign(input, { id, required, autocomplete: AUTOCOMPLETE[key] ?? "on" });
  input.setAttribute("aria-describedby", complaint.id);
  const caption = element("label", { htmlFor: id }, label, required ? "" : element("span", {}, " (optional)"));
  const row = element("div", { className: `field field-${type}` }, caption, input, complaint);
  const value = () => (type === "checkbox" ? input.checked : input.value.trim());
  const complain = (message) => {
    complaint.textContent = message;
    input.setAttribute("aria-invalid", String(message !== ""));
  };
  return { key, type, required, input, row, value, complain };
}

function inputOf(type, options) {
  if (type === "textarea") return element("textarea", { rows: 2, maxLength: 1000 });
  if (type !== "select") return element("input", { type, maxLength: type === "tel" ? 50 : 200 });
  const choices = options.map((option) => element("option", { value: option }, option));
  return element("select", {}, element("option", { value: "" }, "Please choose"), ...choices);
}

function problem({ type, required, value }) {
  if (required && !value()) return type === "checkbox" ? "Please tick this box." : "Please fill in this field.";
  const isBadEmail = type === "email" && !LOOKS_LIKE_EMAIL.test(value());
  return isBadEmail ? "Please write an email address, such as ada@example.com." : "";
}

/** What was left empty is left out, so that it overwrites nothing. */
function toLead(controls, source) {
  const lead = { source };
  for (const { key, value } of controls) {
    if (!value()) continue;
    if (LEAD_MEMBERS.includes(key)) lead[key] = value();
    else lead.fields = { ...lead.fields, [key]: value() };
  }
  return lead;
}

function explain({ code, detail, retryAfter }) {
  if (code === "rate_limited") return `That was sent several times already. Please wait ${inWords(retryAfter ?? 60)}.`;
  if (code === "offline") return "You are offline. Please send it again when the connection is back.";
  return detail || "It could not be sent. Please try again.";
}
