/** Three in a room, then four: each sees, hears and reads all others, whoever comes, goes, or loses signaling. */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { graveFindings } from "../lib/accessible.mjs";
import { launch, open } from "../lib/browser.mjs";
import { connections, flows, streams, whole } from "../lib/mesh.mjs";
import { check, eventually } from "../lib/report.mjs";
import { film, SCENES } from "../lib/scene.mjs";
import { up } from "../lib/suite.mjs";
import { openTcpGate } from "../lib/tcp-gate.mjs";
import { label } from "./chat.mjs";
import { standIn } from "./screens.mjs";

/** @typedef {import("../lib/browser.mjs").Person} Person */

/** @param {import("../run.mjs").Stage & { watari: string, folder: string }} stage */
export async function mesh({ chromium, watari, suite, keep, folder }) {
  const films = await mkdtemp(join(tmpdir(), "watari-films-"));
  const path = join(films, "small.y4m");
  await film(path, SCENES.evening, 4);
  const { browser, close } = await launch(chromium, "fake", path);
  const gate = await openTcpGate(Number(new URL(suite.page).port));
  try {
    const person = async () => keep(await open(browser));
    const [aoi, sora, chie] = [await person(), await person(), await person()];
    const link = await three({ aoi, sora, chie, page: suite.page, gate });
    await lost({ aoi, sora, chie, gate });
    const ben = await person();
    await four({ aoi, sora, chie, ben, link });
    await looked({ aoi, ben, folder });
    await fifth(await person(), link);
    await returned({ aoi, sora, chie, ben, link });
    await relayedAll({ aoi, sora, chie, suite });
    for (const one of [aoi, sora, chie, ben]) await one.close();
    await crowded(await person(), watari);
  } finally {
    gate.close();
    await close();
    await rm(films, { recursive: true, force: true });
  }
}

/**
 * @param {{ aoi: Person, sora: Person, chie: Person, page: string, gate: Awaited<ReturnType<typeof openTcpGate>> }} scene
 * @returns {Promise<string>} where the others enter
 */
async function three({ aoi, sora, chie, page, gate }) {
  const gated = new URL(page);
  [gated.port, gated.hostname] = [String(gate.port), "127.0.0.1"];
  await aoi.visit(gated.href);
  await aoi.enter({ name: "Aoi" });
  await aoi.says(/^Waiting for others/);
  const link = new URL(aoi.page.url());
  link.port = new URL(page).port;
  await check("three in a room see and hear each other, nobody is asked for a touch, and the state line names them", async () => {
    for (const [person, name] of /** @type {const} */ ([[sora, "Sora"], [chie, "Chie"]])) {
      await person.visit(link.href);
      await person.enter({ name });
      await aoi.says(new RegExp(name));
    }
    await Promise.all([whole(aoi, ["Sora", "Chie"]), whole(sora, ["Aoi", "Chie"]), whole(chie, ["Aoi", "Sora"])]);
    await Promise.all([flows(aoi, 2), flows(sora, 2), flows(chie, 2)]);
    assert.equal(await aoi.state(), "Connected to Sora and Chie.");
    return "Connected to Sora and Chie.";
  });
  await check("what one writes reaches both others, with the name of who wrote it", async () => {
    await say(aoi, "to all");
    await say(chie, "me too");
    await eventually("both", () => lines(sora), (now) => now.join() === "Aoito all,Chieme too");
    await eventually("the answer", () => lines(aoi), (now) => now.at(-1) === "Chieme too");
    await eventually("receipts", () => aoi.page.$$eval("#chat-log .remark", ({ length }) => length), (n) => n === 0);
  });
  return link.href;
}

/** @param {{ aoi: Person, sora: Person, chie: Person, gate: Awaited<ReturnType<typeof openTcpGate>> }} scene */
async function lost({ aoi, sora, chie, gate }) {
  await check("when one of three loses signaling, the others say whom they wait for, and all calls go on", async () => {
    const before = await Promise.all([aoi, sora, chie].map(connections));
    gate.cut();
    await aoi.says(/^Lost the signaling server/);
    const said = await sora.says(/^Connected to Aoi and Chie\. Waiting for Aoi to reach the signaling server again/);
    assert.deepEqual(await states(sora), ["Aoi: lost the signaling server", "Chie: direct"]);
    await Promise.all([flows(aoi, 2), flows(sora, 2), flows(chie, 2)]);
    gate.open();
    await whole(aoi, ["Sora", "Chie"]);
    await whole(sora, ["Aoi", "Chie"]);
    assert.deepEqual(await Promise.all([aoi, sora, chie].map(connections)), before, "the same connections");
    // The browser itself reports the attempts while nobody listened.
    aoi.errors.length = 0;
    return said;
  });
}

/** @param {{ aoi: Person, sora: Person, chie: Person, ben: Person, link: string }} scene */
async function four({ aoi, sora, chie, ben, link }) {
  await check("a fourth sees and hears all, and reads what is said from now on", async () => {
    await ben.visit(link);
    await ben.enter({ name: "Sora" });
    const names = ["Aoi", "Chie", "Sora", "Sora (2)"];
    await whole(ben, ["Aoi", "Sora", "Chie"]);
    await whole(aoi, names.slice(1));
    await Promise.all([flows(aoi, 3), flows(sora, 3), flows(chie, 3), flows(ben, 3)]);
    assert.deepEqual(await lines(ben), []);
    await say(ben, "hello");
    for (const one of [aoi, sora, chie]) await eventually("the text", () => lines(one), (now) => now.at(-1)?.endsWith("hello") === true);
    assert.equal((await lines(aoi)).at(-1), "Sora (2)hello");
  });
  await check("the path and the candidates are those of the one who is chosen", async () => {
    const [chosen, unchosen] = [await offered(ben), await offered(aoi)];
    assert.deepEqual([chosen.map(({ text }) => text).sort(), unchosen.length], [["Aoi", "Chie", "Sora"], 3]);
    const seen = new Set();
    for (const { value } of chosen) {
      await ben.page.select("#choice-peer", value);
      seen.add(await ben.text("#path-local-address"));
      assert.equal((await ben.page.$$("#candidates-remote .selected")).length, 1);
      seen.add(await ben.text("#candidates-remote .selected code"));
    }
    assert.equal(seen.size, 6, [...seen].join());
  });
}

/**
 * Three others on a phone and on a desk, in both languages, then a screen among them.
 * @param {{ aoi: Person, ben: Person, folder: string }} scene
 */
async function looked({ aoi, ben, folder }) {
  for (const [language, scheme] of [["ja", "dark"], ["en", "light"]]) {
    await check(`four fit from 320 to 1440 pixels, and axe finds nothing serious (${language}, ${scheme})`, async () => {
      await ben.page.click(`[data-language=${language}]`);
      await ben.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      assert.deepEqual(await graveFindings(ben.page), []);
      for (const width of [320, 390, 768, 980, 1440]) await fits(ben, width, join(folder, `mesh-${language}-${width}.png`));
    });
  }
  await check("who shows a screen is shown whole, and larger than the others", async () => {
    await aoi.page.evaluate(standIn);
    await aoi.page.click("#toggle-screen");
    const large = () => ben.page.$$eval(".tile.large", (all) => all.map((tile) => tile.getAttribute("aria-label")));
    await eventually("the screen", large, (now) => now.join() === "Aoi");
    assert.equal(await ben.text(".tile.large .name"), "Aoi: screen");
    assert.equal(await ben.page.$eval(".tile.large video", (video) => getComputedStyle(video).objectFit), "contain");
    assert.equal(await label(ben, "#small-window"), "Picture of Aoi in a small window");
    for (const width of [390, 1440]) await fits(ben, width, join(folder, `mesh-screen-${width}.png`));
    await aoi.page.click("#toggle-screen");
    await eventually("the camera", large, (now) => now.length === 0);
  });
  await check("all of it fits when it fills the screen", async () => {
    await ben.page.keyboard.press("Escape");
    await ben.page.click("#full-screen");
    await eventually("full screen", () => label(ben, "#full-screen"), (now) => now === "Leave full screen");
    assert.deepEqual(await ben.page.evaluate(outside), []);
    await ben.page.click("#full-screen");
    await eventually("the page", () => label(ben, "#full-screen"), (now) => now === "Fill the screen");
  });
}

/**
 * @param {Person} eve
 * @param {string} link
 */
async function fifth(eve, link) {
  await check("a fifth hears that the room is full", async () => {
    await eve.visit(link);
    await eve.enter({ name: "Eve" });
    await eve.says(/^Could not enter the room/);
    assert.match(await eve.text("#notice"), /room is full/);
    assert.equal(await eve.page.$eval("form#lobby", (form) => form.hidden), false);
    await eve.close();
  });
}

/** @param {{ aoi: Person, sora: Person, chie: Person, ben: Person, link: string }} scene */
async function returned({ aoi, sora, chie, ben, link }) {
  await check("who leaves is told of, who comes back is connected to all again, and the rest notice nothing", async () => {
    const { [0]: kept } = await streams(aoi);
    await ben.page.click("#hang-up");
    const said = await aoi.says(/^Sora \(2\) has left\. Connected to Sora and Chie\.$/);
    await flows(aoi, 2);
    await ben.visit(link);
    await ben.enter({ name: "Ben" });
    await whole(ben, ["Aoi", "Sora", "Chie"]);
    for (const [person, others] of /** @type {const} */ ([[aoi, ["Sora", "Chie", "Ben"]], [sora, ["Aoi", "Chie", "Ben"]], [chie, ["Aoi", "Sora", "Ben"]]])) {
      await whole(person, [...others]);
    }
    await Promise.all([flows(aoi, 3), flows(ben, 3)]);
    assert.ok((await streams(aoi)).some(({ id, frames }) => id === kept.id && frames > kept.frames));
    await ben.page.click("#hang-up");
    for (const [person, others] of /** @type {const} */ ([[aoi, ["Sora", "Chie"]], [sora, ["Aoi", "Chie"]], [chie, ["Aoi", "Sora"]]])) {
      await whole(person, [...others], /^Ben has left\. /);
    }
    return said;
  });
}

/** @param {{ aoi: Person, sora: Person, chie: Person, suite: import("../lib/suite.mjs").Suite }} scene */
async function relayedAll({ aoi, sora, chie, suite }) {
  await check("three who all switch to relay only are all relayed to all, and the server counts it", async () => {
    const before = await suite.metric("turn_relay_bytes_total");
    for (const person of [aoi, sora, chie]) await person.set("#relay-only", true);
    for (const person of [aoi, sora, chie]) {
      const now = await eventually("relays", () => streams(person), (all) => all.length === 2 && all.every(({ local, remote }) => local === "relay" && remote === "relay"));
      assert.equal(now.length, 2);
      await eventually("tiles", () => states(person), (now) => now.length === 2 && now.every((text) => text.endsWith(": relay")));
    }
    await Promise.all([flows(aoi, 2), flows(sora, 2), flows(chie, 2)]);
    const relayed = () => suite.metric("turn_relay_bytes_total");
    await eventually("relayed bytes", relayed, (bytes) => bytes > before + 10_000);
  });
}

/**
 * @param {Person} person
 * @param {string} watari
 */
export async function crowded(person, watari) {
  const suite = await up(watari, ["signaling.rooms.capacity=8"]);
  const done = check("where the server admits more than a page can call, the page goes by itself and says that the room is full", async () => {
    await person.visit(suite.page);
    await person.page.evaluate(crowd, "crowd", 4);
    await person.enter({ name: "Eve", room: "crowd", camera: false, microphone: false });
    await person.says(/^Could not enter the room/);
    assert.match(await person.text("#notice"), /room is full/);
    const told = () => person.page.evaluate(() => /** @type {any} */ (window).told);
    await eventually("the others know", told, (types) => types.includes("peer-left"));
    await person.close();
  });
  await done.finally(() => suite.down());
}

/**
 * Runs in the page: so many members of a room that speak plain JSON; `told` are the types of what the first is told.
 * @param {string} room
 * @param {number} members
 */
async function crowd(room, members) {
  /** @type {string[]} */
  const told = [];
  Object.assign(window, { told, sockets: [] });
  for (let n = 0; n < members; n += 1) {
    const socket = new WebSocket(`${location.origin.replace("http", "ws")}/ws`);
    /** @type {any} */ (window).sockets.push(socket);
    await new Promise((entered) => {
      socket.addEventListener("open", () => socket.send(JSON.stringify({ type: "join", room })));
      socket.addEventListener("message", ({ data }) => {
        const { type } = JSON.parse(data);
        if (n === 0) told.push(type);
        if (type === "joined") entered(undefined);
      });
    });
  }
}

/**
 * Two in one engine, one in the other.
 * @param {{ browsers: import("puppeteer-core").Browser[], suite: import("../lib/suite.mjs").Suite, keep: import("../run.mjs").Stage["keep"] }} scene
 */
export async function mixed({ browsers, suite, keep }) {
  await check("three in a room see and hear each other across engines (Firefox, Chromium, Firefox)", async () => {
    /** @type {Person[]} */
    const people = [];
    for (const [n, name] of ["Aoi", "Sora", "Chie"].entries()) {
      const person = keep(await open(browsers[n]));
      await person.visit(n === 0 ? suite.page : people[0].page.url());
      await person.enter({ name });
      await (n === 0 ? person.says(/^Waiting/) : person.says(/Connected/));
      people.push(person);
    }
    const [aoi, sora, chie] = people;
    await Promise.all([whole(aoi, ["Sora", "Chie"]), whole(sora, ["Aoi", "Chie"]), whole(chie, ["Aoi", "Sora"])]);
    await Promise.all(people.map((person) => flows(person, 2)));
    await say(chie, "from the third");
    for (const one of [aoi, sora]) await eventually("the text", () => lines(one), (now) => now.at(-1) === "Chiefrom the third");
    for (const person of people) await person.close();
  });
}

/**
 * @param {Person} person
 * @param {string} text
 */
async function say({ page }, text) {
  if (await page.$eval("#chat", (panel) => /** @type {HTMLElement} */ (panel).hidden)) await page.click("#toggle-chat");
  await page.focus("#chat-text");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

/** @param {Person} person */
function lines(person) {
  return person.page.$$eval("#chat-log .line:not(.mine)", (all) => all.map(({ textContent }) => textContent ?? ""));
}

/** What each tile says of its call. @param {Person} person */
function states(person) {
  return person.page.$$eval(".tile", (all) =>
    all.map((tile) => `${tile.getAttribute("aria-label")}: ${tile.querySelector(".tile-state")?.textContent}`),
  );
}

/** @param {Person} person */
function offered(person) {
  return person.page.$$eval("#choice-peer option", (all) => all.map(({ value, text }) => ({ value, text })));
}

/**
 * @param {Person} person
 * @param {number} width
 * @param {string} path of a picture
 */
async function fits({ page }, width, path) {
  await page.setViewport({ width, height: width < 700 ? 844 : 810 });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${wide} pixels wide at ${width}`);
  const spilt = await page.$$eval(".tile, .self, .tile .name, .tile-state", (all) => {
    const stage = /** @type {HTMLElement} */ (document.querySelector("#stage")).getBoundingClientRect();
    return all.filter((element) => {
      const { left, top, right, bottom } = element.getBoundingClientRect();
      return left < stage.left - 1 || top < stage.top - 1 || right > stage.right + 1 || bottom > stage.bottom + 1;
    }).map(({ className }) => className);
  });
  assert.deepEqual(spilt, [], `at ${width}`);
  if (width === 390 || width === 1440) await page.screenshot({ path: /** @type {`${string}.png`} */ (path) });
}

/** Runs in the page: what runs out of the screen. */
function outside() {
  return [...document.querySelectorAll(".tile, .self, .controls, #chat:not([hidden])")]
    .filter((element) => {
      const { bottom, right } = element.getBoundingClientRect();
      return bottom > innerHeight + 1 || right > innerWidth + 1;
    })
    .map(({ id, className }) => id || className);
}
