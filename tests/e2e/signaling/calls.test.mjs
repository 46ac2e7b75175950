/** Two members of a room find each other, over every way in. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, describe, test } from "node:test";

import { join, pair, plain, socketIo, WAYS } from "./lib/clients.mjs";
import { SECRET, sleep, start } from "./lib/server.mjs";

let server;
before(async () => (server = await start()));
after(() => server.stop());

const ID = /^[0-9a-f]{32}$/;
const offer = { type: "offer", sdp: "v=0\r\no=- 1 2 IN IP4 192.0.2.77\r\ns=名前\r\n" };

for (const [name, connect] of WAYS) {
  describe(name, () => {
    test("the first waits, the second finds the first", async () => {
      const room = `meet ${name}`;
      const anna = await connect(server);
      const joined = await join(anna, room, "Anna");
      assert.match(joined.self.id, ID);
      assert.deepEqual(
        { ...joined, iceServers: 0 },
        { self: { id: joined.self.id, name: "Anna" }, room, peers: [], waiting: true, iceServers: 0, iceTtl: 21600 },
      );

      const ben = await connect(server);
      const second = await join(ben, room, "ベン");
      assert.deepEqual(second.peers, [{ id: joined.self.id, name: "Anna" }]);
      assert.equal(second.waiting, false);
      assert.deepEqual(await anna.next("peer-joined"), { id: second.self.id, name: "ベン" });

      ben.send("leave");
      assert.deepEqual(await anna.next("peer-left"), { id: second.self.id });
      await anna.next("waiting");
      anna.close();
      ben.close();
    });

    test("offer, answer and candidates pass both ways, to the byte and in order", async () => {
      const { anna, ben, annas, bens } = await pair(server, `relay ${name}`, connect, connect);
      anna.send("offer", { to: bens, description: offer });
      assert.deepEqual(await ben.next("offer"), { from: annas, description: offer });
      const answer = { type: "answer", sdp: "v=0\r\n" };
      ben.send("answer", { to: annas, description: answer });
      assert.deepEqual(await anna.next("answer"), { from: bens, description: answer });

      for (let number = 0; number < 100; number++) {
        anna.send("candidate", { to: bens, candidate: { candidate: `candidate:${number}`, sdpMLineIndex: 0 } });
      }
      anna.send("candidate", { to: bens, candidate: null });
      for (let number = 0; number < 100; number++) {
        const { from, candidate } = await ben.next("candidate");
        assert.equal(from, annas);
        assert.equal(candidate.candidate, `candidate:${number}`);
      }
      assert.deepEqual(await ben.next("candidate"), { from: annas, candidate: null });
      anna.close();
      ben.close();
    });

    test("a closed tab is noticed at once", async () => {
      const { anna, ben, bens } = await pair(server, `gone ${name}`, connect, connect);
      const left = Date.now();
      ben.close();
      assert.deepEqual(await anna.next("peer-left"), { id: bens });
      await anna.next("waiting");
      assert.ok(Date.now() - left < 2000);
      anna.close();
    });

    test("credentials come with the join and are renewed on request", async () => {
      const anna = await connect(server);
      const { iceServers, iceTtl } = await join(anna, `ice ${name}`);
      check(iceServers, iceTtl);
      await sleep(1100);
      anna.send("ice");
      const renewed = await anna.next("ice");
      check(renewed.iceServers, renewed.iceTtl);
      const [[old, user], [fresh, sameUser]] = [iceServers, renewed.iceServers].map((list) =>
        list[1].username.split(":"),
      );
      assert.ok(fresh > old, "a later expiry");
      assert.equal(user, sameUser, "the quota of the relay counts the session, not its credentials");
      anna.close();
    });
  });
}

function check([stun, turn], ttl) {
  assert.deepEqual(stun, { urls: ["stun:127.0.0.1:3478"] });
  assert.deepEqual(turn.urls, ["turn:127.0.0.1:3478?transport=udp", "turn:127.0.0.1:3478?transport=tcp"]);
  const expires = Number(turn.username.split(":")[0]);
  assert.ok(Math.abs(expires - Date.now() / 1000 - ttl) < 5);
  assert.equal(turn.credential, createHmac("sha1", SECRET).update(turn.username).digest("base64"));
}

test("members meet across dialects", async () => {
  const { anna, ben, annas, bens } = await pair(server, "mixed", socketIo, plain);
  anna.send("offer", { to: bens, description: offer });
  assert.deepEqual(await ben.next("offer"), { from: annas, description: offer });
  ben.send("answer", { to: annas, description: offer });
  assert.deepEqual(await anna.next("answer"), { from: bens, description: offer });
  anna.close();
  await ben.next("peer-left");
  ben.close();
});

test("a Socket.IO client may have its answers as acknowledgements", async () => {
  const anna = await socketIo(server);
  const joined = await anna.ask("join", { room: "acks", name: "Anna" });
  assert.match(joined.self.id, ID);
  assert.equal((await anna.ask("join", { room: "acks" })).code, "already_joined");
  assert.equal((await anna.ask("offer", { to: joined.self.id, description: offer })).code, "unknown_peer");
  assert.equal((await anna.ask("ice")).iceTtl, 21600);
  assert.deepEqual(await anna.ask("leave"), {});
  assert.equal((await anna.ask("leave")).code, "not_joined");
  assert.deepEqual(anna.spare(), [], "nothing comes twice");
  anna.close();
});

test("a full room is full until somebody leaves", async () => {
  const { anna, ben } = await pair(server, "full");
  const others = [await plain(server), await plain(server)];
  for (const other of others) {
    await join(other, "full");
    await anna.next("peer-joined");
  }
  const eve = await plain(server);
  eve.send("join", { room: "full" });
  assert.equal((await eve.next("problem")).code, "room_full");
  ben.close();
  await anna.next("peer-left");
  assert.equal((await join(eve, "full")).peers.length, 3);
  for (const client of [anna, ...others, eve]) client.close();
});

test("one client can go from room to room", async () => {
  const anna = await socketIo(server);
  for (const room of ["one", "two", "one"]) {
    assert.equal((await join(anna, room)).waiting, true);
    anna.send("leave");
  }
  anna.close();
});

test("the metrics count connections, rooms and messages", async () => {
  const own = await start();
  const { anna, ben, bens } = await pair(own, "metrics", plain, socketIo);
  assert.equal(await own.metric("signaling_connections"), 2);
  assert.equal(await own.metric("signaling_rooms"), 1);
  anna.send("offer", { to: bens, description: offer });
  await ben.next("offer");
  assert.equal(await own.metric('signaling_messages_total{event="offer"}'), 1);
  assert.equal(await own.metric('signaling_messages_total{event="join"}'), 2);
  assert.equal(await own.metric("signaling_credentials_total"), 2);
  anna.close();
  await ben.next("peer-left");
  ben.close();
  for (let turn = 0; turn < 100 && (await own.metric("signaling_connections")) > 0; turn++) await sleep(20);
  assert.equal(await own.metric("signaling_connections"), 0);
  assert.equal(await own.metric("signaling_rooms"), 0);
  await own.stop();
});
