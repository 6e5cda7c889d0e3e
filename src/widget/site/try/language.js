/** The widget's language, and the direction in which it is written. */

import { h } from "../element.js";
import { choice, group } from "./controls.js";
import { agent, change, watch } from "./settings.js";
import { TRANSLATIONS } from "./translations.js";

export function languageGroup() {
  const names = Object.entries(TRANSLATIONS).map(([language, { name }]) => [language, name]);
  const languages = choice("Language", [["", "English"], ...names], speak);
  const directions = choice("Direction", [["ltr", "LTR"], ["rtl", "RTL"]], (direction) => change({ direction }));
  watch(() => {
    const { language, direction } = agent();
    languages.show(Object.hasOwn(TRANSLATIONS, language) ? language : "");
    directions.show(direction);
  });
  const note = "This translates some words of the widget, not its answers: those come in the language of the model or the FAQ.";
  return group("Language", languages.node, directions.node, h("p", { className: "try-note" }, note));
}

/** Nothing is English, as the agent is configured. */
function speak(language) {
  const { direction, greeting, strings } = TRANSLATIONS[language] ?? {};
  change({ language: language || undefined, direction, greeting, strings: strings && { ...agent().strings, ...strings } });
}
