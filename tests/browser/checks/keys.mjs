/** Single keys during a call, and the windows that a call can fill. */

import assert from "node:assert/strict";

import { graveFindings } from "../lib/accessible.mjs";
import { check, eventually } from "../lib/report.mjs";
import { meet } from "../lib/pair.mjs";
import { focused, label } from "./chat.mjs";

/** @typedef {import("../lib/browser.mjs").Person} Person */

/** @param {import("../lib/pair.mjs").Pair} pair the first browser is looked at */
export async function keys(pair) {
  const { aoi, sora } = await meet(pair);
  const [engine] = pair.engines.split(" ");
  await check(`keys press the buttons whose titles name them (${engine})`, () => pressed(aoi));
  await check(`keys do nothing while one types, nor when they are switched off (${engine})`, () => typed(aoi));
  await check(`the call fills the screen and leaves it with a key (${engine})`, () => filled(aoi));
  await check(`the picture goes into a small window where the browser offers one (${engine})`, () => small(aoi));
  await aoi.close();
  await sora.close();
}

/** @param {Person} person */
async function pressed(person) {
  const { keyboard } = person.page;
  assert.equal(await title(person, "#toggle-microphone"), "Mute the microphone (M)");
  await person.page.click("[data-language=ja]");
  await eventually("the title", () => title(person, "#toggle-microphone"), (now) => now === "マイクを切る（M キー）");
  await person.page.click("[data-language=en]");
  await keyboard.press("m");
  await eventually("silence", () => title(person, "#toggle-microphone"), (now) => now === "Unmute the microphone (M)");
  await keyboard.press("m");
  await keyboard.press("v");
  await eventually("no camera", () => label(person, "#toggle-camera"), (now) => now === "Turn the camera on");
  await keyboard.press("v");
  await keyboard.press("?");
  assert.equal(await person.page.$eval("dialog#help", (help) => help.open), true);
  assert.deepEqual(await graveFindings(person.page), []);
  assert.equal((await person.page.$$("#help-keys kbd")).length, 7);
  await keyboard.press("m");
  await keyboard.press("Escape");
  assert.equal(await person.page.$eval("dialog#help", (help) => help.open), false);
  assert.equal(await label(person, "#toggle-microphone"), "Mute the microphone");
}

/** @param {Person} person */
async function typed(person) {
  const { keyboard } = person.page;
  await keyboard.press("c");
  assert.equal(await focused(person), "chat-text");
  await keyboard.type("mvscqf?");
  assert.equal(await person.page.$eval("input#chat-text", (field) => field.value), "mvscqf?");
  await keyboard.press("Escape");
  assert.equal(await label(person, "#toggle-microphone"), "Mute the microphone");
  for (const on of [false, true]) {
    await person.page.click("#open-help");
    await person.page.click("#use-shortcuts");
    await person.page.click("#close-help");
    await eventually("the title", () => title(person, "#toggle-microphone"), (now) => now?.endsWith("(M)") === on);
    await keyboard.press("m");
    assert.equal(await label(person, "#toggle-microphone"), `${on ? "Unmute" : "Mute"} the microphone`);
  }
  await keyboard.press("m");
}

/** @param {Person} person */
async function filled(person) {
  const { page } = person;
  await page.keyboard.press("f");
  await eventually("full screen", () => label(person, "#full-screen"), (now) => now === "Leave full screen");
  assert.equal(await page.evaluate(() => document.fullscreenElement?.id), "call");
  await page.click("#toggle-chat");
  await page.click("#toggle-quality");
  const outside = await page.$$eval("#stage, .controls, #chat, #quality", (all) =>
    all.filter((element) => {
      const { bottom, right } = element.getBoundingClientRect();
      return bottom > innerHeight + 1 || right > innerWidth + 1;
    }).map(({ id, className }) => id || className),
  );
  assert.deepEqual(outside, []);
  await page.click("#quality-close");
  await page.keyboard.press("Escape");
  if (await page.evaluate(() => document.fullscreenElement !== null)) await page.keyboard.press("f");
  await eventually("the page", () => page.evaluate(() => document.fullscreenElement === null), (left) => left);
  assert.equal(await label(person, "#full-screen"), "Fill the screen");
}

/** @param {Person} person */
async function small(person) {
  const { page } = person;
  const offered = await page.evaluate(() => Boolean(document.pictureInPictureEnabled));
  assert.equal(await page.$eval("#small-window", (button) => /** @type {HTMLElement} */ (button).hidden), !offered);
  if (!offered) return "this one has only its own button on the picture";
  await page.click("#small-window");
  await eventually("the window", () => label(person, "#small-window"), (now) => now === "Picture back into the page");
  assert.equal(await page.evaluate(() => document.pictureInPictureElement?.matches(".tile video")), true);
  await page.click("#small-window");
  await eventually("the page", () => label(person, "#small-window"), (now) => now === "Picture in a small window");
  return undefined;
}

/**
 * @param {Person} person
 * @param {string} selector
 */
function title(person, selector) {
  return person.page.$eval(selector, (element) => element.getAttribute("title"));
}
