/** The panel of figures and graphs during a call. */

import assert from "node:assert/strict";
import { join } from "node:path";

import { graveFindings, looks, saidTwice } from "../lib/accessible.mjs";
import { meet } from "../lib/pair.mjs";
import { check, eventually, seconds } from "../lib/report.mjs";
import { focused } from "./chat.mjs";

/** @typedef {import("../lib/browser.mjs").Person} Person */

/** @param {import("../lib/pair.mjs").Pair & { folder?: string }} stage the first browser is looked at */
export async function quality(stage) {
  const { aoi, sora } = await meet(stage);
  const [engine] = stage.engines.split(" ");
  await aoi.page.evaluate(rememberViolations);
  await check(`a key opens the panel, and what draws the graphs is loaded only then (${stage.engines.split(" ").at(-1)})`, () => opened(sora));
  await check(`what draws the graphs and did not come is asked for again when the panel is opened again (${engine})`, () => again(aoi));
  await check(`the figures are those of the call (${engine})`, () => figures(aoi));
  await check(`the graphs are drawn in the page's colours, within its policy (${engine})`, () => drawn(aoi, engine));
  await check(`no figure is told as it changes, and Escape leads back to the button (${engine})`, () => quiet(aoi));
  await aoi.page.click("#toggle-quality");
  await looks(aoi.page, { name: "with the figures", engine, below: "#quality" });
  if (stage.folder) await pictures(aoi, stage.folder);
  await aoi.close();
  await sora.close();
}

/**
 * @param {Person} person
 * @param {string} folder
 */
async function pictures({ page }, folder) {
  for (const language of ["en", "ja"]) {
    await page.click(`[data-language=${language}]`);
    for (const width of [390, 1440]) {
      await page.setViewport({ width, height: 844 });
      const drawn = () => page.$$eval("#graphs .uplot", (all) => all.length === 3 && all.every(({ clientWidth, parentElement }) => clientWidth === parentElement?.clientWidth));
      await eventually("graphs as wide as their places", drawn, (is) => is);
      await (await page.$("#quality"))?.screenshot({ path: join(folder, `quality-${language}-${width}.png`) });
    }
  }
}

/** @param {Person} person */
async function opened({ page }) {
  const loaded = () => page.evaluate(() => performance.getEntriesByType("resource").some(({ name }) => name.includes("/uPlot.esm.js")));
  assert.equal(await loaded(), false);
  await page.keyboard.press("q");
  assert.equal(await page.$eval("#toggle-quality", (button) => button.getAttribute("aria-expanded")), "true");
  await eventually("the library", loaded, (is) => is);
  await eventually("three graphs", () => page.$$eval("#graphs canvas", ({ length }) => length), (n) => n === 3);
}

/** @param {Person} person */
async function again({ page, errors }) {
  const graphs = () => page.$$eval("#graphs canvas", ({ length }) => length);
  await page.setRequestInterception(true);
  const asked = new Promise((resolve) => {
    let first = true;
    page.on("request", (request) => {
      if (!first || !request.url().includes("/uPlot.esm.js")) return void request.continue();
      first = false;
      resolve(request.abort());
    });
  });
  await page.click("#toggle-quality");
  await asked;
  await eventually("figures", () => page.$eval("#quality-figures", (element) => /** @type {HTMLElement} */ (element).hidden), (hidden) => !hidden);
  assert.equal(await graphs(), 0);
  await eventually("three graphs", async () => {
    await page.click("#quality-close");
    await page.click("#toggle-quality");
    return graphs();
  }, (n) => n === 3);
  await page.setRequestInterception(false);
  // The browser itself reports what did not come.
  errors.length = 0;
}

/** @param {Person} person */
async function figures(person) {
  const cells = () =>
    person.page.$$eval("#quality td[id]", (all) => Object.fromEntries(all.map(({ id, textContent }) => [id.replace("quality-", ""), textContent ?? ""])));
  const kbit = /^[1-9]\d* kbit\/s$/;
  const now = await eventually("bitrates", cells, (is) => kbit.test(is["bitrate-sent"]) && kbit.test(is["bitrate-received"]) && /ms$/.test(is.rtt));
  for (const way of ["sent", "received"]) {
    assert.match(now[`frames-${way}`], /^[1-9]\d*$/);
    assert.match(now[`size-${way}`], /^\d{3,4} × \d{3,4}$/);
    assert.match(now[`video-${way}`], /^(VP8|VP9|AV1|H264)$/);
    assert.equal(now[`audio-${way}`], "opus");
  }
  assert.match(now["loss-received"], /^\d+(\.\d)?%$/);
  assert.match(now.path, /^Direct, peer to peer: \w+ – \w+, UDP$/);
  const silent = await person.page.$$eval("#quality :is([aria-live], [role=status], [role=alert])", ({ length }) => length);
  assert.equal(silent, 0);
  const told = await eventually("loss by the other side", cells, (is) => is["loss-sent"] !== "–");
  return `${now["bitrate-sent"]} sent, ${told["loss-sent"]} lost`;
}

/**
 * @param {Person} person
 * @param {string} engine
 */
async function drawn({ page }, engine) {
  // A line needs two samples.
  await eventually("a line", () => page.evaluate(inked), (lines) => lines.every((has) => has));
  assert.ok(await page.$$eval("#graphs .graph", (all) => all.every((graph) => graph.ariaHidden === "true")));
  for (const id of ["bitrate", "loss"]) assert.match(await page.$eval(`#range-${id}`, (e) => e.textContent ?? ""), /^sent [\d.–]+, received [\d.–]+(%| kbit)/);
  // There is Chromium's own protocol only.
  if (engine === "Chromium") {
    for (const value of ["dark", "light"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
      await eventually(`a line, ${value}`, () => page.evaluate(inked), (lines) => lines.every((has) => has));
    }
  }
  assert.deepEqual(await page.evaluate(() => /** @type {any} */ (window).violations), []);
}

/** @param {Person} person */
async function quiet(person) {
  const { page } = person;
  assert.deepEqual(await saidTwice(page, () => seconds(2.5)), []);
  assert.deepEqual(await graveFindings(page), []);
  await page.focus("#quality-close");
  await page.keyboard.press("Escape");
  assert.equal(await focused(person), "toggle-quality");
  assert.equal(await page.$eval("#quality", (panel) => /** @type {HTMLElement} */ (panel).hidden), true);
}

/** Runs in the page: whether each graph has ink of the colour of its first line, as the style sheet has it now. */
function inked() {
  const style = getComputedStyle(document.documentElement);
  return ["bitrate", "loss", "rtt"].map((name) => {
    const canvas = /** @type {HTMLCanvasElement | null} */ (document.querySelector(`#graph-${name} canvas`));
    const { data } = canvas?.getContext("2d")?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
    const wanted = style.getPropertyValue(name === "rtt" ? "--plum" : "--indigo").match(/[0-9a-f]{2}/g)?.map((hex) => parseInt(hex, 16)) ?? [];
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 200 && wanted.every((value, n) => Math.abs(data[at + n] - value) < 12)) return true;
    }
    return false;
  });
}

/** Runs in the page. */
function rememberViolations() {
  /** @type {string[]} */
  const violations = [];
  document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => violations.push(`${violatedDirective} ${blockedURI}`));
  Object.assign(window, { violations });
}
