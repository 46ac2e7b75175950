/** What axe-core finds wrong with a page. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const script = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const GRAVE = ["serious", "critical"];

/**
 * The serious findings, as lines; the script is evaluated from outside, so the page's policy stays as it is.
 * @param {import("puppeteer-core").Page} page
 * @returns {Promise<string[]>}
 */
export async function graveFindings(page) {
  await page.evaluate(await readFile(script, "utf8"));
  const { violations } = await page.evaluate(() => /** @type {any} */ (window).axe.run(document));
  return violations
    .filter((/** @type {any} */ { impact }) => GRAVE.includes(impact))
    .map((/** @type {any} */ { id, nodes }) => `${id}: ${nodes.map((/** @type {any} */ { html }) => html).join(" ")}`);
}
