/** A call whose signaling is on two servers, while one of them is killed and Redis loses all it knew. */

import assert from "node:assert/strict";

import { open } from "../lib/browser.mjs";
import { HAS_REDIS, openRedis } from "../lib/redis.mjs";
import { check, eventually } from "../lib/report.mjs";
import { freePort, up } from "../lib/suite.mjs";
import { openTcpGate } from "../lib/tcp-gate.mjs";

/** @param {import("../run.mjs").Stage & { watari: string }} stage */
export async function cluster({ browser, watari, keep }) {
  // The script says so.
  if (!HAS_REDIS) return;
  const redis = await openRedis();
  const relayPort = await freePort();
  const settings = [
    `signaling.cluster.redis="${redis.url}"`,
    `signaling.ice.urls=["turn:127.0.0.1:${relayPort}?transport=udp"]`,
  ];
  const [north, south] = [await up(watari, settings), await up(watari, settings)];
  const secrets = JSON.stringify([await north.secret(), await south.secret()]);
  const relay = await up(watari, [`turn.shared_secrets=${secrets}`], 0, undefined, async () => relayPort);
  // What a load balancer is to its clients.
  const gate = await openTcpGate(Number(new URL(north.page).port));
  const [aoi, sora] = [keep(await open(browser)), keep(await open(browser))];
  try {
    const balanced = new URL(north.page);
    balanced.port = String(gate.port);
    await check("two people at two signaling servers call each other through a third machine's relay", async () => {
      await aoi.visit(balanced.href);
      await aoi.enter({ name: "Aoi", relayOnly: true });
      await aoi.says(/^Waiting/);
      const link = new URL(aoi.page.url());
      link.port = new URL(south.page).port;
      await sora.visit(link.href);
      await sora.enter({ name: "Sora", relayOnly: true });
      await aoi.says(/^Connected to Sora through a relay/);
      await sora.says(/^Connected to Aoi through a relay/);
      await eventually("relayed bytes", () => relay.metric("turn_relay_bytes_total"), (bytes) => bytes > 0);
    });
    const used = await Promise.all([aoi, sora].map(connections));
    const moves = async (/** @type {import("../lib/browser.mjs").Person} */ person) => {
      const { frames } = await person.stats();
      await eventually("frames", () => person.stats(), (now) => now.frames > frames + 5);
    };
    await check("one of the servers is killed: the call goes on, and its client comes back at the other", async () => {
      await north.kill();
      await aoi.says(/^Lost the signaling server/);
      await Promise.all([moves(aoi), moves(sora)]);
      gate.lead(Number(new URL(south.page).port));
      await aoi.says(/^Connected to Sora through a relay/, 30_000);
      await sora.says(/^Connected to Aoi through a relay/, 30_000);
      await Promise.all([moves(aoi), moves(sora)]);
      assert.deepEqual(await Promise.all([aoi, sora].map(connections)), used, "the same connections");
    });
    await check("Redis loses all it knew: the call goes on, and signaling with it", async () => {
      await redis.restart();
      await Promise.all([moves(aoi), moves(sora)]);
      assert.deepEqual(await Promise.all([aoi, sora].map(connections)), used, "the same connections");
      for (const person of [aoi, sora]) await person.set("#relay-only", false);
      await aoi.says(/^Connected to Sora directly/, 30_000);
      await sora.says(/^Connected to Aoi directly/, 30_000);
    });
    // The browser itself reports the attempts while nobody listened.
    aoi.errors.length = 0;
  } finally {
    await aoi.close();
    await sora.close();
    gate.close();
    await relay.down();
    await south.down();
    await redis.close();
  }
}

/** How many connections a page has made. @param {import("../lib/browser.mjs").Person} person */
function connections(person) {
  return person.page.evaluate(() => /** @type {any} */ (window).connections.length);
}
