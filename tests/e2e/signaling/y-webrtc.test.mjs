/** The y-webrtc protocol to the message; its real provider is tried in tests/browser. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { plain } from "./lib/clients.mjs";
import { sleep, start } from "./lib/server.mjs";

let server;
before(async () => (server = await start()));
after(() => server.stop());

const connect = (on = server, options = {}) => plain({ ws: on.ws.replace(/ws$/, "y-webrtc") }, options);

async function subscribed(topics, on) {
  const client = await connect(on);
  client.send("subscribe", { topics });
  // The answer to a ping comes after what was asked before it.
  client.send("ping");
  await client.next("pong");
  return client;
}

test("what is published reaches all subscribers of the topic, the publisher too, with their count", async () => {
  const [anna, ben, chie] = [await subscribed(["diary", "渡り"]), await subscribed(["渡り"]), await subscribed(["diary"])];
  const message = { topic: "渡り", data: { to: "b", from: "a", "<b>": [1, null] }, clients: 99 };
  anna.send("publish", message);
  for (const client of [anna, ben]) assert.deepEqual(await client.next("publish"), { ...message, clients: 2 });
  assert.deepEqual(chie.spare(), []);
  ben.send("unsubscribe", { topics: ["渡り", "never subscribed"] });
  ben.send("publish", message);
  ben.send("ping");
  await ben.next("pong");
  anna.send("publish", message);
  assert.deepEqual(await anna.next("publish"), { ...message, clients: 1 });
  chie.close();
  await sleep(100);
  anna.send("publish", { topic: "diary" });
  assert.deepEqual(await anna.next("publish"), { topic: "diary", clients: 1 });
  assert.deepEqual(ben.spare(), []);
  anna.close();
  ben.close();
});

test("a topic that cannot be subscribed to takes no other of the list with it", async () => {
  const own = await start({ "y_webrtc.subscribers": 2 });
  const [anna, ben] = [await subscribed(["full"], own), await subscribed(["full"], own)];
  const chie = await subscribed(["full", "x".repeat(65), "free"], own);
  for (const topic of ["full", "free"]) chie.send("publish", { topic });
  assert.equal((await chie.next("publish")).topic, "free");
  for (const code of ["room_full", "bad_room", "not_joined"]) {
    assert.equal(await own.metric(`signaling_drops_total{reason="${code}"}`), 1, code);
  }
  for (const client of [anna, ben, chie]) client.close();
  await own.stop();
});

test("nobody publishes where it is not subscribed, nor into rooms of other dialects", async () => {
  const [anna, eve] = [await subscribed(["mine"]), await subscribed(["hers"])];
  const ben = await plain(server);
  ben.send("join", { room: "hers" });
  await ben.next("joined");
  eve.send("publish", { topic: "mine" });
  eve.send("publish", { topic: "hers" });
  assert.equal((await eve.next("publish")).topic, "hers");
  await sleep(50);
  assert.deepEqual([anna.spare(), ben.spare()], [[], []]);
  for (const client of [anna, eve, ben]) client.close();
});

test("topics of a connection, subscribers of a topic and topics in all are bounded, and take no place from rooms", async () => {
  const own = await start({ "y_webrtc.topics": 3, "y_webrtc.subscribers": 2, "y_webrtc.total_topics": 4, "rooms.max": 1 });
  const anna = await subscribed(["a", "b", "c", "d", "a"], own);
  for (const topic of ["a", "d"]) anna.send("publish", { topic });
  assert.equal((await anna.next("publish")).topic, "a");
  const ben = await subscribed(["a"], own);
  const chie = await subscribed(["a"], own);
  chie.send("publish", { topic: "a" });
  ben.send("publish", { topic: "a" });
  assert.deepEqual(await anna.next("publish"), { topic: "a", clients: 2 });
  await sleep(50);
  assert.deepEqual(chie.spare(), []);
  const dan = await subscribed(["e", "f"], own);
  // Of the two that are asked for at once either may be first.
  for (const topic of ["f", "e"]) dan.send("publish", { topic });
  assert.match((await dan.next("publish")).topic, /^[ef]$/, "the fourth topic");
  await sleep(50);
  assert.deepEqual(dan.spare(), [], "and no fifth");
  assert.equal(await own.metric("signaling_rooms"), 4);
  assert.equal(await own.metric("signaling_connections"), 4);
  const eve = await plain(own);
  eve.send("join", { room: "a" });
  await eve.next("joined");
  eve.close();
  for (const client of [anna, ben, chie, dan]) client.close();
  for (let turn = 0; turn < 100 && (await own.metric("signaling_rooms")) > 0; turn++) await sleep(20);
  assert.equal(await own.metric("signaling_rooms"), 0);
  assert.equal(await own.metric("signaling_connections"), 0);
  await own.stop();
});

test("what is no message has no effect; floods, frames too large and foreign pages end", async () => {
  const anna = await subscribed(["north"]);
  for (const text of ["", "{", "null", "[]", '["ping"]', "{}", '{"type":"hello"}', '{"type":"publish"}', '{"type":"subscribe","topics":7}']) {
    anna.socket.send(text);
  }
  anna.send("subscribe", { topics: ["x".repeat(65)] });
  anna.send("publish", { topic: "north", data: "x".repeat(70_000) });
  anna.send("ping");
  await anna.next("pong");
  assert.deepEqual(anna.spare(), []);
  anna.socket.send("x".repeat(300_000));
  assert.deepEqual(await anna.ended(), { code: 1009, reason: "too_large" });

  const flood = await subscribed(["south"]);
  for (let turn = 0; turn < 1000; turn++) flood.send("ping");
  assert.equal((await flood.ended()).reason, "too_fast");
  await assert.rejects(connect(server, { headers: { origin: "http://evil.example" } }), /403/);
  const off = await start({ "y_webrtc.enabled": false });
  await assert.rejects(connect(off), /404/);
  await off.stop();
});

test("a subscriber that does not read is disconnected, and the others are not", { timeout: 60_000 }, async () => {
  const own = await start({
    "limits.message_burst": 40,
    "limits.messages_per_second": 4_000_000,
  });
  const [anna, ben] = [await subscribed(["big"], own), await subscribed(["big", "more"], own)];
  ben.socket._socket.pause();
  const slow = 'signaling_drops_total{reason="too_slow"}';
  for (let sent = 0; sent < 2000 && (await own.metric(slow)) === 0; sent++) {
    anna.send("publish", { topic: "big", data: "x".repeat(60_000) });
    await anna.next("publish");
  }
  assert.equal(await own.metric(slow), 1);
  ben.socket._socket.resume();
  await ben.ended();
  anna.close();
  await own.stop();
});
