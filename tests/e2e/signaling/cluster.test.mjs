/** Two servers that share their rooms through a real Redis, and what happens when one of the three dies. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";

import { io } from "socket.io-client";

import { join, plain, socketIo } from "./lib/clients.mjs";
import { MISSING, redis } from "./lib/redis.mjs";
import { run, sleep, start, within } from "./lib/server.mjs";

if (MISSING) {
  console.log(`skipped: ${MISSING}`);
  process.exit(0);
}

let store;
before(async () => (store = await redis()));
after(() => store.stop());

let round = 0;

/** So many servers with rooms of their own. */
async function nodes(count = 2, settings = {}, on = store) {
  const prefix = `test-${round++}`;
  const shared = { "cluster.redis": on.url, "cluster.prefix": prefix, ...settings };
  return Promise.all(Array.from({ length: count }, () => start(shared)));
}

const stopAll = (servers) => Promise.all(servers.map((server) => server.stop()));

/** Joins to come back; the answer and the way to come back. */
async function enter(client, room, name) {
  client.send("join", { room, name, resume: true });
  const joined = await client.next("joined");
  return { id: joined.self.id, token: joined.resume.token, joined };
}

const candidate = (number) => ({ candidate: `candidate:${number}` });

describe("two servers", () => {
  let north, south, servers;
  before(async () => {
    servers = await nodes(2, { "rooms.capacity": 2 });
    [north, south] = servers;
  });
  after(() => stopAll(servers));

  for (const [name, connect] of [
    ["plain WebSocket", plain],
    ["Socket.IO", socketIo],
  ]) {
    test(`members of a room meet, whichever server they are at: ${name}`, async () => {
      const [anna, ben] = [await connect(north), await plain(south)];
      const annas = (await join(anna, name, "Anna")).self.id;
      const { self, peers, waiting } = await join(ben, name, "Ben");
      assert.deepEqual([peers, waiting], [[{ id: annas, name: "Anna" }], false]);
      assert.deepEqual(await anna.next("peer-joined"), { id: self.id, name: "Ben" });
      const description = { type: "offer", sdp: 'v=0\r\n"渡り"' };
      anna.send("offer", { to: self.id, description });
      assert.deepEqual(await ben.next("offer"), { from: annas, description });
      ben.send("answer", { to: annas, description: {} });
      assert.deepEqual(await anna.next("answer"), { from: self.id, description: {} });
      const chie = await connect(north);
      chie.send("join", { room: name });
      assert.equal((await chie.next("problem")).code, "room_full");
      chie.send("offer", { to: annas, description });
      assert.equal((await chie.next("problem")).code, "not_joined");
      ben.send("leave");
      assert.deepEqual(await anna.next("peer-left"), { id: self.id });
      await anna.next("waiting");
      assert.deepEqual([anna.spare(), ben.spare()], [[], []]);
      for (const client of [anna, ben, chie]) client.close();
    });
  }

  test("who loses the connection comes back at the other server, and misses nothing", async () => {
    const [anna, ben] = [await plain(north), await plain(south)];
    const { id, token, joined } = await enter(anna, "moves", "Anna");
    const bens = (await join(ben, "moves", "Ben")).self.id;
    assert.deepEqual(await anna.next("peer-joined"), { id: bens, name: "Ben", seq: 1 });
    anna.socket._socket.resetAndDestroy();
    assert.deepEqual(await ben.next("peer-reconnecting"), { id });
    for (const number of [2, 3, 4]) ben.send("candidate", { to: id, candidate: candidate(number) });
    const back = await socketIo(south);
    back.send("resume", { token, seen: 1 });
    const { self, room } = await back.next("resumed");
    assert.deepEqual([self, room], [joined.self, "moves"]);
    for (const number of [2, 3, 4]) {
      assert.deepEqual(await back.next("candidate"), { from: bens, candidate: candidate(number), seq: number });
    }
    assert.deepEqual(await ben.next("peer-reconnected"), { id });
    back.send("candidate", { to: bens, candidate: null });
    assert.deepEqual(await ben.next("candidate"), { from: id, candidate: null });
    back.close();
    assert.deepEqual(await ben.next("peer-left"), { id });
    ben.close();
  });

  test("a member that is at one server is taken over at the other, and its old connection ends", async () => {
    const [anna, ben] = [await plain(north), await plain(north)];
    const { id, token } = await enter(anna, "twice", "Anna");
    await join(ben, "twice", "Ben");
    await anna.next("peer-joined");
    const back = await plain(south);
    back.send("resume", { token, seen: 1 });
    assert.equal((await back.next("resumed")).self.id, id);
    assert.deepEqual(await anna.ended(), { code: 1008, reason: "replaced" });
    ben.send("candidate", { to: id, candidate: null });
    await back.next("candidate");
    assert.deepEqual(ben.spare(), [], "for the other nothing has happened");
    for (const client of [back, ben]) client.close();
  });

  test("PeerJS: an id is its holder's on all servers, and is found from each", async () => {
    const peer = (on, id, token = id) =>
      plain({ ws: on.ws.replace(/ws$/, `peerjs/peerjs?${new URLSearchParams({ key: "peerjs", id, token })}`) });
    const anna = await peer(north, "anna");
    await anna.next("OPEN");
    const thief = await peer(south, "anna", "another");
    await thief.next("ID-TAKEN");
    const ben = await peer(south, "ben");
    await ben.next("OPEN");
    ben.send("OFFER", { dst: "anna", payload: { sdp: "v=0" } });
    assert.deepEqual(await anna.next("OFFER"), { src: "ben", dst: "anna", payload: { sdp: "v=0" } });
    ben.send("OFFER", { dst: "late", payload: {} });
    await sleep(200);
    const late = await peer(north, "late");
    await late.next("OPEN");
    assert.equal((await late.next("OFFER")).src, "ben", "kept on all servers");
    for (const client of [anna, ben, late]) client.close();
  });

  test("y-webrtc and classic samples", async () => {
    const topics = [];
    for (const on of [north, south]) {
      const client = await plain({ ws: on.ws.replace(/ws$/, "y-webrtc") });
      client.send("subscribe", { topics: ["diary"] });
      topics.push(client);
    }
    await sleep(300);
    topics[0].send("publish", { topic: "diary", data: 1 });
    for (const client of topics) {
      assert.deepEqual(await client.next("publish"), { topic: "diary", data: 1, clients: 2 });
      client.close();
    }
    const heard = [];
    const sockets = [north, south].map((on) => io(on.url, { forceNew: true, reconnection: false }));
    for (const socket of sockets) socket.onAny((event) => heard.push(event));
    sockets[0].emit("create or join", "foo");
    await until(() => heard.includes("created"));
    sockets[1].emit("create or join", "foo");
    await until(() => heard.filter((event) => event === "ready").length === 2);
    sockets[1].emit("message", "hello");
    await until(() => heard.includes("message"));
    sockets[1].disconnect();
    await until(() => heard.includes("bye"));
    assert.deepEqual(heard.sort(), ["bye", "created", "join", "joined", "message", "ready", "ready"]);
    sockets[0].disconnect();
  });
});

async function until(holds, ms = 5000) {
  const end = Date.now() + ms;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${holds}`);
    await sleep(10);
  }
}

/**
 * Anna at one server and Ben at the other send each other numbered candidates all the time; both come back
 * whenever they are cut off, as the page does.
 */
class Talker {
  heard = [];
  told = [];
  #sent = [];
  #number = 0;
  #seen = 0;

  constructor(name, places) {
    Object.assign(this, { name, places });
  }

  async enter(room) {
    this.client = await plain(this.places[0]());
    const { id, token } = await enter(this.client, room, this.name);
    Object.assign(this, { id, token, is: "in" });
    this.#listen();
  }

  /** Says the next number to the other; what is not known to have arrived is said again after a loss. */
  say() {
    const seq = ++this.#number;
    this.#sent.push(seq);
    this.#send(seq);
  }

  #send(seq) {
    if (this.is === "in" && this.client.socket.readyState === 1) {
      this.client.send("candidate", { to: this.other, candidate: candidate(seq), seq });
    }
  }

  #listen() {
    const { client } = this;
    client.socket.on("message", (data) => {
      const { type, seq, candidate: said, received, resume, code } = JSON.parse(data.toString());
      if (seq) {
        assert.equal(seq, this.#seen + 1, `${this.name} is told everything in order`);
        this.#seen = seq;
      }
      if (type === "candidate") this.heard.push(Number(said.candidate.split(":")[1]));
      else if (type !== "resumed") this.told.push(code ?? type);
      if (type === "resumed") {
        this.token = resume.token;
        this.is = "in";
        for (const number of this.#sent.filter((number) => number > received)) this.#send(number);
      }
    });
    client.socket.on("close", () => this.client === client && this.is !== "over" && this.#back());
  }

  async #back() {
    this.is = "out";
    for (let turn = 0; this.is === "out" && turn < 100; turn++) {
      try {
        this.client = await plain(this.places[turn % this.places.length]());
        this.#listen();
        this.client.send("resume", { token: this.token, seen: this.#seen });
        this.is = "asking";
        return;
      } catch {
        await sleep(100);
      }
    }
  }

  get count() {
    return this.#number;
  }
}

/** Has two talk while something happens, and checks that each heard each number of the other once and in order. */
async function talkWhile(servers, room, happens) {
  const at = servers.map((_, index) => () => servers[index]);
  const [anna, ben] = [new Talker("Anna", at), new Talker("Ben", [...at].reverse())];
  await anna.enter(room);
  await ben.enter(room);
  anna.other = ben.id;
  ben.other = anna.id;
  const timer = setInterval(() => [anna, ben].forEach((talker) => talker.say()), 60);
  await sleep(500);
  await happens(anna, ben);
  await sleep(500);
  clearInterval(timer);
  const complete = () => [[anna, ben], [ben, anna]].every(([one, other]) => other.heard.length >= one.count);
  await until(complete, 15_000).catch(() => {});
  for (const [one, other] of [[anna, ben], [ben, anna]]) {
    assert.deepEqual(other.heard, Array.from({ length: one.count }, (_, index) => index + 1), `what ${one.name} said`);
  }
  for (const talker of [anna, ben]) {
    talker.is = "over";
    talker.client.close();
  }
  return [anna, ben];
}

test("a server is killed: its members come back at the other, and nothing is lost or doubled", async () => {
  const servers = await nodes(2);
  const [anna, ben] = await talkWhile(servers, "killed", async (anna) => {
    servers[0].kill();
    await until(() => anna.is !== "in");
    await until(() => anna.is === "in", 10_000);
    await sleep(4000);
  });
  assert.deepEqual(anna.told, ["peer-joined"]);
  // Who is back before the death is noticed was never seen to be away.
  assert.ok(["", "peer-reconnecting,peer-reconnected"].includes(ben.told.join()), ben.told.join());
  await servers[1].stop();
});

test("a server is killed: within seconds its members are seen to reconnect, and who does not has left, once", async () => {
  const servers = await nodes(3, { "resume.seconds": 1, "rooms.capacity": 4 });
  const [anna, ben, chie] = [await plain(servers[0]), await plain(servers[1]), await plain(servers[2])];
  const { id } = await enter(anna, "gone", "Anna");
  await join(ben, "gone", "Ben");
  await join(chie, "gone", "Chie");
  await ben.next("peer-joined");
  const [dan, eve] = [await plain(servers[0]), await plain(servers[1])];
  const dans = (await join(dan, "gone too", "Dan")).self.id;
  await join(eve, "gone too", "Eve");
  servers[0].kill();
  const killed = Date.now();
  assert.deepEqual(await eve.next("peer-left", 10_000), { id: dans }, "who did not mean to come back");
  await eve.next("waiting");
  for (const client of [ben, chie]) {
    assert.deepEqual(await client.next("peer-reconnecting", 10_000), { id });
    assert.ok(Date.now() - killed < 6000, `seen after ${Date.now() - killed} ms`);
    assert.deepEqual(await client.next("peer-left"), { id });
  }
  await sleep(1500);
  assert.deepEqual([ben, chie, eve].map((client) => client.spare()), [[], [], []]);
  for (const client of [ben, chie, eve]) client.close();
  await stopAll(servers.slice(1));
});

test("a room whose servers have all died has a place again as soon as its members are given up", async () => {
  const [north, south] = await nodes(2, { "resume.seconds": 1, "rooms.capacity": 2 });
  const pair = [await plain(north), await plain(north)];
  for (const client of pair) await enter(client, "empty house", "");
  north.kill();
  const killed = Date.now();
  const chie = await plain(south);
  // Nobody else follows the room: who knocks has to find out.
  await until(async () => {
    chie.send("join", { room: "empty house" });
    const [type, { code }] = await chie.any();
    assert.ok(type === "joined" || code === "room_full", code);
    if (type !== "joined") await sleep(200);
    return type === "joined";
  }, 15_000);
  assert.ok(Date.now() - killed < 11_000, `after ${Date.now() - killed} ms`);
  chie.close();
  await south.stop();
});

test("who goes while Redis is away for long is not a member for ever", async () => {
  const own = await redis();
  const [north, south] = await nodes(2, { "resume.seconds": 1 }, own);
  const [anna, ben] = [await plain(north), await plain(south)];
  const { id } = await enter(anna, "ghost", "Anna");
  await join(ben, "ghost", "Ben");
  await own.kill();
  anna.socket._socket.resetAndDestroy();
  await sleep(11_000);
  await own.begin();
  assert.deepEqual(await ben.next("peer-reconnecting", 10_000), { id });
  assert.deepEqual(await ben.next("peer-left"), { id });
  ben.close();
  await stopAll([north, south]);
  await own.stop();
});

test("Redis is killed and comes back knowing nothing: nobody is disconnected, nothing is lost or doubled", async () => {
  const own = await redis();
  const servers = await nodes(2, { "rooms.capacity": 2 }, own);
  const talkers = await talkWhile(servers, "redis", async (anna, ben) => {
    await own.kill();
    await sleep(1500);
    await own.begin();
    const before = ben.heard.length;
    await until(() => ben.heard.length > before + 5, 10_000);
    // Somebody who is new there meets the room as it was.
    const chie = await plain(servers[0]);
    chie.send("join", { room: "redis" });
    assert.equal((await chie.next("problem")).code, "room_full");
    chie.close();
    await sleep(4000);
    assert.deepEqual(anna.told, ["peer-joined"]);
  });
  for (const { told } of talkers) assert.ok(!told.includes("peer-reconnecting"), told.join());
  await stopAll(servers);
  await own.stop();
});

test("Redis comes back as it was a while ago: nobody is disconnected, nothing is lost or doubled", async () => {
  const own = await redis();
  const servers = await nodes(2, {}, own);
  const talkers = await talkWhile(servers, "stale", async (anna, ben) => {
    own.save();
    const saved = ben.heard.length;
    await until(() => ben.heard.length > saved + 20);
    await own.kill();
    await own.begin();
    const before = ben.heard.length;
    await until(() => ben.heard.length > before + 5, 10_000);
    // Each server goes on from what it knows, and not from what Redis does.
    assert.deepEqual(anna.told, ["peer-joined"]);
  });
  for (const { told } of talkers) assert.ok(!told.includes("peer-reconnecting"), told.join());
  await stopAll(servers);
  await own.stop();
});

test("who is let in by a server that Redis tells nothing makes way for those who were there", async () => {
  const own = await redis();
  const servers = await nodes(3, {}, own);
  const [anna, ben] = [await plain(servers[0]), await plain(servers[1])];
  const annas = (await join(anna, "old house", "Anna")).self.id;
  const bens = (await join(ben, "old house", "Ben")).self.id;
  await anna.next("peer-joined");
  for (const server of servers.slice(0, 2)) server.pause();
  await own.kill();
  await own.begin();
  const chie = await plain(servers[2]);
  assert.deepEqual((await join(chie, "old house", "Chie")).peers, [], "nobody could say that it is taken");
  for (const server of servers.slice(0, 2)) server.go();
  await chie.ended();
  for (const [one, id, other] of [
    [anna, annas, ben],
    [ben, bens, anna],
  ]) {
    other.send("candidate", { to: id, candidate: null });
    await one.next("candidate", 10_000);
    assert.deepEqual(one.spare(), []);
  }
  for (const client of [anna, ben]) client.close();
  await stopAll(servers);
  await own.stop();
});

test("Redis is away for longer than a request waits: clients begin anew, and nothing is lost or doubled", async () => {
  const own = await redis();
  // They will say at once what they had to keep to themselves.
  const servers = await nodes(2, { "limits.message_burst": 300 }, own);
  await talkWhile(servers, "away", async (anna, ben) => {
    await own.kill();
    await sleep(12_000);
    await own.begin();
    const before = [anna.heard.length, ben.heard.length];
    await until(() => anna.heard.length > before[0] + 5 && ben.heard.length > before[1] + 5, 20_000);
    assert.ok(anna.told.includes("unavailable"), anna.told.join());
  });
  await stopAll(servers);
  await own.stop();
});

test("Redis does not answer for a while, and a server is taken for dead: its members are there all the time", async () => {
  const own = await redis();
  const servers = await nodes(2, {}, own);
  await talkWhile(servers, "frozen", async (_, ben) => {
    own.freeze();
    await sleep(4000);
    own.thaw();
    const before = ben.heard.length;
    await until(() => ben.heard.length > before + 5, 10_000);
  });
  await talkWhile(servers, "paused", async (anna, ben) => {
    servers[0].pause();
    await until(() => ben.told.includes("peer-reconnecting"), 10_000);
    servers[0].go();
    await until(() => ben.told.includes("peer-reconnected"), 10_000);
    assert.deepEqual(anna.told, ["peer-joined"]);
  });
  await stopAll(servers);
  await own.stop();
});

test("a server that is stopped sends its members to the other", async () => {
  const servers = await nodes(2);
  await talkWhile(servers, "stopped", async (anna) => {
    const { code } = await servers[0].stop();
    assert.equal(code, 0);
    await until(() => anna.is === "in" && anna.told.includes("closing"), 10_000);
  });
  await servers[1].stop();
});

test("rooms that nobody is in any more leave nothing behind", async () => {
  const own = await redis();
  const [only] = await nodes(1, {}, own);
  const keys = () => spawnSync("redis-cli", ["-u", own.url, "--raw", "keys", "*"]).stdout.toString();
  const anna = await plain(only);
  await join(anna, "alone");
  assert.match(keys(), /:log:c:alone\n/);
  assert.equal(await only.metric("signaling_rooms"), 1);
  assert.equal(await only.metric("signaling_cluster_connected"), 1);
  anna.close();
  await until(async () => (await only.metric("signaling_rooms")) === 0);
  assert.equal(await only.metric("signaling_connections"), 0);
  // What stays for a minute tells a server that comes late that all have left.
  await until(() => !keys().includes(":log:"));
  const ttl = spawnSync("redis-cli", ["-u", own.url, "--raw", "pttl", `test-${round - 1}:2:room:c:alone`]);
  assert.ok(Number(ttl.stdout.toString()) > 0 && Number(ttl.stdout.toString()) <= 60_000, ttl.stdout.toString());
  await only.stop();
  await own.stop();
});

test("a server that gets to know a room again does not count again who came back to it", async () => {
  const own = await redis();
  const [only] = await nodes(1, {}, own);
  const peer = async (id) => {
    const query = new URLSearchParams({ key: "peerjs", id, token: id });
    const client = await plain({ ws: only.ws.replace(/ws$/, `peerjs/peerjs?${query}`) });
    await client.next("OPEN");
    return client;
  };
  const resumes = () => only.metric('signaling_resumes_total{result="resumed"}');
  (await peer("anna")).socket._socket.resetAndDestroy();
  const back = await peer("anna");
  assert.equal(await resumes(), 1);
  own.save();
  back.close();
  await until(async () => (await only.metric("signaling_rooms")) === 0);
  // With what Redis has now the server reads entries that it wrote itself.
  await own.kill();
  await own.begin();
  await until(async () => (await only.metric("signaling_cluster_connected")) === 1);
  const ben = await peer("ben");
  assert.equal(await resumes(), 1);
  ben.close();
  await only.stop();
  await own.stop();
});

test("of what is said in a room Redis keeps little", async () => {
  const own = await redis();
  const servers = await nodes(2, { "limits.messages_per_second": 10_000, "limits.message_burst": 300 }, own);
  const [anna, ben] = [await plain(servers[0]), await plain(servers[1])];
  const annas = (await join(anna, "loud")).self.id;
  const bens = (await join(ben, "loud")).self.id;
  await anna.next("peer-joined");
  const sdp = "x".repeat(60_000);
  for (let turn = 0; turn < 100; turn++) {
    anna.send("offer", { to: bens, description: { sdp, turn } });
    assert.deepEqual((await ben.next("offer")).description.turn, turn);
    ben.send("candidate", { to: annas, candidate: null });
    await anna.next("candidate");
  }
  const used = spawnSync("redis-cli", ["-u", own.url, "memory", "usage", `test-${round - 1}:2:log:c:loud`, "samples", "0"]);
  assert.ok(Number(used.stdout.toString().match(/\d+/)?.[0]) < 1_000_000, used.stdout.toString());
  for (const client of [anna, ben]) client.close();
  await stopAll(servers);
  await own.stop();
});

test("a Redis that cannot be reached is said so at the start", async () => {
  const server = run({ "ice.secret": "x".repeat(20), listen: "127.0.0.1:0", "cluster.redis": "redis://127.0.0.1:1/" });
  const { code, output } = await within(20_000, server.ended(), "the end");
  assert.notEqual(code, 0);
  assert.match(output, /signaling\.cluster\.redis/);
  const wrong = run({ "ice.secret": "x".repeat(20), "cluster.redis": "http://127.0.0.1/" });
  const { code: refused, output: said } = await wrong.ended();
  assert.equal(refused, 78);
  assert.match(said, /cluster\.redis/);
});

test("a server with other bounds for coming back is told that the others have theirs", async () => {
  const [first] = await nodes(1);
  const shared = { "cluster.redis": store.url, "cluster.prefix": `test-${round - 1}` };
  const other = run({ "ice.secret": "x".repeat(20), listen: "127.0.0.1:0", ...shared, "resume.seconds": 7 });
  const { code, output } = await within(20_000, other.ended(), "the end");
  assert.notEqual(code, 0);
  assert.match(output, /other bounds in signaling\.resume, seconds = \d+, .* instead of seconds = 7,/);
  await first.stop();
});
