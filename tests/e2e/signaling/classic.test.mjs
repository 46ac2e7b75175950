/** Clients as tutorials write them, over socket.io-client. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { io } from "socket.io-client";

import { plain } from "./lib/clients.mjs";
import { sleep, start, within } from "./lib/server.mjs";

let server;
before(async () => (server = await start()));
after(() => server.stop());

/** Everything a client hears, with all arguments. */
function client(on = server, options = {}) {
  const socket = io(on.url, { forceNew: true, reconnection: false, ...options });
  const heard = [];
  socket.onAny((...event) => heard.push(event));
  const hears = async (count) => {
    const until = Date.now() + 5000;
    while (heard.length < count && Date.now() < until) await sleep(10);
    return heard.splice(0);
  };
  return { socket, hears };
}

/**
 * The client of a well-known codelab, with its browser parts taken away: it finds its room, and once both are
 * ready the one who made the room sends an offer.
 */
function codelab(room) {
  const { socket } = client();
  const log = [];
  let isInitiator = false;
  let isChannelReady = false;
  let isStarted = false;
  let resolve;
  const done = new Promise((take) => (resolve = take));
  const sendMessage = (message) => socket.emit("message", message);
  const maybeStart = () => {
    if (isStarted || !isChannelReady) return;
    isStarted = true;
    if (isInitiator) sendMessage({ type: "offer", sdp: "v=0 offer" });
  };
  socket.on("created", () => (isInitiator = true));
  socket.on("full", () => resolve(["full"]));
  socket.on("join", () => (isChannelReady = true));
  socket.on("joined", () => (isChannelReady = true));
  socket.on("ready", () => sendMessage("got user media"));
  socket.on("message", (message) => {
    log.push(message?.type ?? message);
    if (message === "got user media") maybeStart();
    else if (message.type === "offer") {
      if (!isInitiator && !isStarted) maybeStart();
      sendMessage({ type: "answer", sdp: "v=0 answer" });
      sendMessage({ type: "candidate", label: 0, id: "0", candidate: "candidate:1" });
    } else if (message.type === "candidate") {
      if (isInitiator) sendMessage({ type: "candidate", label: 0, id: "0", candidate: "candidate:2" });
      else sendMessage("bye");
      resolve(log);
    } else if (message === "bye") log.push("hung up");
  });
  socket.emit("create or join", room);
  return { socket, done: within(5000, done, "the call"), log };
}

test("the codelab's clients find each other and make their call", async () => {
  const first = codelab("foo");
  await within(5000, new Promise((take) => first.socket.once("created", take)), "the room");
  const second = codelab("foo");
  assert.deepEqual(await second.done, ["got user media", "offer", "candidate"]);
  await first.done;
  for (let turn = 0; turn < 100 && first.log.at(-1) !== "hung up"; turn++) await sleep(20);
  assert.deepEqual(first.log, ["got user media", "answer", "candidate", "bye", "hung up"]);
  const third = codelab("foo");
  assert.deepEqual(await third.done, ["full"]);
  for (const { socket } of [first, second, third]) socket.disconnect();
});

test("each event comes with the arguments that samples expect", async () => {
  const [anna, ben] = [client(), client()];
  anna.socket.emit("create or join", "部屋");
  const [[created, room, annas]] = await anna.hears(1);
  assert.deepEqual([created, room], ["created", "部屋"]);
  assert.match(annas, /^[0-9a-f]{32}$/);
  ben.socket.emit("create or join", "部屋");
  const [[joined, same, bens], ready] = await ben.hears(2);
  assert.deepEqual([joined, same, ready], ["joined", "部屋", ["ready", "部屋"]]);
  assert.notEqual(annas, bens);
  assert.deepEqual(await anna.hears(2), [["join", "部屋"], ["ready", "部屋"]]);
  for (const body of ["text", { type: "offer", sdp: "<b>&" }, ["a", 1], null, 7]) {
    ben.socket.emit("message", body);
    assert.deepEqual(await anna.hears(1), [["message", body]]);
  }
  ben.socket.emit("bye", "部屋");
  assert.deepEqual(await anna.hears(1), [["bye", "部屋"]]);
  ben.socket.disconnect();
  assert.deepEqual(await anna.hears(1), [["bye", bens]]);
  anna.socket.disconnect();
});

test("samples that join by a bare name pass offers, answers and candidates", async () => {
  const [anna, ben] = [client(), client()];
  anna.socket.emit("join", "bare");
  assert.equal((await anna.hears(1))[0][0], "created");
  ben.socket.emit("join", "bare");
  assert.equal((await ben.hears(2))[0][0], "joined");
  await anna.hears(2);
  for (const event of ["ready", "offer", "answer", "candidate", "ice-candidate"]) {
    ben.socket.emit(event, { event }, "bare");
    assert.deepEqual(await anna.hears(1), [[event, { event }]]);
  }
  anna.socket.emit("leave", "bare");
  assert.equal((await ben.hears(1))[0][0], "bye");
  anna.socket.emit("message", "still here?");
  assert.equal((await anna.hears(1))[0][1].code, "bad_message", "outside it speaks the room protocol");
  for (const { socket } of [anna, ben]) socket.disconnect();
});

describe("strangers", () => {
  test("a message stays in the sender's room, and needs one", async () => {
    const [anna, eve] = [client(), client()];
    anna.socket.emit("create or join", "mine");
    await anna.hears(1);
    eve.socket.emit("message", "hello all");
    assert.equal((await eve.hears(1))[0][0], "problem");
    eve.socket.emit("create or join", "hers");
    await eve.hears(1);
    eve.socket.emit("message", { room: "mine", to: "mine" });
    eve.socket.emit("bye", "mine");
    await sleep(100);
    assert.deepEqual(await anna.hears(0), []);
    // The same name in the room protocol is another room.
    const ben = await plain(server);
    ben.send("join", { room: "mine" });
    assert.equal((await ben.next("joined")).waiting, true);
    assert.deepEqual(await anna.hears(0), []);
    ben.close();
    for (const { socket } of [anna, eve]) socket.disconnect();
  });

  test("names that are none and events that nobody knows are refused", async () => {
    const eve = client();
    for (const room of ["", " ", "\u0000", "x".repeat(65)]) {
      eve.socket.emit("create or join", room);
      assert.equal((await eve.hears(1))[0][1].code, "bad_room");
    }
    for (const room of [{}, ["a"], null, undefined, true]) {
      eve.socket.emit("create or join", room);
      assert.equal((await eve.hears(1))[0][1].code, "bad_message");
    }
    eve.socket.emit("create or join", 7);
    assert.equal((await eve.hears(1))[0][1], "7");
    eve.socket.emit("__proto__", 1);
    assert.equal((await eve.hears(1))[0][1].code, "bad_message");
    eve.socket.disconnect();
  });
});

test("a token of the application's own in the handshake keeps nobody out where there are no keys", async () => {
  const { socket, hears } = client(server, { auth: { token: "of the application" } });
  socket.emit("create or join", "own token");
  assert.equal((await hears(1))[0][0], "created");
  socket.disconnect();
});
