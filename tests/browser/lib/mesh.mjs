/** What a page has of each of the others in its room. */

import assert from "node:assert/strict";

import { eventually } from "./report.mjs";

/** @typedef {import("./browser.mjs").Person} Person */

/**
 * Waits until the page is connected to these, by its state line and its tiles, and shows a picture of each.
 * @param {Person} person
 * @param {string[]} names
 * @param {RegExp} [before] what the state line may say first
 */
export async function whole(person, names, before = /^/) {
  const wanted = [...names].sort().join();
  const said = async () => {
    const text = (await person.state()).replace(before, "");
    const [, list = ""] = /^Connected to ([^.]*)\.$/.exec(text) ?? [];
    return { text, names: list.split(/,? and |, /).sort().join() };
  };
  await eventually(`connected to ${wanted}`, said, (now) => now.names === wanted, 60_000);
  const shown = await eventually("their pictures", () => tiles(person), (all) => all.every(({ plays }) => plays), 60_000);
  assert.deepEqual(shown.map(({ name }) => name).sort().join(), wanted);
  assert.equal(await person.page.$eval("#play", (button) => /** @type {HTMLElement} */ (button).hidden), true);
}

/**
 * Waits until pictures and sound of that many others keep coming.
 * @param {Person} person
 * @param {number} others
 */
export async function flows(person, others) {
  const before = new Map((await streams(person)).map((stream) => [stream.id, stream]));
  await eventually("pictures and sound of all", () => streams(person), (now) => {
    const moving = now.filter(({ id, frames, samples, energy }) => {
      const then = before.get(id) ?? { frames: 0, samples: 0 };
      return frames > then.frames + 5 && samples > then.samples + 1000 && energy > 0;
    });
    return now.length === others && moving.length === others;
  }, 60_000);
}

/** What comes over each connection that stands, and by which pair. @param {Person} person */
export function streams(person) {
  return person.page.evaluate(readStreams);
}

/** How many connections the page has made. @param {Person} person */
export function connections(person) {
  return person.page.evaluate(() => /** @type {any} */ (window).connections.length);
}

/** @param {Person} person */
function tiles(person) {
  return person.page.$$eval(".tile", (all) =>
    all.map((tile) => {
      const video = tile.querySelector("video");
      return { name: tile.getAttribute("aria-label") ?? "", plays: Boolean(video && !video.paused && video.videoWidth > 0) };
    }),
  );
}

/** Runs in the page. */
async function readStreams() {
  const all = /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections);
  const standing = all.map((connection, id) => ({ connection, id })).filter(({ connection }) => connection.connectionState === "connected");
  return Promise.all(standing.map(async ({ connection, id }) => {
    const report = /** @type {Map<string, any>} */ (/** @type {unknown} */ (await connection.getStats()));
    const stats = [...report.values()];
    const transport = stats.find(({ type }) => type === "transport");
    const pair = report.get(transport?.selectedCandidatePairId) ?? stats.find(({ selected }) => selected);
    const inbound = (/** @type {string} */ kind) => stats.find((stat) => stat.type === "inbound-rtp" && stat.kind === kind);
    return {
      id,
      frames: inbound("video")?.framesDecoded ?? 0,
      samples: inbound("audio")?.totalSamplesReceived ?? 0,
      energy: inbound("audio")?.totalAudioEnergy ?? 0,
      local: report.get(pair?.localCandidateId)?.candidateType ?? null,
      remote: report.get(pair?.remoteCandidateId)?.candidateType ?? null,
    };
  }));
}
