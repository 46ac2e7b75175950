import assert from "node:assert/strict";
import { test } from "node:test";

import { constraintsOf, lackingKeys, unavailable } from "../assets/js/media.js";
import { stateLine, STEPS, stepsDone } from "../assets/js/state.js";

/** @typedef {import("../assets/js/state.js").Facts} Facts */

/** @param {Partial<Facts>} change @returns {Facts} */
const facts = (change) => ({ phase: "joined", linked: true, why: null, left: null, call: null, ...change });

/** @param {string} type */
const end = (type) => ({ id: type, type, protocol: "udp", relayProtocol: "", address: "", port: 1 });

/** @param {string} local @param {string} remote */
const path = (local, remote) => ({ local: end(local), remote: end(remote), rtt: null, bytesSent: 0, bytesReceived: 0, at: 0 });

/** @param {Partial<import("../assets/js/state.js").CallFacts>} change @returns {import("../assets/js/state.js").CallFacts} */
const call = (change) => ({
  peer: { name: "Sora" },
  state: "connected",
  path: null,
  progress: { offer: true, answer: true, candidates: true },
  ...change,
});

test("the line follows the session from the form to the call and back", () => {
  const key = (/** @type {Partial<Facts>} */ change) => stateLine(facts(change)).key;
  assert.equal(key({ phase: "lobby" }), "state.lobby");
  assert.equal(key({ phase: "media" }), "state.media");
  assert.equal(key({ phase: "signaling" }), "state.signaling");
  assert.equal(key({}), "state.waiting");
  assert.equal(key({ call: call({ state: "connecting" }) }), "state.connecting");
  assert.equal(key({ call: call({}) }), "state.connected");
  assert.equal(key({ call: call({ state: "reconnecting" }) }), "state.reconnecting");
  assert.equal(key({ call: call({ state: "switching" }) }), "state.switching");
  assert.equal(key({ away: true, call: call({}) }), "state.peerReconnecting");
  assert.equal(key({ linked: false, away: true, call: call({}) }), "state.signalingLost");
  assert.equal(key({ left: "Sora" }), "state.left");
  assert.equal(key({ linked: false, call: call({}) }), "state.signalingLost");
  assert.equal(key({ phase: "lobby", why: "ended" }), "state.ended");
  assert.equal(key({ phase: "lobby", why: "refused" }), "state.refused");
});

test("a relay at either end makes the call a relayed one", () => {
  for (const [local, remote] of [["relay", "relay"], ["relay", "host"], ["prflx", "relay"]]) {
    assert.equal(stateLine(facts({ call: call({ path: path(local, remote) }) })).key, "state.connected.relay");
  }
  const direct = stateLine(facts({ call: call({ path: path("host", "srflx") }) }));
  assert.equal(direct.key, "state.connected.direct");
  assert.deepEqual(direct.params, { name: "Sora", local: "host", remote: "srflx", transport: "UDP" });
});

test("steps are done in the order in which a call comes about", () => {
  assert.deepEqual([...stepsDone(facts({ phase: "lobby" }))], []);
  assert.deepEqual([...stepsDone(facts({}))], ["media", "signaling"]);
  const offered = call({ state: "connecting", progress: { offer: true, answer: false, candidates: false } });
  assert.deepEqual([...stepsDone(facts({ call: offered }))], ["media", "signaling", "peer", "offer"]);
  assert.deepEqual([...stepsDone(facts({ call: call({ path: path("host", "host") }) }))], [...STEPS]);
});

test("what is lacking is told together with what is sent all the same", () => {
  const both = { audio: true, video: true };
  assert.deepEqual(lackingKeys({}, both), []);
  assert.deepEqual(lackingKeys({ video: "missing" }, both), ["media.missing.video", "media.only.audio"]);
  assert.deepEqual(lackingKeys({ video: "missing" }, { audio: false, video: true }), [
    "media.missing.video",
    "media.only.nothing",
  ]);
  assert.deepEqual(lackingKeys({ video: "denied", audio: "busy" }, both), [
    "media.denied.video",
    "media.busy.audio",
    "media.only.nothing",
    "media.denied.hint",
  ]);
});

test("a missing camera interface is explained by the connection or by the browser", () => {
  assert.equal(unavailable({ isSecureContext: false, navigator: {} }), "insecure");
  assert.equal(unavailable({ isSecureContext: true, navigator: {} }), "unsupported");
  assert.equal(unavailable({ isSecureContext: true, navigator: { mediaDevices: {} } }), null);
});

test("a chosen device is asked for, and what is not wished for is not", () => {
  const both = { audio: true, video: true };
  assert.equal(constraintsOf(both, {}).audio, true);
  assert.deepEqual(constraintsOf(both, { audio: "m" }).audio, { deviceId: { exact: "m" } });
  const video = /** @type {any} */ (constraintsOf(both, { video: "c" }).video);
  assert.deepEqual([video.deviceId, video.facingMode], [{ exact: "c" }, undefined]);
  assert.deepEqual(constraintsOf({ audio: false, video: false }, { audio: "m", video: "c" }), { audio: false, video: false });
});
