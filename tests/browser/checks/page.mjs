/** What the page is apart from a call: languages, widths, pictures of it. */

import assert from "node:assert/strict";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";

import { open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";

const LARGEST_PICTURE = 300 * 1024;

/** @param {import("../run.mjs").Stage} stage */
export async function page({ browser, suite, keep }) {
  const aoi = keep(await open(browser, { width: 390, height: 844 }));
  await check("the language can be switched, and the choice is kept", async () => {
    await aoi.visit(suite.page);
    await aoi.says(/^Choose a name/);
    await aoi.page.click("[data-language=ja]");
    await aoi.says(/^名前と部屋を決めてください/);
    assert.equal(await aoi.page.title(), "渡り Watari：経路が見えるビデオ通話");
    await aoi.page.reload();
    await aoi.page.waitForSelector("body[data-ready]");
    await aoi.says(/^名前と部屋を決めてください/);
    await aoi.page.click("[data-language=en]");
    await aoi.says(/^Choose a name/);
  });
  await check("a new room name is made on request", async () => {
    const before = await aoi.page.$eval("input#room", (input) => input.value);
    await aoi.page.click("#make-room");
    assert.notEqual(await aoi.page.$eval("input#room", (input) => input.value), before);
  });
  await check("the form works with the keyboard alone", async () => {
    await aoi.page.focus("#name");
    await aoi.page.keyboard.type("Aoi");
    await aoi.page.keyboard.press("Enter");
    await aoi.says(/^Waiting/);
    assert.equal(await aoi.page.evaluate(() => document.activeElement?.id), "hang-up");
    await aoi.page.keyboard.press("Enter");
    await aoi.says(/^You hung up/);
    assert.equal(await aoi.page.evaluate(() => document.activeElement?.id), "join");
  });
  await aoi.close();
}

/**
 * Nothing runs out of the page at any width; pictures of a call go to `folder`.
 * @param {import("../run.mjs").Stage & { folder: string }} stage
 */
export async function pictures({ browser, suite, folder, keep }) {
  await mkdir(folder, { recursive: true });
  const aoi = keep(await open(browser, { language: "ja" }));
  const sora = keep(await open(browser));
  await aoi.visit(suite.page);
  await aoi.enter({ name: "葵", room: "crane-7k2m-9qdx", relayOnly: true });
  await aoi.says(/^相手を待っています/);
  await sora.visit(aoi.page.url());
  await sora.enter({ name: "Sora", relayOnly: true });
  for (const [person, said, language] of /** @type {const} */ ([[aoi, /中継で/, "ja"], [sora, /through a relay/, "en"]])) {
    await person.says(said);
    await eventually("frames", () => person.stats(), ({ frames }) => frames > 30);
    await check(`the page fits from 320 to 1440 pixels and has its picture taken (${language})`, async () => {
      for (const width of [320, 390, 768, 980, 1440]) {
        await person.page.setViewport({ width, height: width < 700 ? 844 : 900 });
        const wide = await person.page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${wide} pixels wide at ${width}`);
        if (width !== 390 && width !== 1440) continue;
        const path = join(folder, `call-${language}-${width}.png`);
        await person.page.screenshot({ path, optimizeForSpeed: false });
        const { size } = await stat(path);
        assert.ok(size <= LARGEST_PICTURE, `${path} has ${size} bytes`);
      }
    });
  }
  await check("it has a dark side", async () => {
    await sora.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: "dark" }]);
    const [ground, ink] = await sora.page.evaluate(() => {
      const { backgroundColor, color } = getComputedStyle(document.body);
      return [backgroundColor, color];
    });
    assert.deepEqual([ground, ink], ["rgb(14, 21, 29)", "rgb(232, 235, 239)"]);
    await sora.page.screenshot({ path: join(folder, "call-dark-1440.png") });
  });
  await aoi.close();
  await sora.close();
}
