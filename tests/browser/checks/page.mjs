/** What the page is apart from a call: languages, widths, pictures of it. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { launch, open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";
import { film, SCENES } from "../lib/scene.mjs";

/** @param {import("../run.mjs").Stage} stage */
export async function page({ browser, suite, keep }) {
  const aoi = keep(await open(browser, { width: 390, height: 844 }));
  await check("the language can be switched, and the choice is kept", async () => {
    await aoi.visit(suite.page);
    await aoi.says(/^Choose a name/);
    await aoi.page.click("[data-language=ja]");
    await aoi.says(/^名前と部屋を決めてください/);
    assert.equal(await aoi.page.title(), "渡り Watari：経路が見えるビデオ通話");
    await aoi.reload();
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
  await check("where no WebSocket gets through, signaling goes over polling", async () => {
    const sora = await open(browser);
    await sora.page.evaluateOnNewDocument(blockWebSocket);
    await sora.visit(suite.page);
    await sora.enter({ name: "Sora", camera: false, microphone: false });
    await sora.says(/^Waiting/);
    await sora.close();
  });
}

/** Runs in the page: every WebSocket goes where nobody listens. */
function blockWebSocket() {
  window.WebSocket = class extends WebSocket {
    constructor() {
      super("ws://127.0.0.1:1/");
    }
  };
}

/**
 * Nothing runs out of the page at any width; pictures of a call go to `folder`.
 * @param {import("../run.mjs").Stage & { folder: string }} stage
 */
export async function pictures({ chromium, suite, folder, keep }) {
  const films = await mkdtemp(join(tmpdir(), "watari-films-"));
  const browsers = [];
  try {
    for (const scene of /** @type {const} */ (["morning", "evening"])) {
      const path = join(films, `${scene}.y4m`);
      await film(path, SCENES[scene]);
      browsers.push(await launch(chromium, "fake", path));
    }
    const aoi = keep(await open(browsers[0].browser, { language: "ja" }));
    const sora = keep(await open(browsers[1].browser));
    await pose(aoi, sora, suite.page, folder);
  } finally {
    for (const { close } of browsers) await close();
    await rm(films, { recursive: true, force: true });
  }
}

/**
 * @param {import("../lib/browser.mjs").Person} aoi who reads Japanese
 * @param {import("../lib/browser.mjs").Person} sora who reads English
 * @param {string} url
 * @param {string} folder
 */
async function pose(aoi, sora, url, folder) {
  await aoi.visit(url);
  await aoi.enter({ name: "葵", room: "crane-7k2m-9qdx", relayOnly: true });
  await aoi.says(/^相手を待っています/);
  await sora.visit(aoi.page.url());
  await sora.enter({ name: "Sora", relayOnly: true });
  for (const [person, said, language] of /** @type {const} */ ([[aoi, /中継で/, "ja"], [sora, /through a relay/, "en"]])) {
    await person.says(said);
    await eventually("frames", () => person.stats(), ({ frames }) => frames > 90);
    await check(`the page fits from 320 to 1440 pixels and has its picture taken (${language})`, async () => {
      for (const width of [320, 390, 768, 980, 1440]) {
        await person.page.setViewport({ width, height: width < 700 ? 844 : 810 });
        const wide = await person.page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${wide} pixels wide at ${width}`);
        if (width !== 390 && width !== 1440) continue;
        await person.page.screenshot({ path: join(folder, `call-${language}-${width}.png`) });
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
}
