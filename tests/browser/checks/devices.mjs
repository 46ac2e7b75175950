/** Camera and microphone: refused, not there, not allowed on this origin, switched during the call. */

import assert from "node:assert/strict";

import { graveFindings } from "../lib/accessible.mjs";
import { INSECURE_HOST, launch, open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";

/** @param {import("../run.mjs").Stage} stage */
export async function devices({ browser, suite, chromium, keep }) {
  const aoi = keep(await open(browser));
  await aoi.visit(suite.page);
  await check("who looks at themselves first chooses devices, and enters with them", () => previewed(aoi));
  const link = aoi.page.url();
  await check("who chooses a camera that is in use elsewhere can choose again, and does not lose the place", () => busy(keep, browser, suite.page));
  await check("a camera that the browser hands over late, after it was switched off, is neither sent nor left on", () => late(keep, browser, link));

  const sora = keep(await open(browser));
  await check("a camera can be started during the call", async () => {
    await sora.visit(link);
    await sora.enter({ name: "Sora", camera: false });
    await aoi.says(/^Connected to Sora/);
    assert.equal(await sora.page.$eval("button#toggle-camera", (button) => button.ariaLabel), "Start the camera");
    await sora.page.click("#toggle-camera");
    await eventually("frames", () => aoi.stats(), ({ frames }) => frames > 5);
  });
  await check("mute means silence, camera off means black", async () => {
    await sora.page.click("#toggle-microphone");
    await sora.page.click("#toggle-camera");
    assert.equal(await sora.page.$eval("button#toggle-microphone", (button) => button.ariaLabel), "Unmute the microphone");
    await eventually("silence", () => quiet(aoi), (silent) => silent, 10_000);
    await eventually("black", () => brightness(aoi), (light) => light < 16, 10_000);
    await sora.page.click("#toggle-microphone");
    await sora.page.click("#toggle-camera");
    await eventually("sound", () => quiet(aoi), (silent) => !silent, 10_000);
    await eventually("a picture", () => brightness(aoi), (light) => light > 32, 10_000);
  });
  await sora.close();

  await check("over plain HTTP from another host the page says why there is no camera", async () => {
    const page = new URL(link);
    page.hostname = INSECURE_HOST;
    const guest = keep(await open(browser));
    await guest.visit(page.href);
    assert.match(await guest.text("#notice"), /only over HTTPS or at localhost, because/);
    assert.equal(await guest.page.$eval("input#want-camera", (input) => input.disabled), true);
    assert.equal(await guest.text("#join"), "Enter without sending");
    await guest.page.click("#join");
    await guest.says(/^Connected to Aoi/);
    await eventually("frames", () => guest.stats(), ({ frames }) => frames > 5);
    assert.equal((await aoi.stats()).frames, 0);
    assert.equal(await aoi.page.$eval("div.tile", (tile) => tile.dataset.remote), "sound");
    await guest.close();
    await aoi.says(/has left/);
  });

  await check("who refuses camera and microphone is told so and still receives", async () => {
    await watch(chromium, "refused", link, /camera was refused\. The microphone was refused\. You receive only/);
    await aoi.says(/has left/);
  });
  await check("a machine without camera and microphone is told so and still receives", () =>
    watch(chromium, "none", link, /No camera was found\. No microphone was found\. You receive only/));
  await aoi.close();
}

/** @param {import("../lib/browser.mjs").Person} person */
async function previewed(person) {
  const { page } = person;
  await page.click("#preview-start");
  await page.waitForSelector("#preview:not([hidden])");
  await eventually("a level", () => page.$eval("meter#preview-level", (meter) => meter.value), (level) => level > 0);
  await eventually("a picture", () => page.$eval("video#preview-picture", (video) => video.videoWidth), (width) => width > 0);
  const label = () => page.$eval("video#preview-picture", (video) => /** @type {MediaStream} */ (video.srcObject).getAudioTracks()[0]?.label);
  const before = await label();
  const options = () => page.$$eval("#choose-microphone option", (options) => options.map((option) => [option.textContent, option.getAttribute("value") ?? ""]));
  const all = await eventually("microphones", options, (found) => found.length > 1);
  const [other, id] = all.find(([name]) => name !== before) ?? assert.fail(`only ${before}`);
  await page.select("#choose-microphone", id ?? "");
  await eventually("the other microphone", label, (now) => now === other);
  assert.deepEqual(await graveFindings(page), []);
  const opened = await page.$eval("video#preview-picture", (video) => /** @type {MediaStream} */ (video.srcObject).getTracks().map(({ id }) => id).sort());
  await person.enter({ name: "Aoi" });
  await person.says(/^Waiting/);
  const sent = await page.$eval("video#self", (video) => /** @type {MediaStream} */ (video.srcObject).getTracks().map(({ id }) => id).sort());
  assert.deepEqual(sent, opened);
  return `${before}, then ${other}`;
}

/**
 * Chooses a camera that does not open, then another one.
 * @param {import("../run.mjs").Stage["keep"]} keep
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} url
 */
async function busy(keep, browser, url) {
  const guest = keep(await open(browser));
  const { page } = guest;
  await page.evaluateOnNewDocument(occupyDevice);
  await guest.visit(url);
  await guest.set("#want-microphone", false);
  const picture = () => page.$eval("video#preview-picture", (video) => !video.hidden && video.videoWidth > 0);
  const focused = () => page.evaluate(() => document.activeElement?.id);
  await page.focus("#preview-start");
  await page.keyboard.press("Enter");
  await eventually("a picture", picture, (seen) => seen);
  assert.equal(await focused(), "preview-stop");
  await page.evaluate(() => {
    const select = /** @type {HTMLSelectElement} */ (document.getElementById("choose-camera"));
    const busy = new Option("another camera", "busy");
    select.append(busy);
    select.focus();
    select.value = "busy";
    select.dispatchEvent(new Event("change"));
  });
  await eventually("a word", () => guest.text("#notice"), (text) => /camera could not be opened/.test(text));
  assert.equal(await focused(), "choose-camera");
  assert.equal(await page.$eval("#preview", (preview) => /** @type {HTMLElement} */ (preview).hidden), false);
  const [id] = await page.$$eval("#choose-camera option", (options) => options.map(({ value }) => value));
  await page.select("#choose-camera", id);
  await eventually("a picture", picture, (seen) => seen);
  await guest.close();
}

/** Runs in the page before anything else: the device with the id `busy` is in use elsewhere. */
function occupyDevice() {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    if (JSON.stringify(constraints).includes('"busy"')) throw new DOMException("in use", "NotReadableError");
    return open(constraints);
  };
}

/**
 * Enters without the camera while the preview still waits for it.
 * @param {import("../run.mjs").Stage["keep"]} keep
 * @param {import("puppeteer-core").Browser} browser
 * @param {string} link
 */
async function late(keep, browser, link) {
  const guest = keep(await open(browser));
  await guest.page.evaluateOnNewDocument(holdDevices);
  await guest.visit(link);
  await guest.page.click("#preview-start");
  await guest.enter({ name: "Guest", camera: false, microphone: false });
  await guest.says(/^Connected to Aoi/);
  const states = await guest.page.evaluate(() => /** @type {any} */ (window).giveDevices());
  assert.equal(states.length, 2);
  await eventually("the devices", () => guest.page.evaluate(deviceStates), (now) => now.join() === "ended,ended");
  assert.equal(await guest.page.$eval("div#stage", (stage) => stage.dataset.self), "nothing");
  await guest.close();
}

/** Runs in the page before anything else: devices are opened, and given only when `giveDevices` is called. */
function holdDevices() {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  /** @type {(() => void)[]} */
  const held = [];
  /** @type {MediaStreamTrack[]} */
  const opened = [];
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    opened.push(...stream.getTracks());
    await new Promise((resolve) => held.push(() => resolve(undefined)));
    return stream;
  };
  Object.assign(window, {
    opened,
    giveDevices() {
      for (const give of held.splice(0)) give();
      return opened.map(({ readyState }) => readyState);
    },
  });
}

/** Runs in the page: whether what was opened is on. */
function deviceStates() {
  return /** @type {any} */ (window).opened.map((/** @type {MediaStreamTrack} */ { readyState }) => readyState);
}

/**
 * Enters from a browser that gets no camera, and waits for the other side's picture.
 * @param {string} chromium
 * @param {"refused" | "none"} camera
 * @param {string} link
 * @param {RegExp} told
 */
async function watch(chromium, camera, link, told) {
  const { browser, close } = await launch(chromium, camera);
  try {
    const guest = await open(browser);
    await guest.visit(link);
    await guest.enter({ name: "Guest" });
    await guest.says(/^Connected to Aoi/);
    assert.match(await guest.text("#notice"), told);
    assert.equal(await guest.page.$eval("div#stage", (stage) => stage.dataset.self), "nothing");
    await eventually("frames", () => guest.stats(), ({ frames }) => frames > 5);
    // A browser that is ended says no goodbye, and would be waited for.
    await guest.close();
  } finally {
    await close();
  }
}

/** @param {import("../lib/browser.mjs").Person} person */
async function quiet(person) {
  const { energy } = await person.stats();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return (await person.stats()).energy - energy < 1e-4;
}

/**
 * The mean brightness of the other side's picture, 0 to 255.
 * @param {import("../lib/browser.mjs").Person} person
 */
function brightness(person) {
  return person.page.$eval(".tile video", (video) => {
    const canvas = new OffscreenCanvas(32, 18);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    context.drawImage(video, 0, 0, 32, 18);
    const { data } = context.getImageData(0, 0, 32, 18);
    return data.reduce((sum, value, i) => (i % 4 === 3 ? sum : sum + value), 0) / (32 * 18 * 3);
  });
}
