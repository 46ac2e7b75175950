/** Unmodified clients of PeerJS and y-webrtc, whose connections go through our relay only. */

import assert from "node:assert/strict";

import { open } from "../lib/browser.mjs";
import { openGuests } from "../lib/guests.mjs";
import { check, eventually } from "../lib/report.mjs";
import { up } from "../lib/suite.mjs";

const KEY = "a key of the browser tests";

/** @param {import("../run.mjs").Stage & { watari: string }} stage */
export async function foreign({ watari, browser, keep }) {
  const guests = await openGuests();
  const settings = [
    `signaling.allowed_origins=["${guests.origin}"]`,
    `signaling.credentials.api_keys=["${KEY}"]`,
  ];
  const suite = await up(watari, settings);
  try {
    const ice = await (await fetch(new URL("/ice", suite.page), { headers: { "x-api-key": KEY } })).json();
    const config = { iceServers: ice.iceServers, iceTransportPolicy: "relay" };
    const visit = async (/** @type {string} */ origin) => {
      const person = keep(await open(browser));
      await person.page.goto(origin);
      return person;
    };
    await peers({ visit, guests, config, suite });
    await documents({ visit, guests, config, suite });
  } finally {
    await suite.down();
    guests.close();
  }
}

/**
 * @typedef {object} Scene
 * @property {(origin: string) => Promise<import("../lib/browser.mjs").Person>} visit
 * @property {Awaited<ReturnType<typeof openGuests>>} guests
 * @property {object} config of their RTCPeerConnections
 * @property {import("../lib/suite.mjs").Suite} suite
 */

/** @param {Scene} scene */
async function peers({ visit, guests, config, suite }) {
  const { hostname, port } = new URL(suite.page);
  const options = { host: hostname, port: Number(port), path: "/peerjs", config };
  const [anna, ben] = [await visit(guests.origin), await visit(guests.origin)];
  await check("a PeerJS client gets the id it asks for, another one a fresh id", async () => {
    assert.equal(await anna.page.evaluate(openPeer, "anna", options), "anna");
    const id = await ben.page.evaluate(openPeer, null, options);
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
  await check("its data channel opens through our relay, and carries both ways", async () => {
    await anna.page.evaluate(echo);
    const before = await suite.metric("turn_relay_bytes_total");
    const { said, types } = await ben.page.evaluate(talkTo, "anna", "渡り鳥");
    assert.equal(said, "anna heard 渡り鳥");
    assert.deepEqual(types, ["relay", "relay"]);
    // The figures are published a moment after what they count.
    const relayed = () => suite.metric("turn_relay_bytes_total");
    await eventually("the relay has seen it", relayed, (bytes) => bytes > before);
  });
  await check("an id that somebody has is refused, one that nobody has is said to be so", async () => {
    const eve = await visit(guests.origin);
    assert.equal(await eve.page.evaluate(openPeer, "anna", options), "unavailable-id");
    assert.equal(await ben.page.evaluate(callNobody, "nobody"), "peer-unavailable");
    await eve.close();
  });
  await check("the list of ids is closed, and so is everything to pages of other origins", async () => {
    assert.equal((await fetch(new URL("/peerjs/peerjs/peers", suite.page))).status, 401);
    const stranger = await visit(guests.foreign);
    assert.equal(await stranger.page.evaluate(openPeer, "eve", options), "network");
    // The browser itself reports the refused connection.
    stranger.errors.length = 0;
    await stranger.close();
  });
  for (const person of [anna, ben]) person.errors.length = 0;
  await anna.close();
  await ben.close();
}

/** @param {Scene} scene */
async function documents({ visit, guests, config, suite }) {
  const signaling = [suite.page.replace(/^http/, "ws").replace(/\/$/, "") + "/y-webrtc"];
  const [anna, ben] = [await visit(guests.origin), await visit(guests.origin)];
  await check("two y-webrtc pages share a document through our relay, each seeing the other's changes", async () => {
    for (const person of [anna, ben]) await person.page.evaluate(share, signaling, config);
    await anna.page.evaluate(write, "渡り");
    assert.equal(await ben.page.evaluate(reads, "渡り"), "渡り");
    await ben.page.evaluate(write, "鳥");
    assert.equal(await anna.page.evaluate(reads, "鳥渡り"), "鳥渡り");
    assert.deepEqual(await ben.page.evaluate(pairs), [["relay", "relay"]]);
  });
  await anna.close();
  await ben.close();
}

/* What follows runs in the pages. */

/** The id, or the kind of error. @param {string | null} id @param {object} options @returns {Promise<string>} */
function openPeer(id, options) {
  const { Peer } = /** @type {any} */ (window);
  const peer = id === null ? new Peer(options) : new Peer(id, options);
  Object.assign(window, { peer });
  return new Promise((resolve) => {
    peer.on("open", resolve);
    peer.on("error", (/** @type {{ type: string }} */ error) => resolve(error.type));
  });
}

function echo() {
  const { peer } = /** @type {any} */ (window);
  peer.on("connection", (/** @type {any} */ channel) => {
    channel.on("data", (/** @type {string} */ text) => channel.send(`${peer.id} heard ${text}`));
  });
}

/** @param {string} id @param {string} text @returns {Promise<{ said: string, types: string[] }>} */
async function talkTo(id, text) {
  const channel = /** @type {any} */ (window).peer.connect(id, { reliable: true });
  const said = await new Promise((resolve, reject) => {
    channel.on("open", () => channel.send(text));
    channel.on("data", resolve);
    channel.on("error", reject);
  });
  const stats = await channel.peerConnection.getStats();
  const transport = [...stats.values()].find((stat) => stat.type === "transport");
  const pair = stats.get(transport.selectedCandidatePairId);
  const types = [pair.localCandidateId, pair.remoteCandidateId].map((end) => stats.get(end).candidateType);
  return { said, types };
}

/** @param {string} id @returns {Promise<string>} */
function callNobody(id) {
  const { peer } = /** @type {any} */ (window);
  return new Promise((resolve) => {
    peer.on("error", (/** @type {{ type: string }} */ error) => resolve(error.type));
    peer.connect(id);
  });
}

/** @param {string[]} signaling @param {object} config */
function share(signaling, config) {
  const { Y, WebrtcProvider } = /** @type {any} */ (window);
  const doc = new Y.Doc();
  const provider = new WebrtcProvider("notes of the tests", doc, { signaling, peerOpts: { config } });
  Object.assign(window, { doc, provider });
}

/** @param {string} text */
function write(text) {
  /** @type {any} */ (window).doc.getText("notes").insert(0, text);
}

/** What the document says once it says this, or after a while. @param {string} text @returns {Promise<string>} */
async function reads(text) {
  const notes = /** @type {any} */ (window).doc.getText("notes");
  for (let turn = 0; turn < 300 && notes.toString() !== text; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return notes.toString();
}

/** The candidate types of each connection's pair. */
async function pairs() {
  const { provider } = /** @type {any} */ (window);
  const connections = [...provider.room.webrtcConns.values()].map((conn) => conn.peer._pc);
  return Promise.all(
    connections.map(async (/** @type {RTCPeerConnection} */ connection) => {
      const stats = await connection.getStats();
      const all = [.../** @type {any} */ (stats).values()];
      const pair = stats.get(all.find((stat) => stat.type === "transport").selectedCandidatePairId);
      return [pair.localCandidateId, pair.remoteCandidateId].map((end) => stats.get(end).candidateType);
    }),
  );
}
