/** coturn as it comes: it lends addresses on loopback, and denies every peer there (403). Ours opens its own relays to each other. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";

import { freePort } from "./suite.mjs";

const UP_WITHIN = 10_000;

/**
 * Starts it for one user; null when this machine has no coturn.
 * @param {string} user
 * @param {string} password
 */
export async function denyingServer(user, password) {
  const port = await freePort();
  const argv = ["-n", "--lt-cred-mech", "--user", `${user}:${password}`, "--realm", "denying.test", "--no-cli", "--no-tls"];
  argv.push("--no-dtls", "--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", String(port));
  argv.push("--log-file", "stdout", "--pidfile", "/dev/null", "--db", "/dev/null");
  const child = spawn("turnserver", argv, { stdio: "ignore" });
  const missing = await Promise.race([once(child, "error"), once(child, "spawn").then(() => null)]);
  if (missing) return null;
  const ended = once(child, "exit");
  await listens(port, Date.now() + UP_WITHIN);
  return {
    port,
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * @param {number} port
 * @param {number} until ms
 */
async function listens(port, until) {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const up = await Promise.race([once(socket, "connect").then(() => true), once(socket, "error").then(() => false)]).catch(() => false);
    socket.destroy();
    if (up) return;
    if (Date.now() > until) throw new Error(`coturn does not listen on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
