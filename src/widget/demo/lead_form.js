/**
 * The form that asks for an address, built from the agent's `lead_form`. It never takes the focus unless the visitor
 * opened it, and what the server complains about is shown beside the field that it names.
 */

import { byId, button, element } from "./dom.js";
import { inWords } from "./words.js";

/** These are members of a lead; what an owner adds goes into its `fields`. */
const LEAD_MEMBERS = ["email", "name", "phone", "company", "message", "consent"];
const AUTOCOMPLETE = { email: "email", name: "name", phone: "tel", company: "organization" };
const EMAIL = { key: "email", label: "Email", type: "email", required: true };
const LOOKS_LIKE_EMAIL = /^[^\s@]+@[^\s@]+$/;

export class LeadForm {
  #panel = byId("lead");
  #definition;
  #handlers;
  #opener = null;

  /** Handlers: `submit(lead)` sends it and may reject, `onOpen(source)`, `onDismiss()`, `onDone()`. */
  constructor(definition, handlers) {
    this.#definition = definition;
    this.#handlers = handlers;
    this.#panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || event.isComposing) return;
      event.stopPropagation();
      this.#dismiss();
    });
  }

  get isOpen() {
    return !this.#panel.hidden;
  }

  /** `source` as the contract names it: `form`, `cta`, `rule` or `intent`. */
  open(source, { takeFocus = true } = {}) {
    if (!this.#definition.enabled) return;
    if (!this.isOpen) {
      this.#opener = takeFocus ? document.activeElement : null;
      this.#build(source);
      this.#panel.hidden = false;
      this.#handlers.onOpen(source);
    }
    if (takeFocus) this.#panel.querySelector("input")?.focus();
  }

  close() {
    const hadFocus = this.#panel.contains(document.activeElement);
    this.#panel.hidden = true;
    this.#panel.replaceChildren();
    if (hadFocus) this.#opener?.focus();
  }

  #dismiss() {
    this.close();
    this.#handlers.onDismiss();
  }

  #build(source) {
    const { title, submit_label: submitLabel, consent, fields } = this.#definition;
    const box = consent ? [{ key: "consent", label: consent, type: "checkbox", required: true }] : [];
    const controls = [EMAIL, ...fields, ...box].map(control);
    const failure = element("p", { className: "failure", role: "alert" });
    const send = element("button", { type: "submit", className: "button primary" }, submitLabel);
    const form = element("form", { noValidate: true }, ...controls.map(({ row }) => row), failure, send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit({ controls, failure, send }, source);
    });
    this.#panel.replaceChildren(this.#head(title), form);
  }

  #head(title) {
    const close = button("×", () => this.#dismiss(), "close");
    close.ariaLabel = "Close the form";
    return element("div", { className: "lead-head" }, element("h2", { id: "lead-title" }, title), close);
  }

  async #submit({ controls, failure, send }, source) {
    failure.textContent = "";
    for (const control of controls) control.complain(problem(control));
    if (focusFirstBad(controls)) return;
    send.disabled = true;
    try {
      await this.#handlers.submit(toLead(controls, source));
      this.#thank();
    } catch (error) {
      for (const { field, message } of error.fields ?? []) {
        const key = field.replace(/^fields\./, "");
        controls.find((control) => control.key === key)?.complain(`This ${message}.`);
      }
      if (!focusFirstBad(controls)) failure.textContent = explainLead(error);
    } finally {
      send.disabled = false;
    }
  }

  #thank() {
    const thanks = element("p", { className: "thanks", tabIndex: -1 }, this.#definition.thanks);
    this.#panel.replaceChildren(thanks, button("Close", () => this.close()));
    // It is read out because it has the focus, and the focus was in the form that is gone.
    thanks.focus();
    this.#handlers.onDone();
  }
}

/** A field: its row, its value, and a place for what is wrong with it. */
function control({ key, label, type, required, options = [] }) {
  const id = `lead-${key}`;
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
  if (type === "email" && !LOOKS_LIKE_EMAIL.test(value())) return "Please write an email address, such as ada@example.com.";
  return "";
}

function focusFirstBad(controls) {
  const bad = controls.find(({ input }) => input.getAttribute("aria-invalid") === "true");
  bad?.input.focus();
  return bad !== undefined;
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

function explainLead({ code, detail, retryAfter }) {
  if (code === "rate_limited") return `That was sent several times already. Please wait ${inWords(retryAfter ?? 60)}.`;
  if (code === "offline") return "You are offline. Please send it again when the connection is back.";
  return detail || "It could not be sent. Please try again.";
}
