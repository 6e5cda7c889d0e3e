/** The basket: for as long as the page is open, since the shop stores nothing in the browser. */

import { byId, h } from "./element.js";
import { euros, kiteById } from "./kites.js";

/** How many of each kite, by its id. */
const counts = new Map();
/** Where it is shown, once that page was looked at. */
let place = null;

export function showBasketIn(node) {
  place = node;
  show();
}

/** One more, or with -1 one less, and says so to those who do not see it. */
export function take(id, change = 1) {
  const count = (counts.get(id) ?? 0) + change;
  if (count > 0) counts.set(id, count);
  else counts.delete(id);
  byId("basket-count").textContent = total();
  byId("status").textContent = `${kiteById(id).name}: ${count} in the basket.`;
  show();
}

function total() {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

function show() {
  if (!place) return;
  if (!counts.size) {
    place.replaceChildren(h("p", {}, "Nothing yet. ", h("a", { href: "/products" }, "The kites are on the long wall"), "."));
    return;
  }
  const lines = [...counts].map(([id, count]) => line(kiteById(id), count));
  const sum = [...counts].reduce((money, [id, count]) => money + count * kiteById(id).price, 0);
  place.replaceChildren(
    h("ul", { className: "lines" }, ...lines),
    h("p", { className: "sum" }, "Without sending ", h("strong", {}, euros(sum))),
  );
}

function line({ id, name, price }, count) {
  const less = h(
    "button",
    { type: "button", className: "button quiet", "aria-label": `One ${name} less`, onclick: () => take(id, -1) },
    "One less",
  );
  return h("li", {}, h("span", {}, `${count} × ${name}`), h("span", {}, euros(count * price)), less);
}
