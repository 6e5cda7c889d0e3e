/**
 * axe-core's findings in the widget and on its page: WCAG 2.2 AA and best practice.
 *
 * Contrast takes a detour. axe looks for backgrounds within the page's body alone, and the widget stands beside it: there it
 * says "incomplete" of everything. In a log that scrolls it fails altogether ("midpoint exceeds the grid bounds"). So it is shown
 * a twin of the widget in the body, with the same elements and style sheets, laid out at full length; and whatever it cannot
 * determine there counts as found.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const SOURCE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

const AT_FULL_LENGTH = `
  .w, .launcher, .nudge, .panel { position: relative !important; inset: auto !important; height: auto !important; z-index: 0 !important }
  .panel, .log { overflow: visible !important }
  .jump { margin: 0 !important }
`;

/** One line a finding, such as "label (critical): #widgetd >> textarea". */
export async function findings(page) {
  await load(page);
  const { violations } = await page.evaluate((values) => axe.run(document, { runOnly: { type: "tag", values } }), TAGS);
  return [...violations.flatMap(linesOf), ...(await contrastFindings(page))];
}

/** As {@link findings}, of a page without the widget. */
export async function pageFindings(page) {
  await load(page);
  const { violations, passes } = await page.evaluate((values) => axe.run(document, { runOnly: { type: "tag", values } }), TAGS);
  if (!passes.some(({ id }) => id === "color-contrast")) return ["color-contrast: axe has read nothing"];
  return violations.flatMap(linesOf);
}

/** Those of contrast alone. */
export async function contrastFindings(page) {
  await load(page);
  const { violations, incomplete, passes } = await page.evaluate(askOfTwin, AT_FULL_LENGTH);
  // A single letter is a picture to axe, and a field without a value has nothing to read.
  const isUnread = ({ any }) => !["shortTextContent", "emptyValue"].includes(any[0]?.data?.messageKey);
  const undetermined = incomplete.map((result) => ({ ...result, nodes: result.nodes.filter(isUnread) }));
  if (!violations.length && !passes.length) return ["color-contrast: axe has read nothing"];
  return [...violations, ...undetermined].flatMap(linesOf);
}

/** Not as a script tag: a page's policy forbids those, but not what the browser's own protocol brings. */
async function load(page) {
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(SOURCE);
}

/** Runs in the page. */
async function askOfTwin(atFullLength) {
  const { shadowRoot } = document.querySelector("#widgetd");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(atFullLength);
  const twin = document.createElement("div");
  const twinRoot = twin.attachShadow({ mode: "open" });
  twinRoot.adoptedStyleSheets = [...shadowRoot.adoptedStyleSheets, sheet];
  twinRoot.append(shadowRoot.querySelector(".w").cloneNode(true));

  // What an open chat does to a phone's page, and what lies over the twin, is taken back meanwhile.
  const wrapper = shadowRoot.querySelector(".w");
  const { documentElement, body } = document;
  const { inert } = body;
  const { overflow } = documentElement.style;
  body.inert = false;
  documentElement.style.overflow = "";
  wrapper.style.opacity = "0";
  wrapper.style.zIndex = "-1";
  body.append(twin);
  try {
    return await axe.run(twin, { runOnly: { type: "rule", values: ["color-contrast"] } });
  } finally {
    twin.remove();
    wrapper.style.opacity = "";
    wrapper.style.zIndex = "";
    documentElement.style.overflow = overflow;
    body.inert = inert;
  }
}

function linesOf({ id, impact, nodes }) {
  return nodes.map(({ target, any, none }) => `${id} (${impact}): ${target.flat().join(" >> ")} ${any[0]?.message ?? none[0]?.message ?? ""}`);
}
