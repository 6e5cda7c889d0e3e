/** The shop's script: fills its pages, answers its forms, and begins what there is to try of the widget. */

import { showBasketIn, take } from "./basket.js";
import { card, fillPrices, fillProducts, fillWindChoice } from "./catalogue.js";
import { byId } from "./element.js";
import { KITES } from "./kites.js";
import { startPages } from "./pages.js";
import { startTrying } from "./try/drawer.js";

/** The forms are to be filled in and sent like any; what they would send stays here. */
function answerForm(id, answer) {
  const form = byId(id);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    form.querySelector(".form-answer").textContent = answer;
  });
}

startPages({
  home() {
    fillWindChoice();
    byId("three").append(...KITES.slice(0, 3).map((kite) => card(kite, take)));
    answerForm("ask", "Thank you. Nothing was sent, since there is no such shop.");
  },
  products: () => fillProducts(take),
  pricing: fillPrices,
  checkout() {
    showBasketIn(byId("basket"));
    answerForm("checkout", "Thank you. Nothing was ordered, since there is no such shop.");
  },
});
startTrying();
