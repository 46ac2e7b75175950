/** The pages as they lie in the folder: their HTML, and every module that they load. */

import { readdirSync, readFileSync } from "node:fs";

import common from "../assets/js/words-common.js";

const assets = new URL("../assets/", import.meta.url);

/** @param {string} path below the assets */
export const read = (path) => readFileSync(new URL(path, assets), "utf8");

/** Everything below `js/`, as paths from there. @type {string[]} */
export const scripts = readdirSync(new URL("js/", assets), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".js"))
  .sort();

/** @typedef {{ name: string, html: string, entry: string, words: string, modules: string[] }} Page */

/** @type {Page[]} */
export const pages = [
  page("index.html", "js/app.js", "js/words"),
  page("check.html", "js/check/app.js", "js/check/words"),
  page("inspect.html", "js/inspect/app.js", "js/inspect/words"),
];

/**
 * What the page can say, in each language: its own words and those of all pages.
 * @param {Page} page
 */
export async function wordsOf({ words }) {
  const [en, ja] = await Promise.all(["en", "ja"].map((language) => import(`../assets/${words}-${language}.js`)));
  return {
    own: { en: en.default, ja: ja.default },
    common,
  };
}

/**
 * @param {string} name
 * @param {string} entry
 * @param {string} words
 * @returns {Page}
 */
function page(name, entry, words) {
  return { name, html: read(name), entry, words, modules: reached(entry) };
}

/**
 * The module and all that it imports, directly or not.
 * @param {string} entry
 */
function reached(entry) {
  const found = [entry];
  for (const path of found) {
    for (const [, target] of read(path).matchAll(/^import\s(?:[^;"]*?from\s)?"([^"]+)";/gm)) {
      const { pathname } = new URL(target, `file:///${path}`);
      const file = pathname.slice(1);
      if (!found.includes(file)) found.push(file);
    }
  }
  return found.sort();
}
