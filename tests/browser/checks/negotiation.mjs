/** The page's own negotiation between two real connections, with offers that cross on purpose. */

import assert from "node:assert/strict";

import { open } from "../lib/browser.mjs";
import { check } from "../lib/report.mjs";

const TRIALS = 12;
/** Two at the start, one more for the line that gave way, two of the restart and one repeated. */
const MOST_OFFERS = 6;

/** @param {import("../run.mjs").Stage} stage */
export async function negotiation({ browser, suite, keep }) {
  const person = keep(await open(browser));
  await person.visit(suite.page);
  await check(`offers that cross, ${TRIALS} times with other delays, end in one connection`, async () => {
    /** @type {string[]} */
    const repeated = [];
    for (let trial = 0; trial < TRIALS; trial += 1) {
      let seen = await person.page.evaluate(cross, trial);
      if (seen.gathered.includes(0)) {
        // An end without a single candidate: it was the browser's gathering that stood still, not what is tried here.
        repeated.push(`trial ${trial} again, as the browser gathered no candidate at one end: ${seen.history.join(", ")}`);
        seen = await person.page.evaluate(cross, trial);
      }
      const told = `trial ${trial}: ${seen.history.join(", ")}`;
      assert.deepEqual(seen.states, ["stable connected", "stable connected"], told);
      assert.ok(seen.crossed, `the offers did not cross, ${told}`);
      assert.ok(seen.offers <= MOST_OFFERS, `${seen.offers} offers, ${told}`);
    }
    return repeated.join("; ") || undefined;
  });
  await person.close();
}

/**
 * Runs in the page: both ends add lines at once, and later restart at once.
 * @param {number} trial
 */
async function cross(trial) {
  const module = "/js/negotiation.js";
  const { Negotiation } = await import(module);
  const connections = [new RTCPeerConnection(), new RTCPeerConnection()];
  /** @type {any[]} */
  const ends = [];
  const offers = [0, 0];
  const gathered = [0, 0];
  /** What happened, for whoever has to explain a failure. @type {string[]} */
  const history = [];
  const began = performance.now();
  const note = (/** @type {number} */ i, /** @type {string} */ what) => {
    history.push(`${Math.round(performance.now() - began)} ms ${i ? "B" : "A"} ${what}`);
  };
  for (const [i, pc] of connections.entries()) {
    pc.addEventListener("signalingstatechange", () => note(i, pc.signalingState));
    pc.addEventListener("icegatheringstatechange", () => note(i, `gathering ${pc.iceGatheringState}`));
    pc.addEventListener("iceconnectionstatechange", () => note(i, `ICE ${pc.iceConnectionState}`));
    // In order, but each way with its own delay.
    let last = Promise.resolve();
    const deliver = (/** @type {(end: any) => Promise<void>} */ act) => {
      const delay = new Promise((resolve) => setTimeout(resolve, ((trial * 7 + i * 13) % 5) * 8));
      last = Promise.all([last, delay]).then(() => act(ends[1 - i]));
    };
    ends.push(
      new Negotiation(pc, {
        polite: i === trial % 2,
        sendDescription: (/** @type {RTCSessionDescription} */ description) => {
          if (description.type === "offer") offers[i] += 1;
          note(i, `sends ${description.type}`);
          deliver((end) => end.describe(description.toJSON()));
        },
        sendCandidate: (/** @type {RTCIceCandidate | null} */ candidate) => {
          if (candidate?.candidate) gathered[i] += 1;
          note(i, candidate?.candidate || "has no more candidates");
          deliver((end) => end.candidate(candidate?.toJSON() ?? null));
        },
        beforeAnswer: async () => {},
      }),
    );
  }
  const settled = async () => {
    const until = Date.now() + 10_000;
    const states = () => connections.map((pc) => `${pc.signalingState} ${pc.connectionState}`);
    while (Date.now() < until && states().some((state) => state !== "stable connected")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return states();
  };
  for (const pc of connections) pc.addTransceiver("audio");
  await settled();
  const crossed = offers[0] > 0 && offers[1] > 0;
  for (const pc of connections) pc.restartIce();
  await new Promise((resolve) => setTimeout(resolve, 200));
  const states = await settled();
  for (const pc of connections) pc.close();
  return { states, crossed, offers: offers[0] + offers[1], gathered, history };
}
