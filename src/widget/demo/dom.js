/** Making and finding elements in a line. Texts go in as text, never as HTML. */

export function byId(id) {
  return document.getElementById(id);
}

/** An element with properties set and children appended; strings become text nodes. */
export function element(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

export function button(label, onClick, className = "button") {
  const node = element("button", { type: "button", className }, label);
  node.addEventListener("click", onClick);
  return node;
}
