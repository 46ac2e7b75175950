/** Connections that die under a client, and clients that come back. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { join, plain, socketIo } from "./lib/clients.mjs";
import { sleep, start } from "./lib/server.mjs";

let server;
before(async () => (server = await start({ "rooms.capacity": 2 })));
after(() => server.stop());

/** Each way over WebSocket, and how to cut the TCP connection under it. */
const WAYS = [
  ["plain WebSocket", (on, more) => plain(on, more), (client) => client.socket._socket.resetAndDestroy()],
  [
    "Socket.IO",
    (on, more) => socketIo(on, { transports: ["websocket"], ...more }),
    (client) => client.socket.io.engine.transport.ws._socket.resetAndDestroy(),
  ],
];

/** Anna, who may come back, and Ben in one room. */
async function pair(on, connect, room) {
  const [anna, ben] = [await connect(on), await plain(on)];
  anna.send("join", { room, name: "Anna", resume: true });
  const joined = await anna.next("joined");
  const bens = (await join(ben, room, "Ben")).self.id;
  assert.deepEqual(await anna.next("peer-joined"), { id: bens, name: "Ben", seq: 1 });
  return { anna, ben, bens, annas: joined.self.id, token: joined.resume.token, joined };
}

const candidate = (number) => ({ candidate: `candidate:${number}` });

for (const [name, connect, cut] of WAYS) {
  describe(name, () => {
    test("a cut connection comes back with id, room and what it missed, in order and once", async () => {
      const room = `back ${name}`;
      const { anna, ben, annas, bens, token, joined } = await pair(server, connect, room);
      assert.equal(joined.resume.seconds, 30);
      // The client stops reading: these are sent to it and do not arrive.
      ben.send("candidate", { to: annas, candidate: candidate(2) });
      assert.deepEqual(await anna.next("candidate"), { from: bens, candidate: candidate(2), seq: 2 });
      cut(anna);
      assert.deepEqual(await ben.next("peer-reconnecting"), { id: annas });
      for (const number of [3, 4, 5]) ben.send("candidate", { to: annas, candidate: candidate(number) });
      const chie = await plain(server);
      chie.send("join", { room });
      assert.equal((await chie.next("problem")).code, "room_full", "the place is kept");

      const back = await connect(server);
      // As if the second had been lost on the way too.
      back.send("resume", { token, seen: 1 });
      const { self, room: same, received, iceServers, resume } = await back.next("resumed");
      assert.deepEqual({ self, same, received }, { self: joined.self, same: room, received: 0 });
      assert.equal(iceServers.length, 2);
      assert.equal(resume.seconds, 30);
      for (const number of [2, 3, 4, 5]) {
        assert.deepEqual(await back.next("candidate"), { from: bens, candidate: candidate(number), seq: number });
      }
      assert.deepEqual(await ben.next("peer-reconnected"), { id: annas });
      ben.send("candidate", { to: annas, candidate: null });
      assert.deepEqual(await back.next("candidate"), { from: bens, candidate: null, seq: 6 });
      assert.deepEqual(back.spare(), []);

      // What it sent without knowing whether it arrived is taken once.
      for (const seq of [1, 2, 1, 2, 3]) back.send("candidate", { to: bens, candidate: candidate(seq), seq });
      for (const seq of [1, 2, 3]) assert.deepEqual(await ben.next("candidate"), { from: annas, candidate: candidate(seq) });
      back.send("leave");
      assert.deepEqual(await ben.next("peer-left"), { id: annas });
      await ben.next("waiting");
      assert.deepEqual(ben.spare(), []);
      for (const client of [back, ben, chie]) client.close();
    });

    test("who comes back while the old connection seems alive takes its place", async () => {
      const { anna, ben, annas, token } = await pair(server, connect, `twice ${name}`);
      const before = await resumes(server, "resumed");
      const back = await connect(server);
      back.send("resume", { token, seen: 1 });
      assert.equal((await back.next("resumed")).self.id, annas);
      assert.equal(await resumes(server, "resumed"), before + 1);
      await anna.ended();
      await sleep(100);
      assert.deepEqual(ben.spare(), [], "for the other nothing has happened");
      ben.send("candidate", { to: annas, candidate: null });
      await back.next("candidate");
      back.close();
      ben.close();
    });

    test("who says goodbye is not waited for", async () => {
      const { anna, ben, annas, token } = await pair(server, connect, `bye ${name}`);
      anna.close();
      assert.deepEqual(await ben.next("peer-left"), { id: annas });
      const back = await connect(server);
      back.send("resume", { token });
      assert.equal((await back.next("problem")).code, "cannot_resume");
      back.close();
      ben.close();
    });

    test("who does not come back in time has left", async () => {
      const own = await start({ "resume.seconds": 1 });
      const { anna, ben, annas, token } = await pair(own, connect, "late");
      cut(anna);
      await ben.next("peer-reconnecting");
      const lost = Date.now();
      assert.deepEqual(await ben.next("peer-left"), { id: annas });
      assert.ok(Date.now() - lost > 800);
      await ben.next("waiting");
      const back = await connect(own);
      back.send("resume", { token });
      assert.equal((await back.next("problem")).code, "cannot_resume");
      assert.equal((await join(back, "late")).peers.length, 1, "and can join anew");
      back.close();
      ben.close();
      await own.stop();
    });

    test("without the wish to come back, or with resuming off, a cut is a farewell", async () => {
      const own = await start({ "resume.seconds": 0 });
      for (const [on, resume] of [[server, false], [own, true]]) {
        const [anna, ben] = [await connect(on), await plain(on)];
        anna.send("join", { room: "cut", resume });
        const joined = await anna.next("joined");
        assert.equal(joined.resume, undefined);
        await join(ben, "cut");
        cut(anna);
        assert.deepEqual(await ben.next("peer-left"), { id: joined.self.id });
        ben.close();
      }
      await own.stop();
    });
  });
}

test("a transport that Socket.IO's client closes by itself, as it does when the browser is offline, is no goodbye", async () => {
  for (const transports of [["websocket"], ["polling"]]) {
    const room = `offline ${transports}`;
    const { anna, ben, annas, token } = await pair(server, (on) => socketIo(on, { transports }), room);
    anna.socket.io.engine.close();
    assert.deepEqual(await ben.next("peer-reconnecting"), { id: annas });
    const back = await socketIo(server, { transports });
    back.send("resume", { token, seen: 1 });
    assert.equal((await back.next("resumed")).self.id, annas);
    assert.deepEqual(await ben.next("peer-reconnected"), { id: annas });
    back.close();
    assert.deepEqual(await ben.next("peer-left"), { id: annas }, "but a disconnect packet is one");
    ben.close();
  }
});

const resumes = (on, result) => on.metric(`signaling_resumes_total{result="${result}"}`);

test("an id cannot be taken over: not by its name, a forged or another server's token", async () => {
  const before = await resumes(server, "cannot_resume");
  const { anna, ben, annas, bens, token } = await pair(server, plain, "thief");
  const other = await start();
  const { token: foreign, anna: elsewhere, ben: too } = await pair(other, plain, "thief");
  const eve = await plain(server);
  const bytes = Buffer.from(token, "base64url");
  bytes[15] ^= 1;
  for (const tried of [annas, bens, foreign, bytes.toString("base64url"), "", "x".repeat(10_000), token.slice(0, -1)]) {
    eve.send("resume", { token: tried, seen: 0 });
    assert.equal((await eve.next("problem")).code, "cannot_resume");
  }
  await sleep(50);
  assert.equal(await resumes(server, "cannot_resume"), before + 7, "each attempt is counted");
  assert.deepEqual([anna.spare(), ben.spare()], [[], []]);
  for (const client of [anna, ben, eve, elsewhere, too]) client.close();
  await other.stop();
});

test("an expired token does not bring anybody back, and fresh ones come with ice in time", async () => {
  const own = await start({ "resume.token_seconds": 2 });
  const { anna, ben, token } = await pair(own, plain, "old");
  await sleep(2100);
  const back = await plain(own);
  back.send("resume", { token, seen: 1 });
  assert.equal((await back.next("problem")).code, "cannot_resume");
  const [type, { resume }] = anna.spare().at(-1);
  assert.equal(type, "ice");
  back.send("resume", { token: resume.token, seen: 1 });
  await back.next("resumed");
  back.close();
  ben.close();
  await own.stop();
});

test("who misses more than is kept has left, and a server keeps no more for it", async () => {
  const own = await start({ "resume.messages": 10 });
  const { anna, ben, annas } = await pair(own, plain, "far");
  WAYS[0][2](anna);
  await ben.next("peer-reconnecting");
  for (let number = 0; number < 10; number++) ben.send("candidate", { to: annas, candidate: candidate(number) });
  await sleep(100);
  assert.deepEqual(ben.spare(), []);
  ben.send("candidate", { to: annas, candidate: null });
  assert.deepEqual(await ben.next("peer-left"), { id: annas });
  ben.close();
  await own.stop();
});

test("a member that is waited for counts for its address", async () => {
  const own = await start({ "limits.connections_per_address": 2, "limits.arrivals_per_second": 100 });
  const { anna, ben } = await pair(own, plain, "count");
  WAYS[0][2](anna);
  await ben.next("peer-reconnecting");
  await assert.rejects(plain(own), /429/);
  ben.close();
  await own.stop();
});
