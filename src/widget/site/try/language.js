/** The widget's language, and the direction in which it is written. */

import { h } from "../element.js";
import { choice, group, select } from "./controls.js";
import { LANGUAGES, directionOf, wordsOf } from "./languages.js";
import { agent, change, watch } from "./settings.js";

const NOTE = "The words are the widget’s own. Answers come in the language of the model or of the FAQ.";

export function languageGroup() {
  const note = h("p", { className: "try-note", role: "status" }, NOTE);
  let wanted = null;

  async function speak(language) {
    wanted = language;
    try {
      const strings = await wordsOf(language);
      // Another may have been chosen in the meantime.
      if (language === wanted) change({ language, direction: directionOf(language), greeting: LANGUAGES[language].greeting, strings });
      note.textContent = NOTE;
    } catch ({ message }) {
      note.textContent = message;
    }
  }

  const names = Object.entries(LANGUAGES).map(([language, { name }]) => [language, name]);
  const languages = select("Language", names, speak);
  const directions = choice("Direction", [["ltr", "LTR"], ["rtl", "RTL"]], (direction) => change({ direction }));
  watch(() => {
    const { language, direction } = agent();
    languages.show(language.split("-")[0]);
    directions.show(direction);
  });
  return group("Language", languages.node, directions.node, note);
}
