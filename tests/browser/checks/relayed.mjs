/** Two pages on the real page, both relay-only, through our TURN server; then people leave in every way. */

import assert from "node:assert/strict";

import { open } from "../lib/browser.mjs";
import { check, eventually, seconds } from "../lib/report.mjs";

const WATCHED = 5;
/** Frames a second that a slow machine must still decode. */
const FRAMES = 4;
const SAMPLES = 48_000;

/** @param {import("../run.mjs").Stage} stage */
export async function relayed({ browser, suite, keep }) {
  const aoi = keep(await open(browser));
  let sora = keep(await open(browser, { language: "ja" }));

  await check("alone in the room, the page waits", async () => {
    await aoi.visit(suite.page);
    await aoi.enter({ name: "Aoi", relayOnly: true });
    await aoi.says(/^Waiting for others/);
  });
  const link = aoi.page.url();

  await check("the room's link leads to it, and the page speaks the browser's language", async () => {
    await sora.visit(link);
    assert.equal(await sora.page.evaluate(() => document.documentElement.lang), "ja");
    assert.equal(await sora.page.$eval("input#room", (input) => input.value), new URL(link).searchParams.get("room"));
    await sora.enter({ name: "Sora", relayOnly: true });
  });
  await check("both sides say that they are connected through a relay", async () => {
    const said = await aoi.says(/^Connected to Sora through a relay \(relay – relay, UDP\)/);
    await sora.says(/^Aoi さんと中継でつながっています（relay – relay、UDP）/);
    return said;
  });
  await check("the selected pair is relay to relay, in the statistics and on the page", () => relayPair([aoi, sora]));
  await check("pictures and sound keep coming, and the server counts what it relays", () => flow([aoi, sora], suite));
  await check("the candidates of both sides are listed, all of them relayed, one marked", async () => {
    for (const side of ["local", "remote"]) {
      const types = await aoi.page.$$eval(`#candidates-${side} .badge`, (all) => all.map((e) => e.textContent));
      assert.ok(types.length > 0 && types.every((type) => type === "relay"), `${side}: ${types}`);
      assert.equal((await aoi.page.$$(`#candidates-${side} .selected`)).length, 1);
    }
  });

  await check("a closed tab is noticed", async () => {
    await sora.page.close();
    await aoi.says(/^Sora has left\. Waiting/, 5000);
    await sora.close();
  });
  sora = keep(await open(browser, { language: "ja" }));
  await check("who comes back is connected again", async () => {
    await sora.visit(link);
    await sora.enter({ name: "Sora", relayOnly: true });
    await aoi.says(/^Connected to Sora through a relay/);
  });
  await check("a reload is noticed", async () => {
    await sora.reload();
    await aoi.says(/^Sora has left\. Waiting/, 5000);
    await sora.enter({ name: "Sora", relayOnly: true });
    await aoi.says(/^Connected to Sora through a relay/);
  });
  await check("hanging up is noticed, and frees camera and microphone", async () => {
    await sora.page.click("#hang-up");
    await aoi.says(/^Sora has left\. Waiting/, 5000);
    await sora.says(/^通話を終えました/);
    assert.equal(await sora.page.$eval("video#self", (video) => /** @type {MediaStream} */ (video.srcObject).getTracks().length), 0);
  });
  await aoi.close();
  await sora.close();
}

/** @param {import("../lib/browser.mjs").Person[]} people */
async function relayPair(people) {
  for (const person of people) {
    const { local, remote } = await person.stats();
    assert.deepEqual({ local, remote }, { local: "relay", remote: "relay" });
    assert.deepEqual(await person.shown(), { local: "relay", remote: "relay" });
  }
}

/**
 * @param {import("../lib/browser.mjs").Person[]} people
 * @param {import("../lib/suite.mjs").Suite} suite
 */
async function flow(people, suite) {
  for (const person of people) await eventually("first frames", () => person.stats(), ({ frames }) => frames > 10);
  const counted = await suite.metric("turn_relay_bytes_total");
  const before = await Promise.all(people.map((person) => person.stats()));
  let last = before;
  for (let second = 1; second <= WATCHED; second += 1) {
    await seconds(1);
    const now = await Promise.all(people.map((person) => person.stats()));
    for (const [i, { frames, samples }] of now.entries()) {
      assert.ok(frames > last[i].frames, `second ${second}: frames stay at ${frames}`);
      assert.ok(samples > last[i].samples, `second ${second}: samples stay at ${samples}`);
    }
    last = now;
  }
  for (const [i, { frames, samples, energy }] of last.entries()) {
    assert.ok(frames - before[i].frames >= FRAMES * WATCHED, `${frames - before[i].frames} frames`);
    assert.ok(samples - before[i].samples >= 0.8 * SAMPLES * WATCHED, `${samples - before[i].samples} samples`);
    assert.ok(energy > before[i].energy, "the sound is silence");
  }
  const sent = last.reduce((sum, { sent }, i) => sum + sent - before[i].sent, 0);
  const relayed = (await suite.metric("turn_relay_bytes_total")) - counted;
  assert.ok(relayed >= 0.8 * sent, `${relayed} bytes relayed of ${sent} sent`);
  const frames = last.map((now, i) => now.frames - before[i].frames);
  return `${frames.join(" and ")} frames in ${WATCHED} s, ${sent} bytes sent, ${relayed} counted as relayed`;
}
