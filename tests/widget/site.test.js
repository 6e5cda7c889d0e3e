// The parts of the demo page's shop and drawer that need no browser.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { KITES, WINDS, flies, kiteById } from "../../src/widget/site/kites.js";
import { PAGES, addressOf, pageAt } from "../../src/widget/site/pages.js";
import { LANGUAGES } from "../../src/widget/site/try/languages.js";
import { toToml } from "../../src/widget/site/try/toml.js";

const at = (address) => new URL(address, "http://127.0.0.1:8080");

test("a page is found by its path, by ?page= and by its hash", () => {
  for (const address of ["/pricing", "/?page=pricing", "/#pricing", "/pricing?page=checkout", "/pricing#visit"]) {
    assert.equal(pageAt(at(address)), "pricing", address);
  }
  for (const address of ["/", "/?page=nothing", "/#visit", "/?page=toString", "/nothing"]) {
    assert.equal(pageAt(at(address)), "home", address);
  }
});

test("a page that was asked for in another way gets the address that rules compare", () => {
  for (const [asked, address] of [
    ["/?page=checkout", "/checkout"],
    ["/#checkout", "/checkout"],
    ["/checkout", "/checkout"],
    ["/#visit", "/#visit"],
  ]) {
    assert.equal(addressOf(pageAt(at(asked)), at(asked)).href, at(address).href);
  }
});

test("every link within the shop leads to a page that has a template, and to a section that is there", () => {
  const html = readFileSync(new URL("../../src/widget/site/index.html", import.meta.url), "utf8");
  const links = [...html.matchAll(/<a [^>]*href="(\/[^"]*)"/g)].map(([, address]) => at(address));
  assert.ok(links.length > 8);
  for (const url of links.filter(({ pathname }) => pathname !== "/openapi.json")) {
    const page = Object.values(PAGES).find(({ path }) => path === url.pathname);
    assert.ok(page, url.href);
    if (url.hash) assert.ok(html.includes(` id="${url.hash.slice(1)}"`), url.href);
  }
  for (const name of Object.keys(PAGES)) assert.ok(html.includes(`<template id="page-${name}">`), name);
});

test("the kite that is advised flies in that wind", () => {
  for (const { kite, knots } of WINDS) assert.ok(flies(kiteById(kite), knots), kite);
  assert.ok(KITES.every((kite) => flies(kite, 9)), "nine knots is for all of them");
});

test("what was tried reads as widget.toml: only what is set, with quotes escaped", () => {
  assert.equal(
    toToml({ language: "de", direction: undefined, theme: { radius_px: 4, launcher_label: 'Say "hi"' }, strings: { send: "Los" } }),
    'language = "de"\n\n[agent.theme]\nradius_px = 4\nlauncher_label = "Say \\"hi\\""',
  );
  assert.equal(toToml({ theme: { color: undefined } }), "");
});

test("every language that the widget has words in can be tried, and no other", () => {
  const files = readdirSync(new URL("../../src/widget/words/", import.meta.url));
  assert.deepEqual(Object.keys(LANGUAGES).map((language) => `${language}.json`).sort(), files.sort());
});
