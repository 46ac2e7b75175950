/** Two werift peers that may use nothing but this server's relays: relay.mjs HOST PORT USERNAME PASSWORD TRANSPORT */

import assert from "node:assert/strict";

import { RTCPeerConnection } from "werift";

const [host, port, username, credential, transport] = process.argv.slice(2);
const MESSAGES = 50;

const configuration = {
  iceServers: [{ urls: `turn:${host}:${port}?transport=${transport}`, username, credential }],
  iceTransportPolicy: /** @type {const} */ ("relay"),
  forceTurnTCP: transport === "tcp",
};
const [left, right] = [new RTCPeerConnection(configuration), new RTCPeerConnection(configuration)];

/** Has a peer gather, and tells of its relays alone: werift offers host candidates whatever the policy. */
async function described(/** @type {RTCPeerConnection} */ peer, /** @type {any} */ description) {
  await peer.setLocalDescription(description);
  while (peer.iceGatheringState !== "complete") await peer.iceGatheringStateChange.asPromise();
  const { sdp, type } = peer.localDescription;
  const lines = sdp.split("\r\n").filter((line) => !/^a=candidate:.* typ (?!relay)/.test(line));
  assert.ok(lines.some((line) => /^a=candidate:.* typ relay/.test(line)), sdp);
  return { sdp: lines.join("\r\n"), type };
}

const channel = left.createDataChannel("chat");
right.onDataChannel.subscribe((theirs) => {
  theirs.onMessage.subscribe((message) => theirs.send(`echo of ${message}`));
});
const opened = new Promise((resolve) => channel.stateChanged.subscribe((state) => state === "open" && resolve(null)));
await right.setRemoteDescription(await described(left, await left.createOffer()));
await left.setRemoteDescription(await described(right, await right.createAnswer()));
await opened;
for (let number = 0; number < MESSAGES; number += 1) {
  const text = `message ${number} ${"x".repeat(number * 10)}`;
  const answer = new Promise((resolve) => channel.onMessage.once(resolve));
  channel.send(Buffer.from(text));
  assert.equal(String(await answer), `echo of ${text}`);
}
console.log(`passed: two werift peers exchange ${MESSAGES} messages on a data channel, relay to relay over ${transport}`);
await Promise.all([left.close(), right.close()]);
process.exit(0);
