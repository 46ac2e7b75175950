/** A real Redis server, which keeps nothing on disk. */

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const HAS_REDIS = !spawnSync("redis-server", ["--version"]).error;

/** Starts one at a socket of its own; `restart` kills it and starts another, which knows nothing. */
export async function openRedis() {
  const folder = await mkdtemp(join(tmpdir(), "watari-redis-"));
  const socket = join(folder, "socket");
  const begin = async () => {
    const settings = ["--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", folder];
    const child = spawn("redis-server", settings, { stdio: ["ignore", "pipe", "ignore"] });
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.includes("eady to accept connections")) return child;
    }
    throw new Error("redis-server did not come up");
  };
  let child = await begin();
  const kill = async () => {
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  return {
    url: `redis+unix://${socket}`,
    async restart() {
      await kill();
      child = await begin();
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
