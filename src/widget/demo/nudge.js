/** The small bubble by which a rule speaks to the visitor. It can be dismissed, and it goes when the visitor writes. */

import { byId } from "./dom.js";

export class Nudge {
  #bubble = byId("nudge");
  #text = byId("nudge-text");

  constructor({ onDismiss }) {
    byId("nudge-close").addEventListener("click", () => {
      this.hide();
      onDismiss();
    });
  }

  get isOpen() {
    return !this.#bubble.hidden;
  }

  show(text) {
    this.#text.textContent = text;
    this.#bubble.hidden = false;
  }

  hide() {
    this.#bubble.hidden = true;
  }
}
