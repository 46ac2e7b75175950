/** What strangers try: other rooms, other ids, floods, monsters, foreign pages. */

import assert from "node:assert/strict";
import http from "node:http";
import { after, before, describe, test } from "node:test";

import WebSocket from "ws";

import { join, pair, plain, socketIo, WAYS } from "./lib/clients.mjs";
import { sleep, start, within } from "./lib/server.mjs";

let server;
before(async () => (server = await start()));
after(() => server.stop());

const FLOODS = 'signaling_drops_total{reason="too_fast"}';
const offer = { type: "offer", sdp: "v=0\r\n" };

for (const [name, connect] of WAYS) {
  describe(name, () => {
    test("a signal cannot be injected into another room", async () => {
      const { anna, ben, bens } = await pair(server, `victims ${name}`, connect, connect);
      const eve = await connect(server);
      eve.send("offer", { to: bens, description: offer });
      assert.equal((await eve.next("problem")).code, "not_joined");
      await join(eve, `eve ${name}`);
      for (const more of [{}, { room: `victims ${name}` }, { from: bens }]) {
        eve.send("offer", { to: bens, description: offer, ...more });
        assert.equal((await eve.next("problem")).code, "unknown_peer");
      }
      anna.send("candidate", { to: bens, candidate: null });
      await ben.next("candidate");
      assert.deepEqual(ben.spare(), []);
      for (const client of [anna, ben, eve]) client.close();
    });

    test("the sender's id is the server's word, not the sender's", async () => {
      const { anna, ben, annas, bens } = await pair(server, `spoof ${name}`, connect, connect);
      anna.send("offer", { to: bens, from: "0".repeat(32), id: bens, type2: "answer", description: offer });
      assert.deepEqual(await ben.next("offer"), { from: annas, description: offer });
      anna.close();
      ben.close();
    });

    test("names may be of any script, but not long and not made of control characters", async () => {
      const client = await connect(server);
      const bad = ["n".repeat(10_000), "🐦".repeat(65), "a\r\nb", "\u0000", "\u001b[31m", "\u2028"];
      for (const text of bad) {
        client.send("join", { room: "r", name: text });
        assert.equal((await client.next("problem")).code, "bad_name");
        client.send("join", { room: text, name: "n" });
        assert.equal((await client.next("problem")).code, "bad_room");
      }
      for (const room of [undefined, "", "   "]) {
        client.send("join", { room });
        assert.equal((await client.next("problem")).code, "bad_room");
      }
      for (const room of [null, 7, {}, ["a"]]) {
        client.send("join", { room });
        assert.equal((await client.next("problem")).code, "bad_message");
      }
      for (const room of ["渡り鳥 🐦", "<script>alert(1)</script>", "'; DROP TABLE rooms --", "__proto__", "%00%s%n"]) {
        assert.equal((await join(client, room, room)).room, room);
        client.send("leave");
      }
      client.close();
    });

    test("a message that is too large is refused, one that is huge ends the connection", async () => {
      const { anna, ben, bens } = await pair(server, `large ${name}`, connect, connect);
      const description = (bytes) => ({ to: bens, description: { type: "offer", sdp: "x".repeat(bytes) } });
      anna.send("offer", description(60_000));
      assert.equal((await ben.next("offer")).description.sdp.length, 60_000);
      anna.send("offer", description(70_000));
      assert.equal((await anna.next("problem")).code, "too_large");
      anna.send("offer", description(500_000));
      await anna.ended();
      await ben.next("peer-left");
      ben.close();
    });

    test("a flood is answered once and then ended, and nobody else notices", async () => {
      const before = await server.metric(FLOODS);
      const { anna, ben, bens } = await pair(server, `flood ${name}`, connect, connect);
      const eve = await connect(server);
      await join(eve, `eve floods ${name}`);
      for (let turn = 0; turn < 1000; turn++) eve.send("candidate", { to: bens, candidate: null });
      await eve.ended();
      const codes = eve.spare().map(([, { code }]) => code);
      assert.ok(codes.length < 300, `${codes.length} answers`);
      // A Socket.IO client that goes on after its farewell is cut off and may lose the last words.
      if (name === "plain WebSocket") assert.equal(codes.at(-1), "too_fast");
      assert.ok((await server.metric(FLOODS)) > before + 100);

      anna.send("offer", { to: bens, description: offer });
      await ben.next("offer");
      assert.deepEqual(ben.spare(), []);
      anna.close();
      ben.close();
    });
  });
}

describe("plain WebSocket", () => {
  test("what is no message of the protocol is said to be none", async () => {
    const client = await plain(server);
    const deep = "[".repeat(30_000) + "]".repeat(30_000);
    for (const text of ["", "{", "null", "7", "[]", "{}", '{"type":7}', '{"type":"nothing"}', deep, `{"type":${deep}}`]) {
      client.socket.send(text);
      assert.equal((await client.next("problem")).code, "bad_message", text.slice(0, 20));
    }
    client.close();
  });

  test("binary, huge and split messages end the connection with the right code", async () => {
    const binary = await plain(server);
    binary.socket.send(Buffer.from([1, 2, 3]));
    assert.equal((await binary.ended()).code, 1003);

    const huge = await plain(server);
    huge.socket.send("x".repeat(200_000));
    assert.deepEqual(await huge.ended(), { code: 1009, reason: "too_large" });

    // Frames that stay small one by one, in a message that never ends.
    const split = await plain(server);
    split.socket.on("error", () => {});
    for (let frame = 0; frame < 40; frame++) split.socket.send("x".repeat(10_000), { fin: false });
    assert.equal((await split.ended()).code, 1009);
  });

  test("a client that does not answer pings is gone", async () => {
    const own = await start({ "limits.ping_seconds": 1 });
    const dead = await plain(own, { autoPong: false });
    const ben = await plain(own);
    await join(dead, "pings");
    await join(ben, "pings");
    assert.deepEqual(await dead.ended(), { code: 1008, reason: "no answer to ping" });
    await ben.next("peer-left");
    await sleep(2500);
    assert.equal(ben.socket.readyState, WebSocket.OPEN, "who answers stays");
    const [count, sum] = await Promise.all(["count", "sum"].map((what) => own.metric(`signaling_round_trip_seconds_${what}`)));
    assert.ok(count >= 2 && sum > 0 && sum / count < 1, `${sum} s for ${count} round trips`);
    ben.close();
    await own.stop();
  });
});

describe("Socket.IO", () => {
  test("a client whose machine went away is noticed by its heartbeat", async () => {
    const own = await start({ "limits.ping_seconds": 1 });
    const dead = await socketIo(own, { transports: ["websocket"] });
    const ben = await socketIo(own);
    await join(dead, "beats");
    await join(ben, "beats");
    dead.socket.io.engine.transport.ws.removeAllListeners?.("message");
    dead.socket.io.engine.transport.ws.onmessage = null;
    await ben.next("peer-left");
    ben.close();
    dead.close();
    await own.stop();
  });

  test("other namespaces, binary data and forged sessions are refused", async () => {
    await assert.rejects(socketIo({ url: `${server.url}/admin` }), /Invalid namespace/);
    const binary = await socketIo(server, { transports: ["websocket"] });
    binary.send("join", { room: Buffer.from("abc") });
    await binary.ended();
    for (const sid of ["x", "AAAAAAAAAAAAAAAAAAAAAA", "../../etc/passwd"]) {
      const poll = `${server.url}/socket.io/?EIO=4&transport=polling&sid=${encodeURIComponent(sid)}`;
      assert.equal((await fetch(poll)).status, 400);
    }
    const old = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling`);
    assert.equal(old.status, 400, "Engine.IO 3");
  });

  test("a huge request body is refused", async () => {
    const open = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await open.text()).slice(1));
    const url = `${server.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    const status = await within(5000, fetch(url, { method: "POST", body: "4".repeat(500_000) }), "an answer")
      .then((answer) => answer.status)
      .catch(() => "cut off");
    assert.ok([400, 413, "cut off"].includes(status), `${status}`);
  });
});

/** Clients that stop reading, each over a way whose TCP stream the test can hold up. */
const SLOW = [
  ["plain WebSocket", (server) => plain(server), (client) => client.socket._socket],
  [
    "Socket.IO",
    (server) => socketIo(server, { transports: ["websocket"] }),
    (client) => client.socket.io.engine.transport.ws._socket,
  ],
];
for (const [name, connect, stream] of SLOW) {
  test(`a client that does not read is disconnected, ${name}`, { timeout: 60_000 }, async () => {
    const own = await start({
      "limits.outgoing_messages": 65,
      "limits.message_burst": 40,
      "resume.messages": 64,
      "limits.messages_per_second": 4_000_000,
    });
    const anna = await plain(own);
    const ben = await connect(own);
    await join(anna, "slow");
    const bens = (await join(ben, "slow")).self.id;
    await anna.next("peer-joined");
    stream(ben).pause();
    const sdp = "x".repeat(60_000);
    let gone = false;
    const left = anna.next("peer-left").then(() => (gone = true));
    for (let sent = 0; sent < 2000 && !gone; sent++) {
      anna.send("offer", { to: bens, description: { sdp } });
      await sleep(1);
    }
    await left;
    assert.equal(await own.metric('signaling_drops_total{reason="too_slow"}'), 1);
    assert.equal(await own.metric("signaling_connections"), 1);
    stream(ben).resume();
    await ben.ended();
    anna.close();
    await own.stop();
  });
}

describe("foreign pages", () => {
  const evil = { headers: { origin: "http://evil.example" } };

  test("a page of another origin gets in by no dialect of the room protocol", async () => {
    await assert.rejects(plain(server, evil), /403/);
    await assert.rejects(socketIo(server, { transports: ["websocket"], extraHeaders: evil.headers }));
    await assert.rejects(socketIo(server, { transports: ["polling"], extraHeaders: evil.headers }));
    await assert.rejects(plain(server, { headers: { origin: "null" } }), /403/);
    assert.ok((await server.metric('signaling_drops_total{reason="origin"}')) >= 4);
  });

  test("our own page and listed pages get in, and may read the answers", async () => {
    (await plain(server, { headers: { origin: server.url } })).close();
    const own = await start({ allowed_origins: ["https://app.example"] });
    const listed = { headers: { origin: "https://app.example" } };
    (await plain(own, listed)).close();
    const handshake = `${own.url}/socket.io/?EIO=4&transport=polling`;
    const answer = await fetch(handshake, listed);
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example");
    assert.equal((await fetch(handshake, evil)).status, 403);
    await own.stop();
  });

  test("a Host header that is none is refused", async () => {
    for (const host of ["a b", "x@y", "[::1", "a/../b", "evil.example\"", "-".repeat(300)]) {
      assert.equal(await statusFor(host), 400, host);
    }
  });

  test("over loopback a page's DNS name is refused, so that rebinding one leads nowhere", async () => {
    for (const host of ["evil.example:3001", "localhost.evil.example"]) assert.equal(await statusFor(host), 403, host);
    for (const host of ["localhost:3001", "call.localhost", "[::1]:3001"]) assert.equal(await statusFor(host), 200, host);
    const headers = { host: "evil.example:3001", origin: "http://evil.example:3001" };
    await assert.rejects(plain(server, { headers }), /403/);
  });

  test("the relay's name follows the Host header", async () => {
    const own = await start({ allowed_origins: ["https://call.example"] });
    const client = await plain(own, { headers: { host: "call.example:3001" } });
    const { iceServers } = await join(client, "host");
    const urls = ["udp", "tcp"].map((over) => `turn:call.example:3478?transport=${over}`);
    assert.deepEqual(iceServers[1].urls, urls);
    client.close();
    const v6 = await plain(own, { headers: { host: "[2001:db8::1]:3001" } });
    assert.deepEqual((await join(v6, "host")).iceServers[0].urls, ["stun:[2001:db8::1]:3478"]);
    v6.close();
    await own.stop();
  });
});

/** The status of a handshake with this Host header, which fetch does not let one set. */
function statusFor(host) {
  const { hostname, port } = new URL(server.url);
  const path = "/socket.io/?EIO=4&transport=polling";
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, path, setHost: false, headers: { host } }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    request.on("error", reject);
    request.end();
  });
}

describe("crowds", () => {
  test("an address gets so many connections over both dialects, and gets them back", async () => {
    const own = await start({ "limits.connections_per_address": 3, "limits.arrivals_per_second": 100 });
    const clients = [await plain(own), await socketIo(own), await socketIo(own, { transports: ["polling"] })];
    await assert.rejects(plain(own), /429/);
    await assert.rejects(socketIo(own));
    clients.pop().close();
    for (let turn = 0; ; turn++) {
      const next = await plain(own).catch(() => null);
      if (next) break;
      assert.ok(turn < 100, "the place is free again");
      await sleep(50);
    }
    await own.stop();
  });

  test("handshakes that are never finished are limited too", async () => {
    const own = await start({ "limits.connections_per_address": 5 });
    const statuses = [];
    for (let turn = 0; turn < 8; turn++) {
      const answer = await fetch(`${own.url}/socket.io/?EIO=4&transport=polling`);
      statuses.push(answer.status);
      await answer.text();
    }
    assert.deepEqual(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    await own.stop();
  });

  test("the server takes so many connections and rooms in all", async () => {
    const own = await start({ "limits.connections": 2, "rooms.max": 1 });
    const [anna, ben] = [await plain(own), await plain(own)];
    await assert.rejects(plain(own), /503/);
    await join(anna, "one");
    ben.send("join", { room: "two" });
    assert.equal((await ben.next("problem")).code, "server_full");
    await join(ben, "one");
    await own.stop();
  });

  test("clients behind a trusted proxy are told apart, others cannot pretend", async () => {
    const own = await start({ "limits.connections_per_address": 1, trusted_proxies: ["127.0.0.0/8"] });
    const behind = (address) => plain(own, { headers: { "x-forwarded-for": address } });
    await behind("192.0.2.1");
    await assert.rejects(behind("192.0.2.1"), /429/);
    await assert.rejects(behind("198.51.100.1, 192.0.2.1"), /429/);
    await behind("192.0.2.2");
    await own.stop();
  });
});
