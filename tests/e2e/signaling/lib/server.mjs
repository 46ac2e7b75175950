/** Starts the real server on free ports and ends it. */

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";

const BINARY = process.env.SIGNALING_BIN ?? "signaling";
export const SECRET = "a secret of the tests";
export const KEY = "a-key-of-the-tests-0123456789";

/**
 * Runs the server with these settings over its defaults; the keys are those of the file's [signaling].
 * @param {Record<string, unknown>} settings
 */
export async function start(settings = {}) {
  const server = run({ "ice.secret": SECRET, listen: "127.0.0.1:0", ...shared(), ...settings });
  const url = await server.says(/signaling at (http:\S+)/);
  const metricsUrl = await server.says(/metrics at (http:\S+)/);
  const readiness = () => fetch(new URL("/readyz", metricsUrl));
  return { ...server, url, ws: `${url.replace("http", "ws")}/ws`, metric: metric(metricsUrl), readiness };
}

/** With the address of a Redis server in CLUSTER, all tests run on rooms that are kept there. */
function shared() {
  const redis = process.env.CLUSTER;
  return redis ? { "cluster.redis": redis, "cluster.prefix": `tests-${randomUUID()}` } : {};
}

/**
 * Runs the command, which may end by itself.
 * @param {Record<string, unknown>} settings
 * @param {string[]} args
 */
export function run(settings, args = []) {
  const sets = Object.entries(settings).flatMap(([key, value]) => [
    "--set",
    `signaling.${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  ]);
  const filter = "signaling=trace,tower_http=trace,axum=trace,info";
  const all = [...args, ...sets, "--set", "metrics.listen=127.0.0.1:0", "--set", `log.filter=${filter}`];
  const child = spawn(BINARY, all, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: "" } });
  const exited = once(child, "exit");
  endWithUs(child);
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));

  const says = async (/** @type {RegExp} */ pattern) => {
    const until = Date.now() + 10_000;
    for (;;) {
      const match = output.match(pattern);
      if (match) return match[1];
      if (child.exitCode !== null || Date.now() > until) throw new Error(`no ${pattern} in:\n${output}`);
      await sleep(10);
    }
  };
  const ended = async () => {
    const [code] = await within(10_000, exited, "the server's end");
    return { code, output };
  };
  const stop = () => {
    child.kill("SIGTERM");
    return ended();
  };
  const signal = (/** @type {NodeJS.Signals} */ name) => () => child.kill(name);
  const [kill, pause, go] = /** @type {const} */ (["SIGKILL", "SIGSTOP", "SIGCONT"]).map(signal);
  return { says, stop, kill, pause, go, ended, output: () => output };
}

/** Reads one sample of the metrics; 0 if it is not there. */
const metric = (/** @type {string} */ url) => async (/** @type {string} */ name) => {
  const text = await (await fetch(url)).text();
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return line ? Number(line.split(" ")[1]) : 0;
};

/** Kills a process when the tests end, however they do. */
export function endWithUs(/** @type {import("node:child_process").ChildProcess} */ child) {
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("exit", () => process.off("exit", kill));
}

export const sleep = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Waits for a promise, but not for ever.
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
export function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${ms} ms for ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
