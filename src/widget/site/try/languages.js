/**
 * The languages that widgetd speaks. Their words are the files that the server has for an agent's `language`; the greeting is
 * the agent's own, so it is translated here.
 */

/** By the tag that stands in `widget.toml`. */
export const LANGUAGES = {
  en: { name: "English" },
  ar: {
    name: "العربية",
    direction: "rtl",
    greeting: "مرحبًا! أنا المساعد التجريبي لـ widgetd. ماذا تريد أن تعرف؟",
  },
  de: { name: "Deutsch", greeting: "Guten Tag! Ich bin der Demo-Agent von widgetd. Was möchten Sie wissen?" },
  es: { name: "Español", greeting: "¡Hola! Soy el agente de demostración de widgetd. ¿Qué quiere saber?" },
  fr: { name: "Français", greeting: "Bonjour ! Je suis l’agent de démonstration de widgetd. Que voulez-vous savoir ?" },
  it: { name: "Italiano", greeting: "Buongiorno! Sono l’agente dimostrativo di widgetd. Che cosa vuole sapere?" },
  nl: { name: "Nederlands", greeting: "Hallo! Ik ben de demo-agent van widgetd. Wat wilt u weten?" },
  pt: { name: "Português", greeting: "Olá! Sou o agente de demonstração do widgetd. O que quer saber?" },
};

export function directionOf(language) {
  return LANGUAGES[language]?.direction ?? "ltr";
}

/** The widget's words in a language. Throws if the server does not answer. */
export async function wordsOf(language) {
  const response = await fetch(`/site/words/${language}.json`);
  if (!response.ok) throw new Error(`The words were refused (${response.status}).`);
  return response.json();
}
