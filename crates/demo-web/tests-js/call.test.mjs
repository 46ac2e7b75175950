import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { begin, pass, peers, sdp } from "./fakes.mjs";

const { Call } = await import("../assets/js/call.js");
const { LocalMedia } = await import("../assets/js/local-media.js");

const ICE = { iceServers: [{ urls: "turn:a", username: "1:first", credential: "c" }], iceTtl: 60 };

beforeEach(begin);
afterEach(() => mock.timers.reset());

/** A call with one who was there before, and that has a path. */
async function standing() {
  /** How often credentials were asked for. */
  const asked = { count: 0 };
  const ice = async () => {
    asked.count += 1;
    return ICE;
  };
  const signaling = /** @type {any} */ ({ send: () => {}, ice });
  const call = new Call({ peer: { id: "a", name: "Aoi" }, polite: true, signaling, ice: ICE, relay: "off", media: new LocalMedia() });
  await offer(call, "first");
  peers[0].become("connected");
  await pass(100);
  return { call, peer: peers[0], asked };
}

/**
 * @param {InstanceType<typeof Call>} call
 * @param {string} ufrag
 */
async function offer(call, ufrag) {
  await call.take({ description: { type: "offer", sdp: sdp(ufrag), round: 1 } });
}

test("when both ends are to search, the one that gives way takes the other's search for its own", async () => {
  const { call, peer } = await standing();
  call.move();
  await pass(500);
  await offer(call, "second");
  await pass(5000);
  assert.equal(peer.restarts, 0);
});

test("an offer that searches for nothing keeps nobody from searching", async () => {
  const { call, peer } = await standing();
  call.move();
  await pass(500);
  await offer(call, "first");
  await pass(600);
  assert.equal(peer.restarts, 1);
});

test("how well it goes is not reckoned over a change of connection, even when its counters stand higher", async () => {
  const { call, peer } = await standing();
  const line = { type: "inbound-rtp", id: "V", kind: "video" };
  peer.stats = [{ ...line, packetsReceived: 100, packetsLost: 100 }];
  await pass(1000);
  peer.stats = [{ ...line, packetsReceived: 150, packetsLost: 150 }];
  await pass(1000);
  assert.equal(call.samples.last?.received.loss, 50);
  call.setRelay("any");
  await pass(100);
  peers[1].stats = [{ ...line, packetsReceived: 200, packetsLost: 200 }];
  await pass(900);
  assert.deepEqual(call.samples.column(({ received }) => received.loss).slice(-2), [50, null]);
});

test("both ends that are to search at once agree on one search: an offer and an answer", async () => {
  const { calls, said } = await both();
  said.length = 0;
  for (const call of calls) call.move();
  await pass(8000);
  assert.deepEqual(said, ["offer", "answer"]);
  assert.deepEqual(peers.map(({ restarts }) => restarts), [1, 0]);
});

/** Two calls with one another, who was there first and who came second, and what they said. */
async function both() {
  /** @type {string[]} */
  const said = [];
  /** @type {InstanceType<typeof Call>[]} */
  const calls = [false, true].map((polite, n) => {
    const send = (/** @type {string} */ name, /** @type {any} */ message) => {
      if (name !== "candidate") said.push(name);
      calls[1 - n].take(message);
    };
    const signaling = /** @type {any} */ ({ send, ice: async () => ICE });
    return new Call({ peer: { id: String(1 - n), name: "" }, polite, signaling, ice: ICE, relay: "off", media: new LocalMedia() });
  });
  await pass(100);
  for (const peer of peers) peer.become("connected");
  await pass(100);
  return { calls, said };
}
