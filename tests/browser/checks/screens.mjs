/** A screen shown to the other side: whole, over any connection, and until the browser ends it. */

import assert from "node:assert/strict";

import { launch, open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";
import { label } from "./chat.mjs";

const TITLE = "What is shown to the other side";

/** @typedef {import("../lib/browser.mjs").Person} Person */
/** @typedef {{ suite: import("../lib/suite.mjs").Suite, keep: import("../run.mjs").Stage["keep"] }} Stage */
/** @typedef {() => Promise<void>} End */

/**
 * Chromium shows a tab, which ends as by the browser's own button when it is closed.
 * @param {Stage & { chromium: string, other: import("puppeteer-core").Browser, engines: string }} stage
 */
export async function tabs({ chromium, other, suite, keep, engines }) {
  const { browser, close } = await launch(chromium, "fake", undefined, undefined, TITLE);
  try {
    const [aoi, sora] = [keep(await open(browser)), keep(await open(other))];
    await aoi.page.browserContext().overridePermissions(new URL(suite.page).origin, ["camera", "microphone"]);
    /** @returns {Promise<End>} */
    const show = async () => {
      const tab = await aoi.page.browserContext().newPage();
      await tab.setViewport({ width: 800, height: 600 });
      await tab.setContent(`<title>${TITLE}</title><body style="margin:0;height:100vh;background:linear-gradient(90deg,red 50%,blue 50%)">`);
      await aoi.page.bringToFront();
      await aoi.page.click("#toggle-screen");
      await eventually("the screen", () => aoi.text("#self-name"), (name) => name === "Your screen");
      // Chromium turns to the tab that is shown.
      await aoi.page.bringToFront();
      return () => tab.close();
    };
    await shown(aoi, sora, { page: suite.page, show, engines });
    await alone(aoi, sora, { page: suite.page, show, engines });
  } finally {
    await close();
  }
}

/**
 * Firefox without a display finds no screen to show, so a canvas stands in for it; all that follows is real.
 * @param {Stage & { firefox: import("puppeteer-core").Browser, other: import("puppeteer-core").Browser }} stage
 */
export async function canvases({ firefox, other, suite, keep }) {
  const [aoi, sora] = [keep(await open(firefox)), keep(await open(other))];
  await check("a screen that cannot be shown is said so, and the call goes on (Firefox, which finds none without a display)", async () => {
    await meet(aoi, sora, suite.page, true);
    await aoi.page.click("#toggle-screen");
    await eventually("a word", () => aoi.text("#notice"), (text) => text === "The screen could not be shown.");
    const { frames } = await sora.stats();
    await eventually("frames", () => sora.stats(), (now) => now.frames > frames + 5);
    await leave(aoi, sora);
  });
  /** @returns {Promise<End>} */
  const show = async () => {
    await aoi.page.evaluate(standIn);
    await aoi.page.click("#toggle-screen");
    return () => aoi.page.evaluate(() => /** @type {any} */ (window).endScreen());
  };
  await shown(aoi, sora, { page: suite.page, show, engines: "Firefox to Chromium, a canvas for the screen" });
  await alone(aoi, sora, { page: suite.page, show, engines: "Firefox to Chromium, a canvas for the screen" });
}

/** @typedef {{ page: string, show: () => Promise<End>, engines: string }} Scene */

/**
 * @param {Person} aoi who shows
 * @param {Person} sora who sees
 * @param {Scene} scene
 */
async function shown(aoi, sora, { page, show, engines }) {
  /** @type {End} */
  let end;
  await check(`a screen is seen whole in place of the camera, and both sides say so (${engines})`, async () => {
    await meet(aoi, sora, page, true);
    assert.equal(await label(aoi, "#toggle-screen"), "Show your screen");
    assert.equal((await look(sora)).fit, "cover");
    end = await show();
    const seen = await eventually("the screen", () => look(sora), ({ edges }) => edges === "red blue");
    assert.deepEqual([seen.fit, seen.ratio], ["contain", "1.33"]);
    assert.equal(await sora.text(".tile .name"), "Aoi: screen");
    assert.equal(await aoi.text("#self-name"), "Your screen");
    assert.equal(await label(aoi, "#toggle-screen"), "Stop showing your screen");
  });
  await check(`the screen moves along to a new connection (${engines})`, async () => {
    for (const person of [aoi, sora]) await person.page.click("#relay-only");
    await aoi.says(/through a relay \(relay – relay/);
    await sora.says(/through a relay \(relay – relay/);
    const seen = await eventually("the screen", () => look(sora), ({ edges }) => edges === "red blue");
    assert.equal(seen.fit, "contain");
    const { time } = await look(sora);
    await eventually("a picture that moves", () => look(sora), (now) => now.time > time);
  });
  await check(`when the browser ends the screen the camera is back (${engines})`, async () => {
    await end();
    await eventually("the camera", () => look(sora), ({ edges, fit }) => fit === "cover" && edges !== "red blue");
    const { frames } = await sora.stats();
    await eventually("frames", () => sora.stats(), (now) => now.frames > frames + 5);
    assert.equal(await label(aoi, "#toggle-screen"), "Show your screen");
    assert.equal(await sora.text(".tile .name"), "Aoi");
    await leave(aoi, sora);
  });
}

/**
 * @param {Person} aoi
 * @param {Person} sora
 * @param {Scene} scene
 */
async function alone(aoi, sora, { page, show, engines }) {
  await check(`who has no camera on can show a screen and end it with the button (${engines})`, async () => {
    await meet(aoi, sora, page, false);
    await eventually("no picture", () => stage(sora), (remote) => remote === "sound");
    const end = await show();
    await eventually("the screen", () => look(sora), ({ edges }) => edges === "red blue");
    await aoi.page.click("#toggle-screen");
    await eventually("no picture", () => stage(sora), (remote) => remote === "sound");
    await end();
    await leave(aoi, sora);
  });
}

/**
 * @param {Person} aoi
 * @param {Person} sora
 * @param {string} page
 * @param {boolean} camera whether Aoi's is on
 */
async function meet(aoi, sora, page, camera) {
  await aoi.visit(page);
  await aoi.enter({ name: "Aoi", camera });
  await aoi.says(/^Waiting/);
  await sora.visit(aoi.page.url());
  await sora.enter({ name: "Sora" });
  await aoi.says(/^Connected to Sora directly/);
  await sora.says(/^Connected to Aoi directly/);
  if (camera) await eventually("a picture", () => stage(sora), (remote) => remote === "picture");
}

/** @param {Person[]} people */
async function leave(...people) {
  for (const person of people) {
    await person.page.click("#hang-up");
    await person.says(/^You hung up/);
  }
}

/** @param {Person} person */
function stage(person) {
  return person.page.$eval("div.tile", (tile) => tile.dataset.remote);
}

/**
 * How the other side's picture is put on the stage, and the colours at its left and right edge.
 * @param {Person} person
 */
function look(person) {
  return person.page.$eval(".tile video", (video) => {
    const canvas = new OffscreenCanvas(40, 30);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("no canvas");
    context.drawImage(video, 0, 0, 40, 30);
    const edges = [1, 38].map((x) => {
      const [red, green, blue] = context.getImageData(x, 15, 1, 1).data;
      if (red > 180 && green < 60 && blue < 60) return "red";
      return blue > 180 && red < 60 && green < 60 ? "blue" : "else";
    });
    const ratio = (video.videoWidth / video.videoHeight).toFixed(2);
    return { edges: edges.join(" "), fit: getComputedStyle(video).objectFit, ratio, time: video.currentTime };
  });
}

/** Runs in the page: a canvas is given for the screen, and `endScreen` ends it as the browser would. */
export function standIn() {
  navigator.mediaDevices.getDisplayMedia = async () => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [800, 600];
    const context = canvas.getContext("2d");
    const draw = () => {
      for (const [x, colour] of /** @type {const} */ ([[0, "red"], [400, "blue"]])) {
        if (context) Object.assign(context, { fillStyle: colour }).fillRect(x, 0, 400, 600);
      }
    };
    const drawing = setInterval(draw, 100);
    const stream = canvas.captureStream(15);
    const [track] = stream.getVideoTracks();
    // Firefox delivers no such event but its own.
    /** @type {(() => void)[]} */
    const told = [];
    track.addEventListener = (/** @type {string} */ name, /** @type {any} */ listener) => name === "ended" && told.push(listener);
    Object.assign(window, {
      endScreen() {
        clearInterval(drawing);
        track.stop();
        for (const tell of told.splice(0)) tell();
      },
    });
    return stream;
  };
}
