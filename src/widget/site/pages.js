/**
 * The shop as a single-page app: its pages are templates in the document, and a click on a link swaps what is in `<main>`.
 * The server sends the same document for each of their paths, so a reload finds the page again; `/?page=pricing` and
 * `/#pricing` lead there too.
 */

import { byId } from "./element.js";

export const PAGES = {
  home: { path: "/", title: "Nine Knots, a kite workshop" },
  products: { path: "/products", title: "Kites · Nine Knots" },
  pricing: { path: "/pricing", title: "Prices · Nine Knots" },
  checkout: { path: "/checkout", title: "Basket · Nine Knots" },
};

/** The name of the page that a `URL` asks for; home if it asks for none that there is. */
export function pageAt({ pathname, searchParams, hash }) {
  if (pathname !== "/") return Object.keys(PAGES).find((name) => PAGES[name].path === pathname) ?? "home";
  const asked = searchParams.get("page") ?? hash.slice(1);
  return Object.hasOwn(PAGES, asked) ? asked : "home";
}

/** The page's own address, which rules of the widget compare: `/pricing` where it was asked for by `/?page=pricing`. */
export function addressOf(name, { origin, hash }) {
  return new URL(PAGES[name].path + (Object.hasOwn(PAGES, hash.slice(1)) ? "" : hash), origin);
}

/** `fill` has a function for each page that is more than its template, called once, when the page is in the document. */
export function startPages(fill) {
  const main = byId("main");
  /** The nodes of pages that were shown, so that what was typed there is still there. */
  const kept = {};
  let shown = null;

  function show(url) {
    const name = pageAt(url);
    if (name === shown) return;
    shown = name;
    const isNew = !kept[name];
    kept[name] ??= [...document.importNode(byId(`page-${name}`).content, true).children];
    main.replaceChildren(...kept[name]);
    if (isNew) fill[name]?.();
    document.title = PAGES[name].title;
    for (const link of document.querySelectorAll(".head nav a")) {
      if (link.pathname === PAGES[name].path) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** To the section that the address names, else to the top; the heading takes the focus, so that the new page is read out. */
  function arrive({ hash }) {
    const section = hash && byId(hash.slice(1));
    if (section) return section.scrollIntoView();
    main.querySelector("h1").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  function follow(event) {
    const link = event.target.closest("a[href]");
    const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
    if (!link || !isPlain || event.defaultPrevented || link.target || link.origin !== location.origin) return;
    if (!Object.values(PAGES).some(({ path }) => path === link.pathname)) return;
    // A place on the page that is there: the browser goes by itself.
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    const url = new URL(link.href);
    if (url.href !== location.href) history.pushState(null, "", url);
    show(url);
    arrive(url);
  }

  document.addEventListener("click", follow);
  window.addEventListener("popstate", () => show(new URL(location.href)));
  const asked = new URL(location.href);
  show(asked);
  const address = addressOf(shown, asked);
  if (address.href !== asked.href) history.replaceState(null, "", address);
  if (address.hash) arrive(address);
}
