import assert from "node:assert/strict";
import { test } from "node:test";

import { anatomyOf, pairPriority, splitPriority } from "../assets/js/inspect/anatomy.js";
import { endsOf, pairsOf, whySelected } from "../assets/js/inspect/pairs.js";
import { fieldsOf, FIELDS, parseSdp } from "../assets/js/inspect/sdp.js";
import words from "../assets/js/inspect/words-en.js";

test("a candidate is taken apart, and its priority into what it was made of", () => {
  const line = "candidate:842163049 1 udp 1677729535 203.0.113.7 51000 typ srflx raddr 192.0.2.5 rport 4 ufrag a";
  const anatomy = anatomyOf(line, "stun:stun.example.org", 12) ?? assert.fail();
  assert.deepEqual([anatomy.foundation, anatomy.component, anatomy.related, anatomy.url, anatomy.after], ["842163049", 1, "192.0.2.5:4", "stun:stun.example.org", 12]);
  assert.deepEqual(anatomy.parts, { type: 100, local: 30, component: 1 });
  assert.equal(anatomyOf("", "", 0), null);
});

test("the parts of a priority make it up again (RFC 8445 §5.1.2.1)", () => {
  for (const priority of [2_130_706_431, 1_694_498_815, 16_777_215, 0x7effffff]) {
    const { type, local, component } = splitPriority(priority);
    assert.equal(2 ** 24 * type + 2 ** 8 * local + (256 - component), priority);
  }
  assert.equal(splitPriority(2_130_706_431).type, 126);
});

test("the priority of a pair does not depend on its side but for the last bit (RFC 8445 §6.1.2.3)", () => {
  assert.equal(pairPriority(3, 5), 3n * 2n ** 32n + 10n);
  assert.equal(pairPriority(5, 3), 3n * 2n ** 32n + 11n);
  assert.equal(pairPriority(2_130_706_431, 2_130_706_431), 9_151_314_442_783_293_438n);
});

/** @param {string} id @param {string} candidateType @param {number} priority */
const candidate = (id, candidateType, priority) => ({ id, type: "x-candidate", candidateType, protocol: "udp", address: "192.0.2.1", port: 5, priority });
const host = candidate("h", "host", 2_130_706_431);
const relay = candidate("r", "relay", 16_777_215);
/** @param {string} id @param {any} more */
const pair = (id, more) => ({ id, type: "candidate-pair", localCandidateId: "h", remoteCandidateId: "h", state: "succeeded", ...more });
/** @param {any[]} stats */
const report = (...stats) => new Map([host, relay, ...stats].map((stat) => [stat.id, stat]));

test("pairs come the best first, and a pair whose ends are unknown does not come", () => {
  const pairs = pairsOf(report(pair("low", { localCandidateId: "r" }), pair("high", { currentRoundTripTime: 0.0123 }), pair("odd", { remoteCandidateId: "gone" })));
  assert.deepEqual(pairs.map(({ id }) => id), ["high", "low"]);
  assert.equal(pairs[0].rtt, 12.3);
  assert.equal(pairs[1].rtt, null);
  const { local, remote } = endsOf(pairs);
  assert.deepEqual([local.map(({ id }) => id), remote.map(({ id }) => id)], [["h", "r"], ["h"]]);
});

test("what Firefox tells of a pair is told as far as it goes: no count is not none", () => {
  const [told] = pairsOf(report(pair("p", { state: "cancelled", responsesReceived: 0, currentRoundTripTime: 0 })));
  assert.deepEqual([told.state, told.asked, told.answered, told.rtt], ["cancelled", null, 0, null]);
  const [counted] = pairsOf(report(pair("p", { requestsSent: 0, responsesReceived: 0 })));
  assert.deepEqual([counted.asked, counted.answered], [0, 0]);
  /** @type {Record<string, string>} */
  const known = words;
  for (const state of ["frozen", "waiting", "in-progress", "failed", "succeeded", "cancelled", "of another browser"]) {
    assert.ok(known[`pair.${pairsOf(report(pair("p", { state })))[0].state}`], state);
  }
});

test("why a pair was selected is told from what else works", () => {
  const why = (/** @type {any[]} */ ...stats) => whySelected(pairsOf(report(...stats)));
  const low = pair("low", { localCandidateId: "r" });
  const named = (/** @type {string} */ id) => ({ id: "t", type: "transport", selectedCandidatePairId: id });
  assert.equal(why(), "why.nothing");
  assert.equal(why(low), "why.none");
  assert.equal(why(low, named("low")), "why.only");
  assert.equal(why(low, pair("high", {}), named("high")), "why.best");
  assert.equal(why(low, pair("high", {}), named("low")), "why.first");
  assert.equal(why({ ...low, selected: true }, pair("high", { state: "failed" })), "why.only");
});

const SDP = [
  "v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 0", "c=IN IP4 0.0.0.0", "b=AS:64", "b=TIAS:64000", "a=ice-ufrag:abcd", "a=setup:actpass",
  "a=fingerprint:sha-256 AA:BB:CC:DD:EE:FF", "a=mid:0", "a=sendrecv", "a=rtpmap:111 opus/48000/2",
  "a=candidate:1 1 udp 5 192.0.2.1 9 typ host", "m=application 0 UDP/DTLS/SCTP webrtc-datachannel", "a=mid:1", "",
].join("\r\n");

test("a description is read into the fields that a call is agreed by", () => {
  const { name, id, version, timing, group, media } = parseSdp(SDP);
  assert.deepEqual([name, id, version, timing, group], ["-", "4611731400430051336", "2", "0 0", "BUNDLE 0 1"]);
  assert.deepEqual(media.map(({ kind, port, protocol }) => [kind, port, protocol]), [
    ["audio", 9, "UDP/TLS/RTP/SAVPF"], ["application", 0, "UDP/DTLS/SCTP"],
  ]);
  const [audio, data] = media;
  assert.deepEqual(audio.codecs, ["opus 48 kHz/2", "0"]);
  assert.deepEqual([audio.address, audio.bandwidth, audio.direction, audio.ufrag, audio.setup, audio.candidates], ["IP4 0.0.0.0", ["AS:64", "TIAS:64000"], "sendrecv", "abcd", "actpass", 1]);
  assert.equal(audio.fingerprint, "sha-256 AA:BB:CC:DD…");
  assert.deepEqual(data.codecs, ["webrtc-datachannel"]);
});

test("every limit of the bandwidth is shown, with a section that has none those of the session", () => {
  const sdp = "v=0\r\nb=CT:500\r\nm=audio 9 X 0\r\nb=AS:64\r\nb=TIAS:64000\r\nm=video 9 X 0\r\n";
  assert.deepEqual(fieldsOf(parseSdp(sdp)).find(({ key }) => key === "bandwidth")?.values, ["AS:64, TIAS:64000", "CT:500"]);
});

test("what the session says holds for sections that say nothing", () => {
  const { media } = parseSdp("v=0\r\na=ice-ufrag:top\r\nm=audio 9 X 0\r\nm=video 9 X 0\r\na=ice-ufrag:own\r\n");
  assert.deepEqual(media.map(({ ufrag }) => ufrag), ["top", "own"]);
});

test("every field has a name and an explanation, and an empty description has fields, too", () => {
  /** @type {Record<string, string>} */
  const known = words;
  for (const key of FIELDS) assert.ok(known[`field.${key}`] && known[`explain.${key}`], key);
  assert.deepEqual(fieldsOf(parseSdp("")).map(({ key }) => key), FIELDS);
});
