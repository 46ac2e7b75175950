/** What axe-core finds wrong with a page, and whether the page fits. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";

import { check } from "./report.mjs";

const script = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const GRAVE = ["serious", "critical"];
const WIDTHS = [320, 390, 768, 980, 1440];

/** @typedef {import("puppeteer-core").Page} Page */

/**
 * Looks at the page in both languages, light and dark, narrow and wide; pictures go to `folder`.
 * @param {Page} page as it shall be seen
 * @param {{ name: string, engine: string, folder?: string, below: string }} options `below` is what a phone's
 *   picture shows
 */
export async function looks(page, { name, engine, folder, below }) {
  for (const language of ["en", "ja"]) {
    await page.click(`[data-language=${language}]`);
    await check(`axe finds nothing serious at /${name}, and it fits from 320 to 1440 pixels (${language}, ${engine})`, async () => {
      assert.equal(await page.$eval("html", (html) => html.lang), language);
      for (const scheme of ["dark", "light"]) {
        // There is Chromium's own protocol only.
        if (engine === "Chromium") await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        assert.deepEqual(await graveFindings(page), []);
      }
      for (const width of WIDTHS) await fits(page, width, folder && join(folder, `${name}-${language}-${width}.png`), below);
    });
  }
}

/**
 * The serious findings, as lines; the script is evaluated from outside, so the page's policy stays as it is.
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export async function graveFindings(page) {
  await page.evaluate(await readFile(script, "utf8"));
  const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run(document));
  return violations
    .filter((/** @type {any} */ { impact }) => GRAVE.includes(impact))
    .map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ { html }) => html).join(" ")}`);
}

/**
 * @param {Page} page
 * @param {number} width
 * @param {string | undefined} path of a picture
 * @param {string} below
 */
async function fits(page, width, path, below) {
  await page.setViewport({ width, height: width < 700 ? 844 : 810 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${wide} pixels wide at ${width}`);
  if (!path || (width !== 390 && width !== 1440)) return;
  if (width === 390) await page.$eval(below, (element) => element.scrollIntoView());
  else await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path, clip: width === 1440 ? { x: 0, y: 0, width, height: 640 } : undefined });
}

/**
 * Runs `body` and tells what live regions said meanwhile that they had said before, as lines.
 * @param {Page} page
 * @param {() => Promise<unknown>} body
 * @returns {Promise<string[]>}
 */
export async function saidTwice(page, body) {
  await page.evaluate(() => {
    /** @type {string[]} */
    const twice = [];
    const regions = [...document.querySelectorAll("[role=status], [role=alert], [aria-live]")];
    const watches = regions.map((region) => {
      let said = region.textContent;
      const watch = new MutationObserver(() => {
        if (region.textContent === said) twice.push(`${region.id || region.firstElementChild?.id}: ${said}`);
        said = region.textContent;
      });
      watch.observe(region, { childList: true, characterData: true, subtree: true });
      return watch;
    });
    Object.assign(window, {
      endWatch: () => {
        for (const watch of watches) watch.disconnect();
        return twice;
      },
    });
  });
  await body();
  return page.evaluate(() => /** @type {any} */ (window).endWatch());
}
