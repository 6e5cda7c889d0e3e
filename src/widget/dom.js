/** Making elements. Texts go in as text nodes, never as HTML. */

/** An element with children, and a class or properties; attributes where there is no such property. */
export function h(tag, classOrProperties, ...children) {
  const node = document.createElement(tag);
  const properties = typeof classOrProperties === "string" ? { className: classOrProperties } : classOrProperties;
  for (const name in properties) {
    if (name in node) node[name] = properties[name];
    else node.setAttribute(name, properties[name]);
  }
  node.append(...children);
  return node;
}

export function button(className, onclick, ...children) {
  return h("button", { type: "button", className, onclick }, ...children);
}

/** A line drawing on a field of 24 by 24. Decoration: the button around it has the name. */
export function icon(d) {
  const [svg, path] = ["svg", "path"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
  svg.setAttribute("viewBox", "0 0 24 24");
  path.setAttribute("d", d);
  svg.append(path);
  return svg;
}
