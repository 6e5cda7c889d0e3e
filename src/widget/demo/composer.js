/** Where the visitor writes. Enter sends, Shift+Enter begins a line, and Enter that ends a composition does neither. */

import { byId } from "./dom.js";

const HEIGHT_MAX_PX = 160;

export class Composer {
  #form = byId("composer");
  #input = byId("input");
  #send = byId("send");
  #stop = byId("stop");

  /** `onSend(text)` says whether the text was taken; `onStop()` ends a running answer. */
  constructor({ onSend, onStop }) {
    const submit = () => {
      if (onSend(this.#input.value)) this.#clear();
      this.focus();
    };
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    this.#input.addEventListener("keydown", (event) => {
      // Safari ends a composition before the key arrives and tells by the code alone.
      const isComposing = event.isComposing || event.keyCode === 229;
      if (event.key !== "Enter" || event.shiftKey || isComposing) return;
      event.preventDefault();
      submit();
    });
    this.#input.addEventListener("input", () => this.#changed());
    this.#stop.addEventListener("click", onStop);
    this.#changed();
  }

  /** While an answer runs, its stop button stands in the place of the send button. */
  setBusy(busy) {
    const hadFocus = document.activeElement === this.#stop;
    this.#send.hidden = busy;
    this.#stop.hidden = !busy;
    // What was pressed to get here, a suggestion or a retry, is gone and took the focus with it.
    if (hadFocus || (busy && document.activeElement === document.body)) this.focus();
  }

  /** On a touch screen focus brings up the keyboard, which nobody asked for. */
  focus() {
    if (matchMedia("(pointer: fine)").matches) this.#input.focus({ preventScroll: true });
  }

  #clear() {
    this.#input.value = "";
    this.#changed();
  }

  #changed() {
    this.#send.disabled = this.#input.value.trim() === "";
    this.#input.style.setProperty("height", "auto");
    const border = this.#input.offsetHeight - this.#input.clientHeight;
    this.#input.style.setProperty("height", `${Math.min(this.#input.scrollHeight + border, HEIGHT_MAX_PX)}px`);
  }
}
