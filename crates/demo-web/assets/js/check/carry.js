/** A call of this page with itself through a relay: round trip, throughput, loss. */

import { PING_WITHIN } from "./verdict.js";

const CONNECT_WITHIN = 12_000;
const PINGS = 7;
/** 2 Mbit/s: a picture and sound, for a second; `every` in ms. */
const CALL = { datagrams: 250, every: 4 };
const LOAD_FOR = 1500;
/** Somebody pays for what is relayed. */
const LOAD_AT_MOST = 3_000_000;
const SETTLE = 600;
const SIZE = 1000;
const BUFFERED = 64_000;

/**
 * @param {RTCPeerConnection} near has gathered and made its channel, `negotiated` with the id 0
 * @param {RTCPeerConnection} far
 * @returns {Promise<import("./verdict.js").Carried | null>} null when nothing gets through
 */
export async function carry(near, far) {
  const options = { negotiated: true, id: 1, ordered: false, maxRetransmits: 0 };
  const [here, there] = [near, far].map((pc) => pc.createDataChannel("load", options));
  const connected = opened(here, there);
  await introduce(near, far);
  if (!(await connected)) return null;
  there.addEventListener("message", ({ data }) => typeof data === "string" && there.send(data));
  return { rtt: await pingPong(here), ...(await loss(here, there)), ...(await throughput(here, there)) };
}

/**
 * Candidates go along as they come, both ways.
 * @param {RTCPeerConnection} near
 * @param {RTCPeerConnection} far
 */
async function introduce(near, far) {
  far.addEventListener("icecandidate", ({ candidate }) => near.addIceCandidate(candidate ?? undefined).catch(() => {}));
  near.addEventListener("icecandidate", ({ candidate }) => far.addIceCandidate(candidate ?? undefined).catch(() => {}));
  far.createDataChannel("echo", { negotiated: true, id: 0 });
  if (near.localDescription) await far.setRemoteDescription(near.localDescription);
  await far.setLocalDescription();
  if (far.localDescription) await near.setRemoteDescription(far.localDescription);
}

/**
 * @param {...RTCDataChannel} channels
 * @returns {Promise<boolean>}
 */
async function opened(...channels) {
  const all = Promise.all(
    channels.map((channel) => new Promise((resolve) => channel.addEventListener("open", resolve))),
  );
  return Promise.race([all.then(() => true), pause(CONNECT_WITHIN).then(() => false)]);
}

/**
 * The median of some round trips in ms; null when none came back.
 * @param {RTCDataChannel} channel
 */
async function pingPong(channel) {
  const times = [];
  for (let n = 0; n < PINGS && channel.readyState === "open"; n += 1) {
    const began = performance.now();
    const back = new Promise((resolve) => {
      channel.addEventListener("message", resolve, { once: true });
    });
    channel.send(`ping ${n}`);
    const came = await Promise.race([back.then(() => true), pause(PING_WITHIN).then(() => false)]);
    if (came) times.push(performance.now() - began);
    // The load tells how much is lost.
    else if (n > 1 && times.length === 0) break;
  }
  times.sort((a, b) => a - b);
  return times.length > 0 ? Math.round(times[times.length >> 1] * 10) / 10 : null;
}

/**
 * Loss at the rate of a call: who fills a path to the brim loses datagrams on every path.
 * @param {RTCDataChannel} from
 * @param {RTCDataChannel} to
 */
async function loss(from, to) {
  const arrived = count(to);
  const datagram = new Uint8Array(SIZE);
  const began = performance.now();
  let sent = 0;
  while (sent < CALL.datagrams && from.readyState === "open") {
    const due = Math.min(CALL.datagrams, Math.ceil((performance.now() - began) / CALL.every));
    for (; sent < due; sent += 1) from.send(datagram);
    await pause(CALL.every);
  }
  await pause(SETTLE);
  return { sent, lost: sent - arrived.stop().received };
}

/**
 * What gets through a second, sending as fast as the channel takes it.
 * @param {RTCDataChannel} from
 * @param {RTCDataChannel} to
 */
async function throughput(from, to) {
  const arrived = count(to);
  const datagram = new Uint8Array(SIZE);
  const began = performance.now();
  let sent = 0;
  while (performance.now() - began < LOAD_FOR && sent * SIZE < LOAD_AT_MOST && from.readyState === "open") {
    for (; from.bufferedAmount < BUFFERED && sent * SIZE < LOAD_AT_MOST; sent += 1) from.send(datagram);
    await pause(4);
  }
  await pause(SETTLE);
  const { received, last } = arrived.stop();
  const seconds = Math.max(1, last - began) / 1000;
  return { mbit: Math.round((received * SIZE * 8) / seconds / 1e5) / 10 };
}

/** @param {RTCDataChannel} channel */
function count(channel) {
  const seen = { received: 0, last: 0 };
  const take = (/** @type {MessageEvent} */ { data }) => {
    if (typeof data === "string") return;
    seen.received += 1;
    seen.last = performance.now();
  };
  channel.addEventListener("message", take);
  return {
    stop() {
      channel.removeEventListener("message", take);
      return seen;
    },
  };
}

/** @param {number} ms @returns {Promise<void>} */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
