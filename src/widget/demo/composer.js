/** Where the visitor writes. Enter sends, Shift+Enter begins a line, and Enter that ends a composition does neither. */

import { byId } from "./dom.js";

const HEIGHT_MAX_PX = 160;

/** `onSend(text)` says whether the text was taken; `onStop()` ends a running answer. */
export function startComposer({ onSend, onStop }) {
  const [form, input, send, stop] = ["composer", "input", "send", "stop"].map(byId);

  function submit(event) {
    event.preventDefault();
    if (onSend(input.value)) input.value = "";
    changed();
    focus();
  }

  function changed() {
    send.disabled = input.value.trim() === "";
    input.style.setProperty("height", "auto");
    const border = input.offsetHeight - input.clientHeight;
    input.style.setProperty("height", `${Math.min(input.scrollHeight + border, HEIGHT_MAX_PX)}px`);
  }

  /** On a touch screen focus brings up the keyboard, which nobody asked for. */
  function focus() {
    if (matchMedia("(pointer: fine)").matches) input.focus({ preventScroll: true });
  }

  /** While an answer runs, its stop button stands in the place of the send button. */
  function setBusy(busy) {
    const hadFocus = document.activeElement === stop;
    send.hidden = busy;
    stop.hidden = !busy;
    // What was pressed to get here, a suggestion or a retry, is gone and took the focus with it.
    if (hadFocus || (busy && document.activeElement === document.body)) focus();
  }

  form.addEventListener("submit", submit);
  input.addEventListener("input", changed);
  input.addEventListener("keydown", (event) => {
    // Safari ends a composition before the key arrives and tells by the code alone.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key === "Enter" && !event.shiftKey && !isComposing) submit(event);
  });
  stop.addEventListener("click", onStop);
  changed();
  return { focus, setBusy };
}
