/** The suite of these checks itself: a port that is taken does not end the run. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";

import { check } from "../lib/report.mjs";
import { freePort, up } from "../lib/suite.mjs";

/** @param {{ watari: string }} stage */
export async function ports({ watari }) {
  await check("a port that somebody has over TCP is given up for another", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = /** @type {import("node:net").AddressInfo} */ (holder.address());
    const choices = [port, await freePort()];
    const suite = await up(watari, [], 0, undefined, async () => choices.shift() ?? freePort());
    try {
      assert.notEqual(suite.turnPort, port);
    } finally {
      await suite.down();
      holder.close();
    }
  });
}
