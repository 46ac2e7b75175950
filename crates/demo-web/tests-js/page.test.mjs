import assert from "node:assert/strict";
import { test } from "node:test";
import { brotliCompressSync } from "node:zlib";

import { pages, read, scripts } from "./assets.mjs";

/** What a page may weigh on its way to a phone, all its files together. */
const FIRST_LOAD = 150_000;
/** Elements that modules make themselves and then look for. */
const made = /^step-/;

test("every module belongs to a page", () => {
  const loaded = new Set(pages.flatMap(({ modules }) => modules));
  assert.deepEqual(scripts.filter((name) => !loaded.has(`js/${name}`)), []);
});

test("what a module loads later is there", () => {
  const later = scripts.flatMap((name) => [...read(`js/${name}`).matchAll(/\simport\("\/([^"]+)"\);/g)].map(([, path]) => path));
  assert.ok(later.length > 0);
  for (const path of later) assert.ok(read(path).length > 0, path);
});

for (const { name, html, entry, modules } of pages) {
  test(`every module is fetched at once, not one after the other (${name})`, () => {
    const named = [...html.matchAll(/(?:href|src)="\/([\w./-]+\.js)"/g)].map(([, path]) => path);
    assert.deepEqual(named.sort(), modules);
    assert.ok(html.includes(`<script type="module" src="/${entry}"></script>`));
  });

  test(`the page holds nothing that its policy would forbid (${name})`, () => {
    assert.doesNotMatch(html, /\sstyle=|\son\w+=|<style|javascript:/i);
    assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/i);
  });

  test(`every element that a module looks for is on the page, once (${name})`, () => {
    const ids = [...html.matchAll(/\sid="([\w-]+)"/g)].map(([, id]) => id);
    assert.equal(new Set(ids).size, ids.length);
    for (const path of modules) {
      for (const [, id] of read(path).matchAll(/byId\("([\w-]+)"\)/g)) {
        assert.ok(ids.includes(id) || made.test(id), `${path} looks for #${id}`);
      }
    }
  });

  test(`labels and described elements exist (${name})`, () => {
    for (const [, list] of html.matchAll(/(?:\sfor|aria-labelledby|aria-describedby)="([\w -]+)"/g)) {
      for (const id of list.split(" ")) assert.ok(html.includes(` id="${id}"`), id);
    }
  });

  test(`the first load is small (${name})`, () => {
    const named = [...html.matchAll(/(?:href|src)="\/([\w./-]+\.(?:js|css|svg))"/g)].map(([, path]) => path);
    const sizes = [name, ...named].map((path) => brotliCompressSync(read(path)).length);
    const sum = sizes.reduce((a, b) => a + b);
    assert.ok(sum < FIRST_LOAD, `${sum} bytes`);
  });
}

test("no module builds elements out of text", () => {
  for (const name of scripts) assert.doesNotMatch(read(`js/${name}`), /innerHTML|outerHTML|insertAdjacentHTML|eval\(/, name);
});

test("text is readable on its ground in light and dark: contrast of 4.5 or more", () => {
  const css = read("css/base.css");
  const [light, dark] = [css, css.slice(css.indexOf("prefers-color-scheme: dark"))].map(colours);
  for (const theme of [light, { ...light, ...dark }]) {
    for (const ground of ["paper", "card"]) {
      for (const text of ["ink", "soft", "indigo", "pine", "vermilion", "plum", "ochre"]) {
        const ratio = contrast(theme[text], theme[ground]);
        assert.ok(ratio >= 4.5, `${text} ${theme[text]} on ${ground} ${theme[ground]}: ${ratio.toFixed(2)}`);
      }
    }
    assert.ok(contrast(theme["on-indigo"], theme.indigo) >= 4.5);
  }
});

/**
 * The first value of each colour from here on.
 * @param {string} css
 */
function colours(css) {
  /** @type {Record<string, string>} */
  const found = {};
  for (const [, name, value] of css.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)) found[name] ??= value;
  return found;
}

/**
 * WCAG 2.2, contrast ratio.
 * @param {string} a
 * @param {string} b
 */
function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

/** @param {string} colour */
function luminance(colour) {
  const [r, g, b] = [1, 3, 5]
    .map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
