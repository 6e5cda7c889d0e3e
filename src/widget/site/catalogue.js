/** The kites on the pages: cards with what each needs of the wind, the choice by what is seen outside, and by a slider. */

import { byId, h } from "./element.js";
import { KITES, WINDS, euros, flies, kiteById } from "./kites.js";

/** The right end of every card's scale, in knots. */
const SCALE_KNOTS = 30;

function picture({ id, name, kind }, attributes = {}) {
  const alt = `The ${name}, a kite: ${kind.toLowerCase()}`;
  return h("img", { src: `/site/pictures/${id}.svg`, alt, width: 240, height: 300, ...attributes });
}

/** `take(id)` is called by the card's button. */
export function card(kite, take) {
  const [least, most] = kite.wind;
  const range = h("span", { className: "wind-range" });
  range.style.setProperty("--from", `${(100 * least) / SCALE_KNOTS}%`);
  range.style.setProperty("--to", `${(100 * most) / SCALE_KNOTS}%`);
  const button = h(
    "button",
    { type: "button", className: "button quiet", "aria-label": `${kite.name} into the basket`, onclick: () => take(kite.id) },
    "Into the basket",
  );
  return h(
    "article",
    { className: "card" },
    picture(kite, { alt: "", loading: "lazy" }),
    h("h3", {}, kite.name, h("small", {}, `${kite.kind}, ${kite.size}`)),
    h("p", {}, kite.text),
    h("p", { className: "wind-scale" }, h("span", { className: "wind-bar", "aria-hidden": "true" }, range), `${least} to ${most} knots`),
    h("p", { className: "card-foot" }, h("strong", {}, euros(kite.price)), button),
  );
}

/** The fieldset of the first page, and the kite that flies beside it. */
export function fillWindChoice() {
  const figure = byId("hero-kite");

  function advise({ knots, kite: id, why }) {
    const kite = kiteById(id);
    figure.replaceChildren(
      picture(kite),
      h("figcaption", {}, h("strong", {}, `${kite.name}, at ${knots} knots`), `${kite.kind}, ${euros(kite.price)}. ${why}`),
    );
  }

  for (const wind of WINDS) {
    const radio = h("input", { type: "radio", name: "wind", value: wind.kite, onchange: () => advise(wind) });
    radio.defaultChecked = radio.checked = wind.kite === "wren";
    byId("wind").append(h("label", {}, radio, h("span", {}, wind.sign)));
    if (radio.checked) advise(wind);
  }
}

/** All cards, and the slider that says which of them fly. */
export function fillProducts(take) {
  const cards = KITES.map((kite) => card(kite, take));
  byId("six").append(...cards);
  const slider = byId("knots");

  function look() {
    const knots = Number(slider.value);
    cards.forEach((node, index) => node.classList.toggle("is-down", !flies(KITES[index], knots)));
    const flying = KITES.filter((kite) => flies(kite, knots)).map(({ name }) => name);
    byId("knots-now").value = `${knots} ${knots === 1 ? "knot" : "knots"}`;
    byId("knots-flying").textContent = flying.length ? `In the air: ${flying.join(", ")}.` : "Nothing of ours flies in that.";
  }

  slider.addEventListener("input", look);
  look();
}

export function fillPrices() {
  const row = ({ name, kind, price }) => h("div", {}, h("dt", {}, `${name} `, h("small", {}, kind.toLowerCase())), h("dd", {}, euros(price)));
  byId("price-list").append(...KITES.map(row));
}
