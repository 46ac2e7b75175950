/** The PeerJS protocol to the message; its real client is tried in tests/browser. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";

import { plain } from "./lib/clients.mjs";
import { sleep, start } from "./lib/server.mjs";

let server;
before(async () => (server = await start({ "limits.arrivals_per_second": 1000 })));
after(() => server.stop());

/** Connects as the client does, without waiting for an answer. */
function connect(id, { on = server, token = `token of ${id}`, key = "peerjs", ...options } = {}) {
  const query = new URLSearchParams({ key, id, token, version: "1.5.5" });
  return plain({ ws: on.ws.replace(/ws$/, `peerjs/peerjs?${query}`) }, options);
}

async function peer(id, options) {
  const client = await connect(id, options);
  await client.next("OPEN");
  return client;
}

/** The first thing that a client hears, and how its connection ends. */
async function refusal(connecting) {
  const client = await connecting;
  const [type, { payload }] = await client.any();
  return [type, payload.msg, (await client.ended()).reason];
}

const cut = (client) => client.socket._socket.resetAndDestroy();
const offer = (dst, sdp = "v=0") => ({ dst, payload: { sdp, "<b>": "渡り" } });

test("the paths that a client asks before it connects", async () => {
  for (const path of ["/peerjs", "/peerjs/"]) {
    assert.equal((await (await fetch(server.url + path)).json()).name, "Watari");
  }
  const ids = new Set();
  for (let turn = 0; turn < 20; turn++) {
    const answer = await fetch(`${server.url}/peerjs/peerjs/id?ts=1&version=1.5.5`);
    assert.match(answer.headers.get("content-type"), /^text\/plain/);
    ids.add(await answer.text());
  }
  assert.equal(ids.size, 20);
  assert.equal((await fetch(`${server.url}/peerjs/other/id`)).status, 404);
  assert.equal((await fetch(`${server.url}/peerjs/peerjs/peers`)).status, 401);
  const own = await start({ "peerjs.discovery": true });
  const anna = await peer("anna", { on: own });
  assert.deepEqual(await (await fetch(`${own.url}/peerjs/peerjs/peers`)).json(), ["anna"]);
  anna.close();
  await own.stop();
  const off = await start({ "peerjs.enabled": false });
  assert.equal((await fetch(`${off.url}/peerjs/peerjs/id`)).status, 404);
  await assert.rejects(connect("anna", { on: off }), /404/);
  await off.stop();
});

test("offers, answers and candidates reach the id they are for, from the id that sent them", async () => {
  const [anna, ben] = [await peer("anna"), await peer("ベン")];
  for (const type of ["OFFER", "ANSWER", "CANDIDATE"]) {
    anna.send(type, { ...offer("ベン"), src: "somebody else" });
    assert.deepEqual(await ben.next(type), { src: "anna", ...offer("ベン") });
  }
  ben.send("HEARTBEAT");
  ben.send("LEAVE", { dst: "anna" });
  assert.deepEqual(await anna.next("LEAVE"), { src: "ベン", dst: "anna", payload: null });
  assert.deepEqual(ben.spare(), []);
  anna.close();
  ben.close();
});

test("what is sent to an id that nobody has waits for it, and then expires", async () => {
  const anna = await peer("early");
  for (const sdp of ["one", "two"]) anna.send("OFFER", offer("late", sdp));
  await sleep(200);
  const late = await peer("late");
  for (const sdp of ["one", "two"]) assert.deepEqual(await late.next("OFFER"), { src: "early", ...offer("late", sdp) });
  const sent = Date.now();
  for (let turn = 0; turn < 3; turn++) anna.send("CANDIDATE", offer("never"));
  anna.send("LEAVE", { dst: "never" });
  await sleep(4000);
  assert.deepEqual(await anna.next("EXPIRE"), { src: "never", dst: "early" });
  assert.ok(Date.now() - sent > 4800, "after five seconds");
  assert.deepEqual(anna.spare(), [], "told once");
  anna.close();
  late.close();
});

describe("an id is its holder's", () => {
  test("another token is refused while the holder is there, and while it is waited for", async () => {
    const [anna, ben] = [await peer("held"), await peer("bystander")];
    const taken = ["ID-TAKEN", "ID is taken", "id_taken"];
    assert.deepEqual(await refusal(connect("held", { token: "thief" })), taken);
    cut(anna);
    await sleep(100);
    assert.deepEqual(await refusal(connect("held", { token: "thief" })), taken);
    ben.send("OFFER", offer("held", "missed"));
    await sleep(100);
    const back = await peer("held");
    assert.deepEqual(await back.next("OFFER"), { src: "bystander", ...offer("held", "missed") });
    back.close();
    ben.close();
  });

  test("the same token gets it back from a connection that seems alive", async () => {
    const resumes = () => server.metric('signaling_resumes_total{result="resumed"}');
    const before = await resumes();
    const anna = await peer("twice");
    assert.equal(await resumes(), before, "who comes for the first time does not come back");
    const again = await peer("twice");
    assert.equal((await anna.ended()).reason, "replaced");
    assert.equal(await resumes(), before + 1);
    const ben = await peer("caller");
    ben.send("OFFER", offer("twice"));
    await again.next("OFFER");
    again.close();
    ben.close();
  });

  test("once it is given up anybody may have it", async () => {
    (await peer("given")).close();
    await sleep(200);
    const next = await peer("given", { token: "another" });
    next.send("LEAVE");
    await sleep(100);
    const third = await peer("given", { token: "a third" });
    third.close();
    next.close();
  });
});

test("names, keys and tokens that are none are refused, and nothing is reflected as HTML", async () => {
  assert.deepEqual(await refusal(connect("a", { key: "other" })), ["INVALID-KEY", "Invalid key provided", "bad_room"]);
  for (const id of ["", " ", "x".repeat(65), "a\nb", "\u0000"]) {
    assert.equal((await refusal(connect(id, { token: "t" })))[2], "bad_name");
  }
  for (const token of ["", "x".repeat(9000)]) assert.equal((await refusal(connect("a", { token })))[2], "bad_token");
  for (const path of ["/peerjs/<script>/id", "/peerjs/<script>/peers", "/peerjs/peerjs?id=<script>", "/peerjs/peerjs?id=%ff"]) {
    const answer = await fetch(server.url + path);
    assert.ok(answer.status >= 400);
    assert.doesNotMatch(answer.headers.get("content-type") ?? "", /html/);
    assert.doesNotMatch(await answer.text(), /<script>/);
  }
  await assert.rejects(connect("a", { headers: { origin: "http://evil.example" } }), /403/);
});

test("a client that sends no heartbeats is gone, though its machine answers pings", async () => {
  const own = await start({ "peerjs.heartbeat_seconds": 1, "limits.ping_seconds": 1, "resume.seconds": 0 });
  const [dead, alive] = [await peer("dead", { on: own }), await peer("alive", { on: own })];
  const beat = setInterval(() => alive.send("HEARTBEAT"), 300);
  assert.equal((await dead.ended()).reason, "no heartbeat");
  await peer("dead", { on: own, token: "another" });
  assert.equal(alive.socket.readyState, 1);
  clearInterval(beat);
  alive.close();
  await own.stop();
});

test("what is no message, too large or too much is refused", async () => {
  const anna = await peer("loud");
  for (const text of ["", "{", "null", "[]", "{}", '{"type":"OPEN"}', '{"type":"OFFER"}', '{"type":"OFFER","dst":7}']) {
    anna.socket.send(text);
    assert.match((await anna.next("ERROR")).payload.msg, /no message/);
  }
  anna.send("OFFER", offer("nobody", "x".repeat(70_000)));
  assert.match((await anna.next("ERROR")).payload.msg, /too large/);
  anna.socket.send("x".repeat(300_000));
  assert.deepEqual(await anna.ended(), { code: 1009, reason: "too_large" });

  const flood = await peer("flood");
  for (let turn = 0; turn < 1000; turn++) flood.send("CANDIDATE", offer("loud"));
  assert.equal((await flood.ended()).reason, "too_fast");
  assert.ok(flood.spare().length < 300);
});

test("a client that does not read is disconnected", { timeout: 60_000 }, async () => {
  const own = await start({
    "limits.message_burst": 40,
    "limits.messages_per_second": 4_000_000,
  });
  const [anna, ben] = [await peer("writer", { on: own }), await peer("reader", { on: own })];
  ben.socket._socket.pause();
  const slow = 'signaling_drops_total{reason="too_slow"}';
  for (let sent = 0; sent < 2000 && (await own.metric(slow)) === 0; sent++) {
    anna.send("OFFER", offer("reader", "x".repeat(60_000)));
  }
  assert.equal(await own.metric(slow), 1);
  ben.socket._socket.resume();
  await ben.ended();
  anna.close();
  await own.stop();
});
