import assert from "node:assert/strict";
import { test } from "node:test";

import { constraintsOf, lackingKeys, unavailable } from "../assets/js/media.js";
import { callState, stateLine, STEPS, stepsDone } from "../assets/js/state.js";

/** @typedef {import("../assets/js/state.js").Facts} Facts */

/** @param {Partial<Facts>} change @returns {Facts} */
const facts = (change) => ({ phase: "joined", linked: true, why: null, left: null, calls: new Map(), ...change });

/** @param {...import("../assets/js/state.js").CallFacts} calls */
const among = (...calls) => ({ calls: new Map(calls.map((call, n) => [String(n), call])) });

/** @param {string} type */
const end = (type) => ({ id: type, type, protocol: "udp", relayProtocol: "", address: "", port: 1 });

/** @param {string} local @param {string} remote */
const path = (local, remote) => ({ local: end(local), remote: end(remote), rtt: null, bytesSent: 0, bytesReceived: 0, at: 0 });

/** @param {Partial<import("../assets/js/state.js").CallFacts>} change @returns {import("../assets/js/state.js").CallFacts} */
const call = (change) => ({
  peer: { name: "Sora" },
  state: "connected",
  away: false,
  path: null,
  progress: { offer: true, answer: true, candidates: true },
  ...change,
});

test("the line follows the session from the form to the call and back", () => {
  const key = (/** @type {Partial<Facts>} */ change) => {
    const { sentences } = stateLine(facts(change));
    assert.equal(sentences.length, 1);
    return sentences[0].key;
  };
  assert.equal(key({ phase: "lobby" }), "state.lobby");
  assert.equal(key({ phase: "media" }), "state.media");
  assert.equal(key({ phase: "signaling" }), "state.signaling");
  assert.equal(key({}), "state.waiting");
  assert.equal(key(among(call({ state: "connecting" }))), "state.connecting");
  assert.equal(key(among(call({}))), "state.connected");
  assert.equal(key(among(call({ state: "reconnecting" }))), "state.reconnecting");
  assert.equal(key(among(call({ state: "switching" }))), "state.switching");
  assert.equal(key(among(call({ away: true }))), "state.peerReconnecting");
  assert.equal(key({ linked: false, ...among(call({ away: true })) }), "state.signalingLost");
  assert.equal(key({ left: call({}) }), "state.left");
  assert.equal(key({ linked: false, ...among(call({})) }), "state.signalingLost");
  assert.equal(key({ phase: "signaling", linked: false, offline: true }), "state.offline");
  assert.equal(key({ linked: false, offline: true, ...among(call({})) }), "state.offline");
  assert.equal(key({ offline: true, ...among(call({})) }), "state.connected", "at localhost nothing is missing");
  assert.equal(key({ phase: "lobby", offline: true }), "state.lobby");
  assert.equal(key({ phase: "lobby", why: "ended" }), "state.ended");
  assert.equal(key({ phase: "lobby", why: "refused" }), "state.refused");
});

test("a relay at either end makes the call a relayed one", () => {
  for (const [local, remote] of [["relay", "relay"], ["relay", "host"], ["prflx", "relay"]]) {
    const relayed = call({ path: path(local, remote) });
    assert.equal(stateLine(facts(among(relayed))).sentences[0].key, "state.connected.relay");
    assert.equal(callState(relayed), "relay");
  }
  const direct = call({ path: path("host", "srflx") });
  assert.deepEqual(stateLine(facts(among(direct))).sentences, [
    { key: "state.connected.direct", params: { local: "host", remote: "srflx", transport: "UDP" }, people: [direct] },
  ]);
  assert.equal(callState(direct), "direct");
});

test("with several, those who are alike are told of together, troubles last", () => {
  const [sora, aoi] = [call({}), call({ peer: { name: "Aoi" } })];
  const chie = call({ peer: { name: "Chie" }, state: "reconnecting" });
  const told = (/** @type {Partial<Facts>} */ change) => {
    const { tone, sentences } = stateLine(facts(change));
    return [tone, ...sentences.map(({ key, people }) => [key, ...people.map(({ peer }) => peer.name)].join(" "))];
  };
  assert.deepEqual(told(among(sora, aoi)), ["good", "state.several.connected Sora Aoi"]);
  assert.deepEqual(told(among(sora, chie, aoi)), [
    "warn",
    "state.several.connected Sora Aoi",
    "state.several.reconnecting Chie",
  ]);
  assert.deepEqual(told(among(sora, { ...aoi, state: "connecting" })), [
    "busy",
    "state.several.connected Sora",
    "state.several.connecting Aoi",
  ]);
});

test("with several, who lost signaling is told of once, and stays connected where the path holds", () => {
  const keys = (/** @type {ReturnType<typeof among>} */ calls) => stateLine(facts(calls)).sentences.map(({ key }) => key);
  const sora = call({});
  assert.deepEqual(keys(among(sora, call({ away: true }))), ["state.several.connected", "state.several.away"]);
  assert.deepEqual(keys(among(sora, call({ away: true, state: "reconnecting" }))), ["state.several.connected", "state.several.away"]);
  assert.equal(callState(call({ away: true })), "away");
  assert.equal(callState(call({ away: true, state: "reconnecting" })), "reconnecting");
});

test("while others are there, who left is told of beside them", () => {
  const chie = call({ peer: { name: "Chie" } });
  const { tone, sentences } = stateLine(facts({ ...among(call({})), left: chie }));
  assert.equal(tone, "warn");
  assert.deepEqual(sentences.map(({ key }) => key), ["state.several.left", "state.several.connected"]);
  assert.deepEqual(sentences[0].people, [chie]);
});

test("steps are done in the order in which a call comes about", () => {
  assert.deepEqual([...stepsDone(facts({ phase: "lobby" }), null)], []);
  assert.deepEqual([...stepsDone(facts({}), null)], ["media", "signaling"]);
  const offered = call({ state: "connecting", progress: { offer: true, answer: false, candidates: false } });
  assert.deepEqual([...stepsDone(facts({}), offered)], ["media", "signaling", "peer", "offer"]);
  assert.deepEqual([...stepsDone(facts({}), call({ path: path("host", "host") }))], [...STEPS]);
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
