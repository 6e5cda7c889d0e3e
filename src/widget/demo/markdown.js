/**
 * The Markdown that models write, as DOM nodes: paragraphs with line breaks, headings, lists, code, bold, italic and
 * links. An answer is untrusted text. It becomes a tree of plain objects first and nodes by `createElement` after, so
 * that no HTML is ever parsed; what is not listed stays text, and an image becomes a link.
 */

import { element } from "./dom.js";

const LIST_DEPTH_MAX = 4;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*$/;
const MARKER = /^( {0,3})([-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;

/** Text to blocks: `p`, `heading`, `pre`, `ul`, `ol`. */
export function parse(text) {
  return parseBlocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

function parseBlocks(lines, depth) {
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (isBlank(lines[at])) {
      at += 1;
      continue;
    }
    const special = fence(lines, at) ?? heading(lines, at) ?? list(lines, at, depth);
    const { block, next } = special ?? paragraph(lines, at, depth);
    blocks.push(block);
    at = next;
  }
  return blocks;
}

const isBlank = (line) => line.trim() === "";
const isOrdered = (marker) => /\d/.test(marker[2]);

function fence(lines, at) {
  const opening = FENCE.exec(lines[at]);
  if (!opening) return null;
  let end = at + 1;
  while (end < lines.length && !(FENCE.test(lines[end]) && lines[end].trim().startsWith(opening[1]))) end += 1;
  return { block: { type: "pre", text: lines.slice(at + 1, end).join("\n") }, next: end + 1 };
}

function heading(lines, at) {
  const found = HEADING.exec(lines[at]);
  return found && { block: { type: "heading", children: parseInline(found[1]) }, next: at + 1 };
}

function paragraph(lines, at, depth) {
  let end = at + 1;
  while (end < lines.length && !isBlank(lines[end]) && !interrupts(lines[end], depth)) end += 1;
  const text = lines.slice(at, end).map((line) => line.trim()).join("\n");
  return { block: { type: "p", children: parseInline(text) }, next: end };
}

/** As in CommonMark, a number ends a paragraph only if it is 1: "born in\n1984." is no list. */
function interrupts(line, depth) {
  const marker = depth < LIST_DEPTH_MAX && MARKER.exec(line);
  return FENCE.test(line) || HEADING.test(line) || (marker && (!isOrdered(marker) || parseInt(marker[2], 10) === 1));
}

function list(lines, at, depth) {
  const first = depth < LIST_DEPTH_MAX && MARKER.exec(lines[at]);
  if (!first) return null;
  const ordered = isOrdered(first);
  const items = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next];
    const marker = MARKER.exec(line);
    const isInner = items.length > 0 && /^ */.exec(line)[0].length >= first[1].length + 2;
    if (isInner) items.at(-1).push(line.replace(new RegExp(`^ {1,${first[0].length}}`), ""));
    else if (marker && isOrdered(marker) === ordered) items.push([line.slice(marker[0].length)]);
    else if (isBlank(line) && goesOn(lines, next, first, ordered)) items.at(-1).push("");
    else if (marker || isBlank(line) || interrupts(line, depth)) break;
    else items.at(-1).push(line);
  }
  const block = { type: ordered ? "ol" : "ul", items: items.map((item) => parseBlocks(item, depth + 1)) };
  if (ordered) block.start = parseInt(first[2], 10);
  return { block, next };
}

/** Whether what follows an empty line still belongs to the list. */
function goesOn(lines, at, first, ordered) {
  const line = lines.slice(at).find((later) => !isBlank(later)) ?? "";
  const marker = MARKER.exec(line);
  return /^ */.exec(line)[0].length >= first[1].length + 2 || (marker !== null && isOrdered(marker) === ordered);
}

const INLINE = new RegExp(
  [
    /\\([\\`*_~[\](){}#+\-.!>|])/, // 1: an escaped character
    /(`+)(?!`)([^]*?[^`])\2(?!`)/, // 3: code
    /\*\*(?=\S)([^]*?\S)\*\*(?!\*)/, // 4: bold
    /(?<![\w*])\*(?=[^\s*])([^*]*[^\s*])\*(?![\w*])/, // 5: italic, never inside a word
    /!?\[([^[\]]{1,500})\]\(((?:[^\s()]|\([^\s()]*\))+)(?: +"[^"]*")?\)/, // 6, 7: a link, or an image shown as one
    /(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*])/, // 8: a bare address without the sentence's punctuation
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "g",
);

function parseInline(text) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    addText(nodes, text.slice(end, match.index));
    addMatch(nodes, match);
    end = match.index + match[0].length;
  }
  addText(nodes, text.slice(end));
  return nodes;
}

function addMatch(nodes, match) {
  const [whole, escaped, , code, bold, italic, label, target, bare] = match;
  const href = safeHref(target ?? bare);
  if (escaped) addText(nodes, escaped);
  else if (code) nodes.push({ type: "code", text: code });
  else if (bold) nodes.push({ type: "strong", children: parseInline(bold) });
  else if (italic) nodes.push({ type: "em", children: parseInline(italic) });
  else if (href) nodes.push({ type: "link", href, text: label ?? bare });
  else addText(nodes, whole);
}

function addText(nodes, text) {
  text.split("\n").forEach((line, index) => {
    if (index > 0) nodes.push({ type: "br" });
    const last = nodes.at(-1);
    if (last?.type === "text") last.text += line;
    else if (line !== "") nodes.push({ type: "text", text: line });
  });
}

/** The address if a visitor may be led there: absolute, of a harmless scheme, without a name before the host. */
export function safeHref(address) {
  if (address === undefined || !URL.canParse(address)) return null;
  const url = new URL(address);
  const isHarmless = ["http:", "https:", "mailto:"].includes(url.protocol);
  return isHarmless && url.username === "" && url.password === "" ? url.href : null;
}

/**
 * Shows `text` in `container`, again whenever it has grown. Blocks that have not changed keep their nodes, so that a
 * selection survives. `shown` is what the call before returned.
 */
export function paint(container, text, shown = []) {
  const blocks = parse(text);
  const keys = blocks.map((block) => JSON.stringify(block));
  const same = keys.findIndex((key, index) => key !== shown[index]);
  const kept = same < 0 ? keys.length : same;
  while (container.childNodes.length > kept) container.lastChild.remove();
  container.append(...blocks.slice(kept).map(toNode));
  return keys;
}

function toNode(node) {
  switch (node.type) {
    case "text":
      return document.createTextNode(node.text);
    case "br":
      return element("br");
    case "code":
      return element("code", {}, node.text);
    case "pre":
      // It scrolls sideways: so must those who have no mouse.
      return element("pre", { tabIndex: 0 }, element("code", {}, node.text));
    case "link":
      return element("a", { href: node.href, rel: "noopener noreferrer nofollow", target: "_blank" }, node.text);
    case "heading":
      return element("p", {}, element("strong", {}, ...node.children.map(toNode)));
    case "ul":
    case "ol": {
      const items = node.items.map((blocks) => element("li", {}, ...blocks.map(toNode)));
      return element(node.type, node.start === undefined ? {} : { start: node.start }, ...items);
    }
    default: // p, strong, em
      return element(node.type, {}, ...node.children.map(toNode));
  }
}
