/**
 * Places of their own on this machine, network namespaces: `home`, where servers are and nothing changes, and `away`,
 * whose cable to the road home can be pulled out and another put in.
 *
 *   away 10.77.N.2 ── 10.77.N.1 road 10.77.0.254 ── 10.77.0.1 home
 */

import { execFile, spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { chmod, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Where home is reached. */
export const HOME = "10.77.0.1";

/** Makes the places, with a first cable between them; null where that is not permitted. */
export async function openPlaces() {
  const [home, road, away] = ["home", "road", "away"].map((name) => `watari-${process.pid}-${name}`);
  const ip = (/** @type {string[]} */ ...argv) => run("ip", argv);
  const end = async (/** @type {string} */ place, /** @type {string} */ device, /** @type {string} */ address) => {
    await ip("-n", place, "address", "add", address, "dev", device);
    await ip("-n", place, "link", "set", device, "up");
  };
  try {
    await ip("netns", "add", home);
  } catch {
    return null;
  }
  const folder = await mkdtemp(join(tmpdir(), "watari-places-"));
  // However this ends, nothing of it stays; of those that are not there, nothing has to go.
  const clear = () => {
    for (const place of [away, road, home]) spawnSync("ip", ["netns", "del", place]);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", clear);
  for (const place of [road, away]) await ip("netns", "add", place);
  for (const place of [home, road, away]) await ip("-n", place, "link", "set", "lo", "up");
  await ip("netns", "exec", road, "sysctl", "-q", "net.ipv4.ip_forward=1");
  await ip("link", "add", "h0", "netns", home, "type", "veth", "peer", "name", "r0", "netns", road);
  await end(home, "h0", `${HOME}/24`);
  await end(road, "r0", "10.77.0.254/24");
  await ip("-n", home, "route", "add", "default", "via", "10.77.0.254");
  const places = {
    /** @param {number} n 1 to 254 */
    async plug(n) {
      await ip("link", "add", `r${n}`, "netns", road, "type", "veth", "peer", "name", `a${n}`, "netns", away);
      await end(road, `r${n}`, `10.77.${n}.1/24`);
      await end(away, `a${n}`, `10.77.${n}.2/24`);
      await ip("-n", away, "route", "replace", "default", "via", `10.77.${n}.1`);
    },
    /** @param {number} n */
    unplug: (n) => ip("-n", away, "link", "del", `a${n}`),
    /**
     * Names a program that runs another one there.
     * @param {"home" | "away"} place
     * @param {string} program
     * @param {string} [adapt] lines of shell before it
     */
    async at(place, program, adapt = "") {
      const path = join(folder, `${place}-${program.replaceAll("/", "_")}`);
      const name = place === "home" ? home : away;
      await writeFile(path, `#!/usr/bin/env bash\n${adapt}\nexec ip netns exec ${name} ${program} "$@"\n`);
      await chmod(path, 0o755);
      return path;
    },
    close() {
      process.off("exit", clear);
      clear();
    },
  };
  await places.plug(1);
  return places;
}
