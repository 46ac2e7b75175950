/** `watari bench signaling`: the same work on our server in each dialect, on peerjs-server and on a server of Socket.IO. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";

import { sleep, start, within } from "./lib/server.mjs";

const WATARI = process.env.WATARI_BIN ?? "watari";
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const CLIENTS = 200;
/** An offer, an answer, and five candidates of each member. */
const SIGNALS = (CLIENTS / 2) * 12;

let server;
before(async () => (server = await start({ "limits.arrivals_per_second": 1000, "limits.connections_per_address": 500 })));
after(() => server.stop());

/** Runs the bench; `report` is what it writes as JSON, if it does. */
async function bench(url, ...args) {
  const bench = begin(url, "--settle", "200ms", ...args);
  const [code] = await within(20_000, bench.exited, "the end of the bench");
  return { code, errors: bench.errors(), report: bench.output() ? JSON.parse(bench.output()) : undefined };
}

function begin(url, ...args) {
  const clients = args.includes("-n") ? [] : ["-n", `${CLIENTS}`];
  const child = spawn(WATARI, ["bench", "signaling", url, ...clients, "--json", "-", ...args]);
  let output = "";
  let errors = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (errors += data));
  return { child, exited: once(child, "close"), output: () => output, errors: () => errors };
}

/** Everybody was in, everything came, and what it cost is told. */
function assertWhole({ code, errors, report }) {
  assert.equal(code, 0, errors + JSON.stringify(report?.found));
  const { joined, joins_per_second, sent, delivered, delivery, memory, cpu_us_per_signal, failures } = report.found;
  assert.deepEqual([joined, sent, delivered, failures], [CLIENTS, SIGNALS, SIGNALS, {}]);
  assert.ok(joins_per_second > 0 && cpu_us_per_signal > 0);
  assert.ok(0 < delivery.p50_us && delivery.p50_us <= delivery.p99_us && delivery.p99_us <= delivery.max_us);
  assert.ok(Number.isFinite(memory.joined) && Number.isFinite(memory.exchanged));
}

/** Another server, until the work is done. */
async function beside(args, url, work) {
  const child = spawn(process.execPath, args, { stdio: "ignore" });
  const exited = once(child, "exit");
  try {
    for (let tries = 0; ; tries++) {
      if (await fetch(url).then(() => true, () => false)) break;
      assert.ok(tries < 100 && child.exitCode === null, `${args[0]} does not start`);
      await sleep(100);
    }
    await work(child.pid);
  } finally {
    child.kill("SIGKILL");
    await exited;
  }
}

const port = () => 20_000 + Math.floor(Math.random() * 10_000);

test("ours in each dialect, its process found by its port", async () => {
  const before = await server.metric('signaling_messages_total{event="offer"}');
  const plain = await bench(`${server.ws}`);
  assertWhole(plain);
  assert.ok(plain.report.server.pid > 1);
  assert.equal(plain.report.server.process, "signaling");
  assert.match(plain.report.notes.join("\n"), new RegExp(`process ${plain.report.server.pid} \\(signaling\\)`));
  assert.equal(await server.metric('signaling_messages_total{event="offer"}'), before + CLIENTS / 2, "it was this server");
  assertWhole(await bench(server.url.replace("http", "ws"), "--dialect", "socket.io"));
  assertWhole(await bench(`${server.url}/peerjs/peerjs`, "--dialect", "peerjs"));
});

test("peerjs-server", async () => {
  const own = port();
  const command = here("node_modules/peer/dist/bin/peerjs.js");
  await beside([command, "--port", `${own}`], `http://127.0.0.1:${own}/`, async (pid) => {
    const done = await bench(`127.0.0.1:${own}`, "--dialect", "peerjs");
    assertWhole(done);
    assert.equal(done.report.server.pid, pid);
  });
});

test("a server of Socket.IO", async () => {
  const own = port();
  await beside([here("servers/socket-io.mjs"), `${own}`], `http://127.0.0.1:${own}/`, async (pid) => {
    const named = await bench(`127.0.0.1:${own}`, "--dialect", "socket.io", "--pid", `${pid}`);
    assertWhole(named);
    assert.deepEqual([named.report.server.process, named.report.notes], [null, []], "nothing was guessed");
  });
});

test("what is refused is counted by its code, with the setting that brings it about, and exits with 1", async () => {
  const narrow = await start({ "limits.connections_per_address": 60, "limits.arrivals_per_second": 1000, "rooms.max": 20 });
  const crowded = await bench(narrow.ws, "--source-addresses", "1", "--at-once", "1", "-n", "100");
  assert.equal(crowded.code, 1, crowded.errors);
  const { joined, failures } = crowded.report.found;
  assert.equal(joined, 40);
  assert.ok(failures.server_full > 0, JSON.stringify(failures));
  const text = crowded.report.notes.join("\n");
  assert.match(text, /signaling\.rooms\.max/);
  await narrow.stop();

  const full = await start({ "limits.connections_per_address": 20, "limits.arrivals_per_second": 1000 });
  const many = await bench(full.ws, "--source-addresses", "1", "--at-once", "1", "-n", "60");
  assert.equal(many.code, 1, many.errors);
  assert.ok(many.report.found.failures.http_429 > 0);
  assert.match(many.report.notes.join("\n"), /connections_per_address/);
  // Dealt out among addresses of loopback they all fit.
  await sleep(1500);
  const spread = await bench(full.ws, "--source-addresses", "30", "-n", "60");
  assert.equal(spread.code, 0, JSON.stringify(spread.report?.found));
  await full.stop();
});

test("where nobody can join it says so and exits with 69", async () => {
  for (const url of [`127.0.0.1:${new URL(server.url).port}/nowhere`, "127.0.0.1:1"]) {
    const { code, errors, report } = await bench(url, "-n", "2");
    assert.deepEqual([code, report], [69, undefined], errors);
    assert.match(errors, /nobody could join/);
    assert.match(errors, /http_404|refused/);
  }
  assert.equal((await bench("wss://127.0.0.1", "-n", "2")).code, 64);
  assert.equal((await bench(server.ws, "-n", "3")).code, 64, "an odd number of clients");
  const elsewhere = await bench("192.0.2.1:3002", "-n", "2", "--source-addresses", "2");
  assert.equal(elsewhere.code, 64, "addresses of loopback reach no other machine");
  assert.match(elsewhere.errors, /--source-addresses/);
});

test("Ctrl-C ends it cleanly, and what was measured until then is told", async () => {
  const before = await server.metric('signaling_messages_total{event="offer"}');
  const running = begin(server.ws, "--rate", "1/s");
  for (let tries = 0; tries < 100 && (await server.metric("signaling_connections")) < CLIENTS; tries++) await sleep(50);
  const heard = () => server.metric('signaling_messages_total{event="offer"}');
  for (let tries = 0; tries < 100 && (await heard()) <= before; tries++) await sleep(50);
  running.child.kill("SIGINT");
  const [code] = await within(5000, running.exited, "the end of the bench");
  assert.equal(code, 130, running.errors());
  const { found } = JSON.parse(running.output());
  assert.equal(found.joined, CLIENTS);
  assert.ok(found.is_cancelled && found.delivered < SIGNALS && Object.keys(found.failures).length === 0);
  for (let tries = 0; tries < 40 && (await server.metric("signaling_connections")) > 0; tries++) await sleep(50);
  assert.equal(await server.metric("signaling_connections"), 0, "every client said goodbye");
});
