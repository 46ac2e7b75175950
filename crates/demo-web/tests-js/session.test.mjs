import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { begin, pass, peers, sockets, told } from "./fakes.mjs";

const { Session } = await import("../assets/js/session.js");

const OFF = { audio: false, video: false };
const ICE = { iceServers: [{ urls: "turn:a", username: "1:first", credential: "c" }], iceTtl: 60 };

beforeEach(begin);
afterEach(() => mock.timers.reset());

/** @param {...string} names of those who are there already */
async function entered(...names) {
  const session = new Session(null);
  session.enter({ room: "north", name: "", token: null, wish: OFF, relay: "off" });
  await pass(0);
  const [socket] = sockets;
  socket.up();
  await admit(socket, names);
  return { session, socket, calls: [...session.calls.values()] };
}

/**
 * @param {typeof sockets[number]} socket
 * @param {string[]} names
 */
async function admit(socket, names) {
  const members = names.map((name) => ({ id: name, name }));
  socket.asked("join").answer({ self: { id: "me", name: "" }, room: "north", peers: members, ...ICE, resume: { token: "t" } });
  await pass(0);
}

/** All calls stand, and something comes over each. */
async function inCalls() {
  const there = await entered("Aoi", "Sora", "Chie");
  const { socket } = there;
  for (const { peer } of there.calls) socket.tell("offer", { from: peer.id, description: { type: "offer", sdp: "", round: 1 } });
  await pass(100);
  for (const [n, peer] of peers.entries()) {
    peer.become("connected");
    // Their readings are not at the same time.
    await pass(n * 200);
  }
  await pass(8000);
  socket.sent.length = 0;
  return there;
}

test("when nothing comes of one of several, that one is searched for and signaling stays", async () => {
  const { socket } = await inCalls();
  const { connects } = socket;
  peers[1].flow = 0;
  await pass(4000);
  assert.equal(socket.connects, connects);
  socket.asked("ice").answer(ICE);
  await pass(100);
  assert.deepEqual(peers.map(({ restarts }) => restarts), [0, 1, 0]);
});

test("when nothing comes of anybody, signaling is made anew once, and then all are searched for once", async () => {
  const { socket } = await inCalls();
  const { connects } = socket;
  for (const peer of peers) peer.flow = 0;
  await pass(4000);
  assert.equal(socket.connects, connects + 1);
  await back(socket);
  assert.deepEqual(peers.map(({ restarts }) => restarts), [1, 1, 1]);
});

test("what the browser has told of is not told again by the silence that follows", async () => {
  const { socket } = await inCalls();
  const { connects } = socket;
  for (const peer of peers) peer.flow = 0;
  told("online");
  await pass(500);
  await back(socket);
  // Nobody answers the offers yet.
  await pass(6000);
  assert.equal(socket.connects, connects + 1);
  assert.deepEqual(peers.map(({ restarts }) => restarts), [1, 1, 1]);
});

test("a room that was left before it answered has no say in the next", async () => {
  const { session, socket } = await entered();
  // The server does not answer the join that follows.
  await forgotten(socket);
  session.leave();
  session.enter({ room: "south", name: "", token: null, wish: OFF, relay: "off" });
  await pass(100);
  const next = sockets[1];
  next.up();
  await admit(next, []);
  await pass(8000);
  assert.deepEqual([session.phase, session.notices], ["joined", []]);
  await pass(8000);
  assert.equal(next.sent.filter(({ name }) => name === "join").length, 1);
});

test("the credentials that come with the return reach all calls, and a search asks for no others", async () => {
  const { socket } = await inCalls();
  told("online");
  await pass(500);
  await back(socket);
  assert.deepEqual(peers.map(({ restarts }) => restarts), [1, 1, 1]);
  assert.equal(socket.asked("ice").payload, null);
  const users = () => peers.map(({ configuration }) => configuration.iceServers[0].username);
  assert.deepEqual(users(), ["2:back", "2:back", "2:back"]);
  await pass(10_000);
  for (const peer of peers) peer.become("failed");
  await pass(4000);
  socket.asked("ice").answer(ICE);
  await pass(100);
  // Nobody has answered, so the search is another connection.
  assert.deepEqual(users().slice(3), ["1:first", "1:first", "1:first"], "a later search asks");
});

test("who comes back to more than can be called waits for a place, and the calls go on", async () => {
  const { session, socket } = await entered("Aoi", "Sora", "Chie");
  await forgotten(socket);
  await admit(socket, ["Aoi", "Sora", "Chie", "our own old place"]);
  assert.equal(socket.sent.at(-1)?.name, "leave");
  assert.deepEqual([session.phase, session.linked, [...session.calls.keys()]], ["joined", false, ["Aoi", "Sora", "Chie"]]);
  const { length } = socket.sent;
  session.setRelay("any");
  await pass(100);
  socket.asked("ice").answer({ code: "not_joined" });
  await pass(2800);
  assert.deepEqual(socket.sent.slice(length).map(({ name }) => name), ["ice"], "who is outside says nothing to the others");
  await pass(100);
  await admit(socket, ["Aoi", "Sora", "Chie"]);
  assert.deepEqual([session.linked, session.calls.size, session.notices], [true, 3, []]);
});

test("who enters a room of more than can be called goes at once", async () => {
  const { session } = await entered("Aoi", "Sora", "Chie", "Ben");
  assert.deepEqual([session.phase, session.why, session.notices], ["lobby", "refused", [{ key: "problem.room_full" }]]);
});

/** The connection breaks, and the server knows nothing of it. @param {typeof sockets[number]} socket */
async function forgotten(socket) {
  socket.disconnect();
  socket.up();
  socket.asked("resume").answer({ code: "cannot_resume" });
  await pass(100);
}

/** Signaling comes back as it was, and answers. @param {typeof sockets[number]} socket */
async function back(socket) {
  socket.up();
  const iceServers = [{ urls: "turn:a", username: "2:back", credential: "c" }];
  socket.asked("resume").answer({ iceServers, iceTtl: 60, received: 1000, resume: { token: "u" } });
  await pass(1500);
}
