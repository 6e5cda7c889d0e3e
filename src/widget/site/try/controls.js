/** Labelled controls, alike wherever they stand. Each takes what to do with a new value, and gives a way to show one. */

import { h } from "../element.js";

let made = 0;

/** A label before its control. Returns the row. */
function row(label, control, ...more) {
  control.id = `try-${++made}`;
  return h("p", { className: "try-row" }, h("label", { htmlFor: control.id }, label), control, ...more);
}

export function colour(label, onChange) {
  const input = h("input", { type: "color", oninput: () => onChange(input.value) });
  const code = h("code");
  const show = (value) => {
    input.value = value;
    code.textContent = value;
  };
  return { node: row(label, input, code), show };
}

/** From 0 to `most`, in CSS pixels. */
export function pixels(label, most, onChange) {
  const input = h("input", { type: "range", min: 0, max: most, oninput: () => onChange(Number(input.value)) });
  const output = h("output");
  const show = (value) => {
    input.value = value;
    output.value = `${value} px`;
  };
  return { node: row(label, input, output), show };
}

export function text(label, longest, onChange) {
  const input = h("input", { type: "text", maxLength: longest, autocomplete: "off", oninput: () => onChange(input.value) });
  const show = (value) => {
    // The caret would jump to the end.
    if (input.value !== value) input.value = value;
  };
  return { node: row(label, input), show };
}

/** One of many: pairs of a value and what to call it. */
export function select(label, values, onChange) {
  const options = values.map(([value, name]) => h("option", { value }, name));
  const list = h("select", { onchange: () => onChange(list.value) }, ...options);
  return { node: row(label, list), show: (value) => (list.value = value) };
}

/** One of a few, all of them in sight: pairs as before. */
export function choice(label, values, onChange) {
  const name = `try-${++made}`;
  const radios = values.map(([value]) => h("input", { type: "radio", name, value, onchange: () => onChange(value) }));
  const labels = radios.map((radio, index) => h("label", {}, radio, h("span", {}, values[index][1])));
  const show = (value) => radios.forEach((radio) => (radio.checked = radio.value === value));
  return { node: h("fieldset", { className: "try-row try-choice" }, h("legend", {}, label), ...labels), show };
}

export function button(label, onclick) {
  return h("button", { type: "button", onclick }, label);
}

/** A heading with what stands under it. */
export function group(title, ...children) {
  return h("section", { className: "try-group" }, h("h3", {}, title), ...children);
}
