/** A real Redis server of the tests' own, which can be killed and started again. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { endWithUs, sleep } from "./server.mjs";

/** Why the tests that need Redis cannot run, if they cannot. */
export const MISSING = spawnSync("redis-server", ["--version"]).error ? "redis-server is not installed" : false;

/** Starts one that keeps nothing on disk unless told to: what it knew since is gone when it is killed. */
export async function redis() {
  const folder = mkdtempSync(join(tmpdir(), "redis-"));
  const port = await freePort();
  let child;
  const begin = async () => {
    const settings = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
    child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "pipe"] });
    endWithUs(child);
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    for (let turn = 0; !output.includes("Ready to accept connections"); turn++) {
      if (turn > 500 || child.exitCode !== null) throw new Error(`redis-server does not start:\n${output}`);
      await sleep(20);
    }
  };
  const kill = async () => {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  const url = `redis://127.0.0.1:${port}/`;
  const save = () => {
    const { stdout } = spawnSync("redis-cli", ["-u", url, "save"]);
    if (stdout.toString() !== "OK\n") throw new Error(`not saved: ${stdout}`);
  };
  await begin();
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) await kill();
    rmSync(folder, { recursive: true });
  };
  const freeze = () => child.kill("SIGSTOP");
  const thaw = () => child.kill("SIGCONT");
  return { url, save, kill, begin, stop, freeze, thaw };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
