/** What a site's owner copies: the tag, the policy, and the settings that were tried. */

import { h } from "../element.js";
import { button, group } from "./controls.js";
import { directionOf } from "./languages.js";
import { changes, watch } from "./settings.js";
import { toToml } from "./toml.js";

const SHOWN_MS = 2000;

/** A text with a button that copies it. */
function snippet(title, note) {
  const code = h("code");
  const text = h("pre", { tabIndex: 0, role: "region", "aria-label": title }, code);
  const done = h("span", { role: "status" });
  const copy = button("Copy", async () => {
    done.textContent = (await copied(code)) ? "Copied." : "Selected: copy it with the keyboard.";
    setTimeout(() => (done.textContent = ""), SHOWN_MS);
  });
  copy.setAttribute("aria-label", `Copy: ${title}`);
  const node = h("div", { className: "try-snippet" }, h("h4", {}, title), h("p", { className: "try-note" }, note), text, copy, done);
  return { node, show: (value) => (code.textContent = value) };
}

/** False where the browser has no clipboard for the page, as without HTTPS: then the text is selected. */
async function copied(code) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(code);
    return false;
  }
}

export function snippetsGroup() {
  const { origin } = location;
  const { agentId } = document.querySelector("script[data-agent-id]").dataset;
  const tag = snippet("The tag", "Anywhere in your page. Its origin must stand in allowed_origins of the agent.");
  tag.show(`<script src="${origin}/widget.js" data-agent-id="${agentId}" async></script>`);
  const policy = snippet("Content-Security-Policy", "What your policy must allow, if you have one. Styles and Trusted Types need nothing.");
  policy.show(`script-src ${origin}; connect-src ${origin}`);
  const settings = snippet("These settings", "What you changed above, for the agent in widget.toml.");
  watch(() => {
    const { direction, ...others } = changes();
    // A language brings its own.
    const isItsOwn = directionOf(others.language) === direction;
    settings.show(toToml(isItsOwn ? others : { direction, ...others }) || "# Nothing is changed.");
  });
  return group("For your own site", tag.node, policy.node, settings.node);
}
