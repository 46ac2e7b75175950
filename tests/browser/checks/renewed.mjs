/** The server renews credentials, and a page that is in a call takes them without disturbing it. */

import assert from "node:assert/strict";

import { meet } from "../lib/pair.mjs";
import { check, eventually } from "../lib/report.mjs";
import { up } from "../lib/suite.mjs";

/** Seconds that credentials live. */
const TTL = 10;

/** @param {import("../run.mjs").Stage & { watari: string }} stage */
export async function renewed({ watari, browser, keep }) {
  const suite = await up(watari, [`signaling.ice.ttl=${TTL}`]);
  const { aoi, sora } = await meet({ browsers: [browser, browser], suite, keep });
  try {
    const described = [aoi.described, sora.described];
    for (const person of [aoi, sora]) {
      await check("credentials that the server renews reach the connection, which goes on", async () => {
        const first = expiry((await person.stats()).credentials);
        const later = await eventually("later credentials", () => person.stats(), (now) => expiry(now.credentials) > first);
        await eventually("frames", () => person.stats(), (now) => now.frames > later.frames + 5);
        await person.says(/^Connected to/);
        return `${expiry(later.credentials) - first} s later`;
      });
    }
    assert.deepEqual([aoi.described, sora.described], described, "nothing was negotiated for it");
  } finally {
    await aoi.close();
    await sora.close();
    await suite.down();
  }
}

/** When the latest of the credentials expires. @param {string[]} usernames */
function expiry(usernames) {
  return Math.max(...usernames.map((name) => Number(name.split(":")[0])));
}
