import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const assets = new URL("../assets/", import.meta.url);
const read = (/** @type {string} */ name) => readFileSync(new URL(name, assets), "utf8");
const html = read("index.html");
const scripts = readdirSync(new URL("js/", assets)).sort();

test("every module is fetched at once, not one after the other", () => {
  const named = [...html.matchAll(/href="\/js\/([\w-]+\.js)"|src="\/js\/([\w-]+\.js)"/g)].map(([, a, b]) => a ?? b);
  assert.deepEqual(named.sort(), scripts);
});

test("the page holds nothing that its policy would forbid", () => {
  assert.doesNotMatch(html, /\sstyle=|\son\w+=|<style|javascript:/i);
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)/i);
  for (const name of scripts) assert.doesNotMatch(read(`js/${name}`), /innerHTML|outerHTML|insertAdjacentHTML|eval\(/, name);
});

test("every element that a module looks for is on the page, once", () => {
  const ids = [...html.matchAll(/\sid="([\w-]+)"/g)].map(([, id]) => id);
  assert.equal(new Set(ids).size, ids.length);
  const made = /^step-/;
  for (const name of scripts) {
    for (const [, id] of read(`js/${name}`).matchAll(/byId\("([\w-]+)"\)/g)) {
      assert.ok(ids.includes(id) || made.test(id), `${name} looks for #${id}`);
    }
  }
});

test("labels and described elements exist", () => {
  for (const [, id] of html.matchAll(/(?:\sfor|aria-labelledby|aria-describedby)="([\w-]+)"/g)) {
    assert.ok(html.includes(` id="${id}"`), id);
  }
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
