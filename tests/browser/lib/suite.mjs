/** The real suite, on free ports, with a state folder of its own. */

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const UP_WITHIN = 15_000;
const DOWN_WITHIN = 10_000;

/** How often other ports are tried when one was taken meanwhile. */
const TRIES = 4;
const TAKEN = /Address already in use/;

/**
 * Starts `watari up` and waits until it says where it listens. The port of TURN is free over UDP when it is chosen, but
 * somebody may have it over TCP: then another is chosen.
 * @param {string} binary
 * @param {string[]} [settings] as `--set` takes them
 * @param {number} [webPort] 0 for any
 * @param {(turnPort: number) => string | string[]} [iceServer] the one ICE server that pages are told, or several
 * @param {() => Promise<number>} [choose] a port for TURN
 */
export async function up(binary, settings = [], webPort = 0, iceServer, choose = freePort) {
  for (let rest = TRIES - 1; ; rest -= 1) {
    try {
      return await start(binary, settings, webPort, await choose(), iceServer);
    } catch (error) {
      if (rest === 0 || !TAKEN.test(String(error))) throw error;
    }
  }
}

/**
 * @param {string} binary
 * @param {string[]} settings
 * @param {number} webPort
 * @param {number} turnPort
 * @param {(turnPort: number) => string | string[]} [iceServer]
 */
async function start(binary, settings, webPort, turnPort, iceServer) {
  const state = await mkdtemp(join(tmpdir(), "watari-state-"));
  const argv = ["up", "--json", "--state", state, "--listen-web", `127.0.0.1:${webPort}`];
  argv.push("--listen-metrics", "127.0.0.1:0", "--listen-turn", `127.0.0.1:${turnPort}`);
  if (iceServer) argv.push("--set", `signaling.ice.urls=${JSON.stringify([iceServer(turnPort)].flat())}`);
  for (const setting of settings) argv.push("--set", setting);
  const child = spawn(binary, argv, { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stderr.on("data", (chunk) => (log += chunk));
  // Not "exit": what it logged last may come after that.
  const ended = once(child, "close");

  const said = once(createInterface({ input: child.stdout }), "line");
  const first = await Promise.race([said, ended.then(() => null), after(UP_WITHIN)]);
  if (!first) {
    child.kill("SIGKILL");
    await rm(state, { recursive: true, force: true });
    throw new Error(`${binary} did not come up:\n${log}`);
  }
  const announced = JSON.parse(first[0]);
  return {
    turnPort,
    page: announced.page[0],
    /** Everything it has announced. @type {Record<string, any>} */
    announced,
    /** Everything it has logged. */
    log: () => log,
    /** @param {string} name sums up all samples of this metric */
    metric: (name) => metric(announced.metrics[0], name),
    /** What its relay checks time-limited credentials with. */
    async secret() {
      const text = await readFile(join(state, "secrets.toml"), "utf8");
      return /^turn_secret = "(.+)"$/m.exec(text)?.[1] ?? "";
    },
    /** Ends it as a power cut would. */
    async kill() {
      child.kill("SIGKILL");
      await ended;
      await rm(state, { recursive: true, force: true });
    },
    /** Ends it as a service manager would, and complains when it does not go. */
    async down() {
      if (child.exitCode !== null) throw new Error(`watari ended by itself with ${child.exitCode}:\n${log}`);
      child.kill("SIGTERM");
      const gone = await Promise.race([ended, after(DOWN_WITHIN)]);
      if (!gone) child.kill("SIGKILL");
      await rm(state, { recursive: true, force: true });
      if (!gone || gone[0] !== 0) throw new Error(`watari ended with ${gone?.[0] ?? "a kill"}:\n${log}`);
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof up>>} Suite */

/** A UDP port of the loopback address that nobody uses at the moment, and most likely nobody over TCP. */
export async function freePort() {
  const socket = createSocket("udp4");
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  return port;
}

/**
 * @param {string} url
 * @param {string} name
 */
async function metric(url, name) {
  const text = await (await fetch(url)).text();
  const samples = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  if (samples.length === 0) throw new Error(`${url} has no ${name}`);
  return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** @param {number} ms @returns {Promise<null>} */
function after(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms, null).unref());
}
