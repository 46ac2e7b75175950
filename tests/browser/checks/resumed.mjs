/** Signaling breaks during a call, and comes back, without the call noticing. */

import assert from "node:assert/strict";

import { open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";
import { openTcpGate } from "../lib/tcp-gate.mjs";

/** @param {import("../run.mjs").Stage} stage */
export async function resumed({ browser, suite, keep }) {
  const gate = await openTcpGate(Number(new URL(suite.page).port));
  const [aoi, sora] = [keep(await open(browser)), keep(await open(browser))];
  try {
    const gated = new URL(suite.page);
    gated.port = String(gate.port);
    // At localhost, Socket.IO's client does not listen to whether the browser is offline.
    gated.hostname = "127.0.0.1";
    await aoi.visit(gated.href);
    await aoi.enter({ name: "Aoi", relayOnly: true });
    await aoi.says(/^Waiting/);
    const link = new URL(aoi.page.url());
    link.port = new URL(suite.page).port;
    await sora.visit(link.href);
    await sora.enter({ name: "Sora", relayOnly: true });
    await aoi.says(/^Connected to Sora through a relay/);
    await sora.says(/^Connected to Aoi through a relay/);
    const used = await Promise.all([aoi, sora].map(connections));

    await check("when signaling is cut, both sides say so, and the call goes on", async () => {
      gate.cut();
      await aoi.says(/^Lost the signaling server/);
      const said = await sora.says(/^Aoi lost the signaling server and is reconnecting/);
      const { frames } = await sora.stats();
      await eventually("frames", () => sora.stats(), (now) => now.frames > frames + 5);
      return said;
    });
    await check("what was switched meanwhile reaches the other side once signaling is back", async () => {
      // Sora asks for another path: its messages wait for Aoi, Aoi's wait for its own return.
      await sora.set("#relay-only", false);
      await aoi.set("#relay-only", false);
      gate.open();
      await aoi.says(/^Connected to Sora directly/, 30_000);
      await sora.says(/^Connected to Aoi directly/, 30_000);
    });
    await check("nobody has left the room or entered it again", async () => {
      gate.cut();
      await sora.says(/^Aoi lost/);
      const before = await Promise.all([aoi, sora].map(connections));
      gate.open();
      await aoi.says(/^Connected to Sora directly/, 30_000);
      await sora.says(/^Connected to Aoi directly/);
      assert.deepEqual(await Promise.all([aoi, sora].map(connections)), before, "the same connections");
      assert.ok(before.every((count, i) => count > used[i]), "other ones than before the switch");
    });
    await check("a browser that says it is offline loses no place in the room", async () => {
      const before = await Promise.all([aoi, sora].map(connections));
      await aoi.page.evaluate(() => void dispatchEvent(new Event("offline")));
      await sora.says(/^Aoi lost the signaling server and is reconnecting/);
      await sora.says(/^Connected to Aoi directly/);
      await aoi.says(/^Connected to Sora directly/);
      assert.deepEqual(await Promise.all([aoi, sora].map(connections)), before, "the same connections");
    });
    // The browser itself reports the attempts while nobody listened.
    aoi.errors.length = 0;
  } finally {
    await aoi.close();
    await sora.close();
    gate.close();
  }
}

/** How many connections a page has made. @param {import("../lib/browser.mjs").Person} person */
function connections(person) {
  return person.page.evaluate(() => /** @type {any} */ (window).connections.length);
}
