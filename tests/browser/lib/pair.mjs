/** Two people in one room. */

import { open } from "./browser.mjs";

/**
 * @typedef {object} Pair
 * @property {[import("puppeteer-core").Browser, import("puppeteer-core").Browser]} browsers
 * @property {string} engines
 * @property {import("../lib/suite.mjs").Suite} suite
 * @property {import("../run.mjs").Stage["keep"]} keep
 */

/**
 * Has Aoi and Sora enter a room, one after the other.
 * @param {import("./browser.mjs").Person} aoi
 * @param {import("./browser.mjs").Person} sora
 * @param {string} page
 * @param {boolean} [relayOnly]
 */
export async function enter(aoi, sora, page, relayOnly = false) {
  await aoi.visit(page);
  await aoi.enter({ name: "Aoi", relayOnly });
  await aoi.says(/^Waiting/);
  await sora.visit(aoi.page.url());
  await sora.enter({ name: "Sora", relayOnly });
}

/**
 * Two who see each other.
 * @param {Omit<Pair, "engines">} pair
 */
export async function meet({ browsers, suite, keep }) {
  const [aoi, sora] = [keep(await open(browsers[0])), keep(await open(browsers[1]))];
  await enter(aoi, sora, suite.page);
  await aoi.says(/^Connected to Sora directly/);
  await sora.says(/^Connected to Aoi directly/);
  return { aoi, sora };
}
