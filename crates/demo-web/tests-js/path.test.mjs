import assert from "node:assert/strict";
import { test } from "node:test";

import { isRelayed, placeKey, rates, received, recognise, selectedPath } from "../assets/js/path.js";

/** @param {any[]} stats */
const report = (...stats) => new Map(stats.map((stat) => [stat.id, stat]));

const local = { id: "l", type: "local-candidate", candidateType: "relay", protocol: "udp", relayProtocol: "tcp", address: "203.0.113.7", port: 49170 };
const remote = { id: "r", type: "remote-candidate", candidateType: "host", protocol: "udp", port: 5 };
const pair = { id: "p", type: "candidate-pair", localCandidateId: "l", remoteCandidateId: "r", state: "succeeded", nominated: true, timestamp: 1000, bytesSent: 10, bytesReceived: 20, currentRoundTripTime: 0.012 };

test("Chromium names the pair in its transport", () => {
  const other = { ...pair, id: "q", localCandidateId: "r" };
  const path = selectedPath(report(other, { id: "t", type: "transport", selectedCandidatePairId: "p" }, pair, local, remote));
  assert.equal(path?.local.type, "relay");
  assert.equal(path?.local.relayProtocol, "tcp");
  assert.equal(path?.remote.address, "");
  assert.equal(path?.rtt, 0.012);
  assert.equal(path && isRelayed(path), true);
});

test("Firefox marks the pair itself, and the mark wins over a nomination", () => {
  const old = { ...pair, id: "q", localCandidateId: "r" };
  assert.equal(selectedPath(report(old, { ...pair, selected: true }, local, remote))?.local.type, "relay");
  assert.equal(selectedPath(report({ ...pair, nominated: true }, local, remote))?.local.id, "l");
});

test("without a pair, or with one whose ends are unknown, there is no path", () => {
  assert.equal(selectedPath(report()), null);
  assert.equal(selectedPath(report(pair, local)), null);
  assert.equal(selectedPath(report({ ...pair, nominated: false }, local, remote)), null);
  assert.equal(selectedPath(report({ id: "t", type: "transport", selectedCandidatePairId: "gone" })), null);
});

test("a peer-reflexive end that the other side had announced is what it was announced as", () => {
  const prflx = { ...remote, candidateType: "prflx", address: "203.0.113.9", port: 6 };
  const host = { ...local, candidateType: "host" };
  const path = selectedPath(report(pair, host, prflx)) ?? assert.fail();
  assert.equal(isRelayed(path), false);
  const announced = new Map([[placeKey({ protocol: "udp", address: "203.0.113.9", port: 6 }), "relay"]]);
  assert.equal(isRelayed(recognise(path, announced)), true);
  assert.equal(recognise(path, new Map()).remote.type, "prflx");
});

test("rates are kbit/s between two readings of the same pair", () => {
  const now = selectedPath(report(pair, local, remote)) ?? assert.fail();
  const later = { ...now, at: 2000, bytesSent: 12510, bytesReceived: 20 };
  assert.deepEqual(rates(now, later), { sending: 100, receiving: 0 });
  assert.equal(rates(null, now), null);
  assert.equal(rates(later, now), null);
  assert.equal(rates({ ...now, local: { ...now.local, id: "else" } }, later), null);
});

test("what was received sums up frames and samples", () => {
  const sums = received(
    report(
      { id: "v", type: "inbound-rtp", kind: "video", framesDecoded: 7, frameWidth: 640, frameHeight: 480, framesPerSecond: 20 },
      { id: "a", type: "inbound-rtp", kind: "audio", totalSamplesReceived: 480 },
      { id: "o", type: "outbound-rtp", kind: "video", framesDecoded: 99 },
    ),
  );
  assert.deepEqual(sums, { framesDecoded: 7, width: 640, height: 480, framesPerSecond: 20, audioSamples: 480 });
});
