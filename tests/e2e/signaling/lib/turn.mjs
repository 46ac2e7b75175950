/** Starts real TURN servers on ports of choice, so that they can come back there. */

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { dirname, join } from "node:path";

import { SECRET, within } from "./server.mjs";

const BINARY = process.env.TURN_BIN ?? join(dirname(process.env.SIGNALING_BIN ?? "."), "turn-server");

/** A UDP port that was free a moment ago. */
export async function freePort() {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

/**
 * Runs a TURN server; `kill` ends it without a farewell, `drain` asks it to end.
 * @param {number} port
 * @param {Record<string, string>} [more] settings
 */
export async function turn(port, more = {}) {
  const settings = {
    "turn.listen": `["127.0.0.1:${port}"]`,
    "turn.listen_tcp": "[]",
    "turn.workers": "1",
    "turn.shared_secrets": `["${SECRET}"]`,
    "metrics.listen": "127.0.0.1:0",
    ...more,
  };
  const sets = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const child = spawn(BINARY, sets, { stdio: ["ignore", "ignore", "pipe"], env: { PATH: "" } });
  let output = "";
  const listens = new Promise((resolve, reject) => {
    child.stderr.on("data", (data) => {
      output += data;
      if (output.includes(`TURN and STUN at udp 127.0.0.1:${port}`)) resolve(undefined);
    });
    child.on("exit", () => reject(new Error(output)));
    child.on("error", reject);
  });
  await within(10_000, listens, "the TURN server");
  const exited = once(child, "exit");
  return {
    runs: () => child.exitCode === null && child.signalCode === null,
    drain: () => child.kill("SIGTERM"),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
  };
}
