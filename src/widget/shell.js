/**
 * The elements that are always there: the launcher, the bubble beside it, and the panel with head, log and composer. Opens and
 * closes the panel, and minds where the focus is. What is pressed, and what is said, is for others.
 */

import { agent, words } from "./agent.js";
import { inkOn } from "./colours.js";
import { button, h, icon } from "./dom.js";
import { attach, emit, host, listen } from "./page.js";
import css from "./widget.css";

const ICONS = {
  chat: "M4 5h16v11H10l-5 4v-4H4z",
  help: "M8 8a4 4 0 1 1 5 4q-1 .5-1 3m0 4v.1",
  spark: "M12 3l2 7 7 2-7 2-2 7-2-7-7-2 7-2z",
};
/** A page that listens for keys, pastes, the focus or the wheel must not take them away from the visitor. */
const OURS_ALONE = "keydown keyup keypress beforeinput input paste copy cut focusin focusout wheel".split(" ");

export const phone = matchMedia("(max-width: 480px)");
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
/** What writes the words again, after they have changed. */
const labels = [];

function labelled(node, key, property = "textContent", other = property) {
  labels.push(() => (node[property] = node[other] = words(key)));
  return node;
}

function iconButton(className, path, key) {
  return labelled(button(className, null, icon(path)), key, "ariaLabel", "title");
}

const launcherIcon = icon("");
const launcherLabel = h("span", {});
const badge = h("span", "badge");
export const launcher = button("launcher", null, launcherIcon, launcherLabel, badge);
export const bubble = h("div", { className: "nudge", hidden: true });

const avatar = h("span", { className: "avatar", ariaHidden: true });
const name = h("h2", { id: "name" });
export const leadButton = iconButton("lead-open", "M3 6h18v12H3zl9 7 9-7", "leave_email");
export const freshButton = iconButton("new", "M12 5v14M5 12h14", "new_conversation");
export const closeButton = iconButton("close", "M6 6l12 12M18 6L6 18", "close");
const offline = labelled(h("p", "bar offline"), "offline");
export const messages = labelled(h("div", { className: "log", role: "log", ariaLive: "off", tabIndex: 0 }), "conversation", "ariaLabel");
export const jump = labelled(button("jump"), "jump");
export const input = labelled(h("textarea", { rows: 1, maxLength: 4000, dir: "auto" }), "placeholder", "ariaLabel", "placeholder");
export const sendButton = iconButton("round primary send", "M4 12h15m-6-6l6 6-6 6", "send");
export const stopButton = iconButton("round primary stop", "M7 7h10v10H7z", "stop_reply");
const panel = h(
  "section",
  { className: "panel", role: "dialog", "aria-labelledby": "name", tabIndex: -1, hidden: true },
  h("header", {}, avatar, h("div", {}, name, labelled(h("p", {}), "subtitle")), leadButton, freshButton, closeButton),
  offline,
  messages,
  jump,
  h("div", "composer", input, sendButton, stopButton),
);
const status = h("p", { className: "status sr", role: "status" });
export const wrapper = h("div", {}, launcher, bubble, panel, status);
const root = host.attachShadow({ mode: "open" });

export const isOpen = () => !panel.hidden;
/** To screen readers alone, when they have finished what they are saying. */
export const say = (text) => (status.textContent = text);

/** What had the focus before the panel opened. */
let opener = null;
/** The body that the panel covers, and how the page was before. */
let covered = null;
let inert = false;
let overflow = "";
export let unread = 0;

/** On the page, once there are an agent and its words. */
export function putOnPage() {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  root.append(wrapper);
  launcher.ariaHasPopup = "dialog";
  setBusy(false);
  paint();
  attach(coverPage);

  listen(phone, "change", coverPage);
  listen(prefersDark, "change", paint);
  const showOffline = () => (offline.hidden = navigator.onLine);
  listen(window, "online", showOffline);
  listen(window, "offline", showOffline);
  showOffline();
  // A phone's keyboard covers the page without changing its height.
  // Nor is a page that is magnified any lower.
  listen(visualViewport, "resize", () => wrapper.style.setProperty("--height", `${visualViewport.height * visualViewport.scale}px`));
  listen(wrapper, "keydown", keepInside);
  for (const type of OURS_ALONE) listen(wrapper, type, (event) => event.stopPropagation(), { passive: true });
}

/** Looks and words, as the configuration has them now. */
export function paint() {
  const { theme } = agent;
  const isDark = theme.mode === "dark" || (theme.mode === "auto" && prefersDark.matches);
  wrapper.className = `w ${theme.side}${isDark ? " dark" : ""}`;
  wrapper.lang = agent.language;
  wrapper.dir = agent.direction;
  const properties = {
    color: theme.color,
    "on-color": inkOn(theme.color),
    accent: theme.accent,
    "on-accent": inkOn(theme.accent),
    radius: `${theme.radius_px}px`,
    x: `${theme.offset_x_px}px`,
    y: `${theme.offset_y_px}px`,
  };
  for (const property in properties) wrapper.style.setProperty(`--${property}`, properties[property]);
  launcherIcon.firstChild.setAttribute("d", ICONS[theme.launcher_icon]);
  launcherLabel.textContent = theme.launcher_label;
  name.textContent = agent.name;
  avatar.replaceChildren(theme.avatar ? h("img", { className: "avatar", src: theme.avatar, alt: "" }) : [...agent.name][0]);
  for (const label of labels) label();
  showUnread(unread);
}

/** How many answers came while the panel was closed. */
export function showUnread(count) {
  if (count !== unread) emit("unread", { count });
  unread = count;
  badge.hidden = !count;
  badge.textContent = count > 9 ? "9+" : count;
  const label = agent.theme.launcher_label || words("launcher");
  launcher.ariaLabel = count ? `${label}, ${words("unread", count)}` : label;
}

/** Automatic openings leave the focus where it is. */
export function openPanel(takesFocus) {
  opener = root.activeElement ?? document.activeElement;
  panel.hidden = false;
  coverPage();
  fit();
  if (takesFocus) focusInside();
}

/** On a touch screen focus in the field would bring up the keyboard, which nobody asked for. */
function focusInside() {
  (phone.matches ? panel : input).focus({ preventScroll: true });
}

/** After what was pressed has gone, or has been hidden: it takes the focus with it. */
export function refocus() {
  const { activeElement } = root;
  const isLost = activeElement ? activeElement.hidden : document.activeElement === document.body;
  if (isLost && isOpen()) focusInside();
}

export function closePanel() {
  const hadFocus = panel.contains(root.activeElement);
  panel.hidden = true;
  coverPage();
  // What had it before may be gone or hidden, and takes none.
  if (hadFocus) for (const node of [launcher, opener]) node.focus({ preventScroll: true });
}

/** A phone has room for the panel alone: what lies under it is out of reach until it closes. */
export function coverPage() {
  const isCovering = isOpen() && phone.matches && !wrapper.hidden;
  launcher.ariaExpanded = isOpen();
  launcher.hidden = isCovering;
  panel.ariaModal = isCovering;
  const body = isCovering ? document.body : null;
  if (body === covered) return;
  const { style } = document.documentElement;
  if (covered) covered.inert = inert;
  else overflow = style.overflow;
  if (body) {
    inert = body.inert;
    body.inert = true;
  }
  style.overflow = body ? "hidden" : overflow;
  covered = body;
}

/** While the page is covered, after the last thing to reach comes the first. */
function keepInside(event) {
  if (event.key !== "Tab" || !covered) return;
  const all = [...panel.querySelectorAll("a,button,input,select,textarea,[tabindex='0']")];
  const stops = all.filter((node) => !node.disabled && node.getClientRects().length);
  const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
  if (root.activeElement !== from && root.activeElement !== panel) return;
  event.preventDefault();
  to.focus();
}

/** The field is as high as its text, up to what `widget.css` allows. */
export function fit() {
  input.style.height = "auto";
  input.style.height = `${input.scrollHeight + 2}px`;
}

/** While an answer runs, its stop button stands in the place of the send button. */
export function setBusy(isBusy) {
  // Nobody who has left for the page is fetched back when an answer ends.
  const isMeant = isBusy || root.activeElement;
  sendButton.hidden = isBusy;
  stopButton.hidden = !isBusy;
  if (isMeant) refocus();
}
