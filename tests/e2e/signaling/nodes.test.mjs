/** Several TURN nodes: clients are told those that answer, of their region first. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, test } from "node:test";

import { join, plain, socketIo } from "./lib/clients.mjs";
import { KEY, sleep, start } from "./lib/server.mjs";
import { freePort, turn } from "./lib/turn.mjs";

const NO_UCLIENT = spawnSync("turnutils_uclient", ["-h"]).error && "coturn's turnutils_uclient is not installed";

let ports;
let relays;
let server;
before(async () => {
  ports = [await freePort(), await freePort()];
  relays = await Promise.all(ports.map((port) => turn(port)));
  const [eu, us] = ports;
  const nodes = [
    `{ name = "fra1", region = "eu", urls = ["stun:127.0.0.1:${eu}", "turn:127.0.0.1:${eu}?transport=udp"] }`,
    `{ name = "nyc1", region = "us", weight = 3, urls = ["turn:127.0.0.1:${us}?transport=udp"] }`,
  ];
  server = await start({
    "ice.nodes": `[${nodes.join(", ")}]`,
    "ice.probe_seconds": 1,
    "credentials.api_keys": [KEY],
    "credentials.requests_per_second": 100,
    "credentials.request_burst": 1000,
  });
});
after(async () => {
  await server.stop();
  await Promise.all(relays.map((relay) => relay.kill()));
});

/** The ports of the relays in a list, in its order. */
const told = (iceServers) =>
  iceServers.flatMap(({ urls }) => urls.flatMap((url) => url.match(/^turn:.*:(\d+)/)?.[1] ?? []).map(Number));

const ask = async (query = "") => {
  const answer = await fetch(`${server.url}/ice?key=${KEY}${query}`);
  return told((await answer.json()).iceServers);
};

/** Asks until the list is the expected one; clients must be told within seconds. */
async function until(expected) {
  const late = Date.now() + 10_000;
  for (;;) {
    const list = (await ask()).sort();
    if (JSON.stringify(list) === JSON.stringify([...expected].sort())) return;
    assert.ok(Date.now() < late, `still told ${list} in place of ${expected}`);
    await sleep(100);
  }
}

const healthy = (name) => server.metric(`signaling_turn_node_healthy{node="${name}"}`);

test("a client gets the nodes of its region first, wherever it says so", async () => {
  const [eu, us] = ports;
  for (const [region, order] of [["eu", [eu, us]], ["us", [us, eu]]]) {
    assert.deepEqual(await ask(`&region=${region}`), order);
    const byForm = await fetch(`${server.url}/turn?service=turn`, {
      method: "POST",
      headers: { "x-api-key": KEY, "content-type": "application/json" },
      body: JSON.stringify({ region }),
    });
    assert.deepEqual(told([{ urls: (await byForm.json()).uris }]), order);
    const overSocketIo = await socketIo(server, { query: { region } });
    assert.deepEqual(told((await join(overSocketIo, `io ${region}`)).iceServers), order);
    overSocketIo.close();
    const webSocket = await plain({ ws: `${server.ws}?region=${region}` });
    assert.deepEqual(told((await join(webSocket, `ws ${region}`)).iceServers), order);
    webSocket.close();
  }
});

test("without a region a connection keeps its order", async () => {
  const client = await plain(server);
  const first = told((await join(client, "kept")).iceServers);
  assert.deepEqual([...first].sort(), [...ports].sort());
  for (let turn = 0; turn < 5; turn++) {
    client.send("ice");
    assert.deepEqual(told((await client.next("ice")).iceServers), first);
  }
  client.close();
});

test("a node that dies is told to nobody within seconds, and again when it is back", async () => {
  const [eu, us] = ports;
  await until(ports);
  assert.deepEqual([await healthy("fra1"), await healthy("nyc1")], [1, 1]);
  await relays[1].kill();
  await until([eu]);
  assert.deepEqual([await healthy("fra1"), await healthy("nyc1")], [1, 0]);
  const client = await plain({ ws: `${server.ws}?region=us` });
  assert.deepEqual(told((await join(client, "without")).iceServers), [eu]);
  relays[1] = await turn(us);
  await until(ports);
  assert.equal(await healthy("nyc1"), 1);
  client.send("ice");
  assert.deepEqual(told((await client.next("ice")).iceServers), [us, eu]);
  client.close();
});

test("a node that drains is told to nobody, although it runs", { skip: NO_UCLIENT }, async () => {
  const [eu, us] = ports;
  await relays[1].kill();
  relays[1] = await turn(us, { "turn.drain_seconds": "60" });
  await until(ports);
  const { username, password } = await (await fetch(`${server.url}/turn?service=turn&key=${KEY}`)).json();
  // It is refused its peer, and leaves its allocation behind, for which the node goes on.
  const options = ["-n", "1", "-m", "1", "-p", us, "-u", username, "-w", password, "-e", "127.0.0.1", "127.0.0.1"];
  const { stdout } = spawnSync("turnutils_uclient", ["-v", ...options.map(String)], { timeout: 30_000 });
  assert.match(stdout.toString(), /allocate response received:? *\n.*success/s);
  relays[1].drain();
  await until([eu]);
  assert.equal(await healthy("nyc1"), 0);
  assert.ok(relays[1].runs(), "it waits for its allocation");
  await relays[1].kill();
});

test("when all are dead they are told as if none were", async () => {
  await Promise.all(relays.map((relay) => relay.kill()));
  const late = Date.now() + 10_000;
  while ((await healthy("fra1")) + (await healthy("nyc1")) > 0) {
    assert.ok(Date.now() < late, "both are still taken for healthy");
    await sleep(100);
  }
  assert.deepEqual((await ask()).sort(), [...ports].sort());
  relays = [];
});
