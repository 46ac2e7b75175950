/** The command itself: how it ends, what it says, what it keeps to itself. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { join, pair, plain, socketIo, WAYS } from "./lib/clients.mjs";
import { KEY, SECRET, run, sleep, start } from "./lib/server.mjs";

test("when told to end it tells every client, lets them go and exits with 0", async () => {
  const server = await start();
  const clients = [];
  for (const [, connect] of WAYS) clients.push(await connect(server));
  for (const client of clients) await join(client, `room ${clients.indexOf(client)}`);
  // Who polls can be told while a request waits for news, which the last one's answer has just ended.
  await sleep(500);
  const told = Date.now();
  const stopped = server.stop();
  for (const [index, client] of clients.entries()) {
    assert.equal((await client.next("problem")).code, "closing", WAYS[index][0]);
  }
  for (const client of clients.slice(0, 3)) {
    const reason = await client.ended();
    assert.ok(["transport close", "transport error"].includes(reason), `${reason}: Socket.IO comes back by itself`);
  }
  assert.deepEqual(await clients[3].ended(), { code: 1001, reason: "closing" });
  assert.equal((await stopped).code, 0);
  assert.ok(Date.now() - told < 4000);
});

test("a client that does not take its farewell does not keep it from ending, and until then it says that it drains", async () => {
  const server = await start();
  assert.equal((await server.readiness()).status, 200);
  const client = await plain(server);
  client.socket._socket.pause();
  await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
  const started = Date.now();
  const stopped = server.stop();
  await server.says(/(telling all clients)/);
  const readiness = await server.readiness();
  assert.deepEqual([readiness.status, (await readiness.json()).draining], [503, true]);
  assert.equal((await stopped).code, 0);
  assert.ok(Date.now() - started < 6000);
  client.socket.terminate();
});

test("the log holds no descriptions, candidates, names, keys or secrets", async () => {
  const server = await start({ "credentials.api_keys": [KEY] });
  const { anna, bens } = await pair(server, "a private room", socketIo, plain);
  anna.send("offer", { to: bens, description: { type: "offer", sdp: "v=0 sdp-text" } });
  anna.send("candidate", { to: bens, candidate: { candidate: "candidate:1 1 udp 1 203.0.113.99 9 typ host" } });
  anna.send("offer", { to: "nobody", description: { type: "offer", sdp: "v=0 sdp-text" } });
  const { password } = await (await fetch(`${server.url}/turn?service=turn&key=${KEY}`)).json();
  await fetch(`${server.url}/turn?service=turn&key=wrong-key-of-somebody`);
  const { output } = await server.stop();
  assert.match(output, /signaling at/);
  for (const text of ["sdp-text", "203.0.113.99", "Anna", "a private room", bens, KEY, SECRET, password, "wrong-key"]) {
    assert.ok(!output.includes(text), `${text} in:\n${output}`);
  }
});

test("the log tells how connections live and end, and their addresses only when asked", async () => {
  for (const asked of [false, true]) {
    const server = await start({ log_addresses: asked, "limits.connections_per_address": 2 });
    const { anna, ben } = await pair(server, "a room", socketIo, plain);
    anna.send("leave");
    await ben.next("peer-left");
    await assert.rejects(plain(server));
    ben.close();
    anna.close();
    const { output } = await server.stop();
    const lines = output.split("\n").filter((line) => line.includes("signaling::journal"));
    const log = lines.join("\n");
    for (const told of [
      /connection opened .*dialect="plain"/,
      /connection opened .*dialect="socket.io"/,
      /joined a room/,
      /left its room/,
      /connection closed .*reason="closed by the client"/,
      /connection refused .*reason="address_limit"/,
    ]) {
      assert.match(log, told);
    }
    assert.equal(lines.filter((line) => line.includes("joined a room")).length, 2, log);
    const others = output.split("\n").filter((line) => !line.includes(" at http://"));
    assert.equal(others.some((line) => line.includes("127.0.0.1")), asked, output);
    if (asked) assert.match(log, /connection opened .*address=127\.0\.0\.1/);
  }
});

test("an address that is taken is named, and the exit code is 69", async () => {
  const server = await start();
  const { host } = new URL(server.url);
  const { code, output } = await run({ "ice.secret": SECRET, listen: host }).ended();
  assert.equal(code, 69);
  assert.ok(output.includes(host) && output.includes("signaling.listen"), output);
  await server.stop();
});

test("every mistake of a configuration is listed, and the exit code is 78", async () => {
  const { code, output } = await run({ "ice.urls": ["turn://x"], "rooms.capacity": 1, "limits.pings": 1 }).ended();
  assert.equal(code, 78);
  for (const text of ["urls[0]", "capacity", "pings", "ice.secret"]) assert.ok(output.includes(text), output);
  const missing = await run({ "ice.secret_file": "/nonexistent/secret" }).ended();
  assert.equal(missing.code, 78);
  assert.match(missing.output, /\/nonexistent\/secret/);
});

test("a wrong command line exits with 64, help with 0", async () => {
  assert.equal((await run({}, ["--nonsense"]).ended()).code, 64);
  assert.equal((await run({}, ["--set", "novalue"]).ended()).code, 64);
  assert.equal((await run({}, ["--help"]).ended()).code, 0);
});

test("what the default file says passes the check once a secret is given", async () => {
  const { code, output } = await run({ "ice.secret": SECRET }, ["--check"]).ended();
  assert.equal(code, 0, output);
  const file = await run({}, ["--default-config"]).ended();
  assert.match(file.output, /\[signaling\.rooms\]/);
});
