/**
 * The Markdown that models write: paragraphs with line breaks, headings, lists, quotes, rules, tables, code, bold, italic,
 * struck out and links. An answer is untrusted text. It becomes a tree first, of texts and `[tag, properties, ...children]`,
 * and elements after, so that no HTML is ever parsed. What is not listed stays text, and an image becomes a link.
 */

import { h } from "./dom.js";

const DEPTH_MAX = 4;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$/;
const MARKER = /^( {0,3})([-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;
const QUOTE = /^ {0,3}> ?/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
/** The second line of a table. */
const COLUMNS = /^ {0,3}\|?(?:[ \t]*:?-+:?[ \t]*\|)+(?:[ \t]*:?-+:?)?[ \t]*$/;

export function parse(text) {
  return parseBlocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

/** Each kind of block takes lines from `at` on, and gives itself and the line after it, or nothing. */
function parseBlocks(lines, depth) {
  const blocks = [];
  for (let at = 0; at < lines.length; ) {
    if (isBlank(lines[at])) at += 1;
    else {
      const [block, next] =
        fence(lines, at) ?? heading(lines, at) ?? rule(lines, at) ?? quote(lines, at, depth) ?? list(lines, at, depth) ??
        table(lines, at) ?? paragraph(lines, at, depth);
      blocks.push(block);
      at = next;
    }
  }
  return blocks;
}

const isBlank = (line) => line.trim() === "";
const isOrdered = (marker) => /\d/.test(marker[2]);
const indent = (line) => line.search(/[^ ]|$/);

function fence(lines, at) {
  const opening = FENCE.exec(lines[at]);
  if (!opening) return null;
  let end = at + 1;
  while (end < lines.length && !(FENCE.test(lines[end]) && lines[end].trim().startsWith(opening[1]))) end += 1;
  return [["pre", {}, lines.slice(at + 1, end).join("\n")], end + 1];
}

/** The page has its own first headings. */
function heading(lines, at) {
  const found = HEADING.exec(lines[at]);
  return found && [[`h${Math.min(found[1].length + 2, 6)}`, {}, ...parseInline(found[2])], at + 1];
}

function rule(lines, at) {
  return RULE.test(lines[at]) ? [["hr", {}], at + 1] : null;
}

function quote(lines, at, depth) {
  if (depth >= DEPTH_MAX || !QUOTE.test(lines[at])) return null;
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [["blockquote", {}, ...parseBlocks(inner, depth + 1)], end];
}

function table(lines, at) {
  if (!lines[at].includes("|") || !COLUMNS.test(lines[at + 1] ?? "")) return null;
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  const row = (line, tag) => {
    const cells = line.trim().replace(/^\||\|$/g, "").split(/(?<!\\)\|/);
    return ["tr", {}, ...cells.map((cell) => [tag, {}, ...parseInline(cell.trim())])];
  };
  return [["table", {}, row(lines[at], "th"), ...lines.slice(at + 2, end).map((line) => row(line, "td"))], end];
}

function paragraph(lines, at, depth) {
  let end = at + 1;
  while (end < lines.length && !isBlank(lines[end]) && !interrupts(lines[end], depth)) end += 1;
  return [["p", {}, ...parseInline(lines.slice(at, end).map((line) => line.trim()).join("\n"))], end];
}

/** As in CommonMark, a number ends a paragraph only if it is 1: "born in\n1984." is no list. */
function interrupts(line, depth) {
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line)) return true;
  if (depth >= DEPTH_MAX) return false;
  const marker = MARKER.exec(line);
  return QUOTE.test(line) || (marker && (!isOrdered(marker) || parseInt(marker[2]) === 1));
}

function list(lines, at, depth) {
  const first = depth < DEPTH_MAX && MARKER.exec(lines[at]);
  if (!first) return null;
  const ordered = isOrdered(first);
  const isInner = (line) => indent(line) >= first[1].length + 2;
  const isSibling = (line) => {
    const marker = MARKER.exec(line);
    return marker && isOrdered(marker) === ordered;
  };
  const items = [];
  let next = at;
  for (; next < lines.length; next += 1) {
    const line = lines[next];
    if (items.length && isInner(line)) items.at(-1).push(line.replace(new RegExp(`^ {1,${first[0].length}}`), ""));
    else if (isBlank(line)) {
      // What follows an empty line may still belong to the list.
      let later = next;
      while (later < lines.length && isBlank(lines[later])) later += 1;
      if (later === lines.length || (!isInner(lines[later]) && !isSibling(lines[later]))) break;
      items.at(-1).push("");
      next = later - 1;
    } else if (isSibling(line) && !(items.length && RULE.test(line))) items.push([line.replace(MARKER, "")]);
    else if (MARKER.test(line) || interrupts(line, depth)) break;
    else items.at(-1).push(line);
  }
  const children = items.map((item) => ["li", {}, ...parseBlocks(item, depth + 1)]);
  return [ordered ? ["ol", { start: parseInt(first[2]) }, ...children] : ["ul", {}, ...children], next];
}

const INLINE = new RegExp(
  [
    /\\([!-/:-@[-`{-~])/, // 1: an escaped character
    /(`+)(?!`)([^]*?[^`])\2(?!`)/, // 3: code
    /(\*\*|__|~~)(?=\S)([^]*?\S)\4(?![*\w])/, // 4, 5: bold, or struck out
    /(?<![\w*])([*_])(?=[^\s*_])([^*]*?[^\s*])\6(?![\w*])/, // 6, 7: italic, never inside a word
    /!?\[([^[\]]{1,500})\]\(((?:[^\s()]|\([^\s()]*\))+)(?: +"[^"]*")?\)/, // 8, 9: a link, or an image shown as one
    /(https?:\/\/[^\s<>"'`]*[^\s<>"'`.,;:!?)\]*_~])/, // 10: a bare address without the sentence's punctuation
  ]
    .map((pattern) => pattern.source)
    .join("|"),
  "g",
);

function parseInline(text, isInLink) {
  const nodes = [];
  const addText = (text) => {
    text.split("\n").forEach((line, index) => {
      if (index) nodes.push(["br", {}]);
      if (!line) return;
      if (typeof nodes.at(-1) === "string") nodes.push(nodes.pop() + line);
      else nodes.push(line);
    });
  };
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, escaped, , code, mark, strong, , em, label, target, bare] = match;
    const href = !isInLink && safeHref(target ?? bare);
    addText(text.slice(end, match.index));
    if (escaped) addText(escaped);
    else if (code) nodes.push(["code", {}, code]);
    else if (mark) nodes.push([mark === "~~" ? "del" : "strong", {}, ...parseInline(strong, isInLink)]);
    else if (em) nodes.push(["em", {}, ...parseInline(em, isInLink)]);
    else if (href) nodes.push(["a", { href }, ...(bare ? [bare] : parseInline(label, true))]);
    else addText(whole);
    end = match.index + whole.length;
  }
  addText(text.slice(end));
  return nodes;
}

/** The address if a visitor may be led there: absolute, of a harmless scheme, without a name before the host. */
export function safeHref(address) {
  try {
    const { protocol, username, password, href } = new URL(address);
    return /^(https?|mailto|tel):$/.test(protocol) && !username && !password ? href : null;
  } catch {
    return null;
  }
}

/** What a link needs besides: the page it leads to learns nothing, and the visitor keeps the one it is on. */
export function linkProperties(href) {
  const isHere = new URL(href).origin === location.origin;
  return { href, rel: "noopener noreferrer nofollow ugc", target: isHere ? "" : "_blank" };
}

/**
 * Shows `text` in `container`, again whenever it has grown. Blocks that have not changed keep their elements, so that a
 * selection survives. `shown` is what the call before returned; `copyButton(text)` makes the button of a code block.
 */
export function paint(container, text, shown, copyButton) {
  const blocks = parse(text);
  const keys = blocks.map((block) => JSON.stringify(block));
  const same = keys.findIndex((key, index) => key !== shown[index]);
  const kept = same < 0 ? keys.length : same;
  while (container.childNodes.length > kept) container.lastChild.remove();

  const toNode = (node) => {
    if (typeof node === "string") return node;
    const [tag, properties, ...children] = node;
    const element = h(tag, tag === "a" ? linkProperties(properties.href) : properties, ...children.map(toNode));
    // What scrolls sideways must do so for those who have no mouse, too.
    if (tag === "table") return h("div", { className: "wide", tabIndex: 0 }, element);
    if (tag !== "pre") return element;
    element.tabIndex = 0;
    return h("div", "code", element, copyButton(children[0] ?? ""));
  };
  container.append(...blocks.slice(kept).map(toNode));
  return keys;
}
