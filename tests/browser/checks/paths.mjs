/** Direct calls, the relay switch during a call, and a path that breaks. */

import assert from "node:assert/strict";

import { open } from "../lib/browser.mjs";
import { enter } from "../lib/pair.mjs";
import { check, eventually, seconds } from "../lib/report.mjs";

const SWITCHES = 9;

/** @param {import("../run.mjs").Stage} stage */
export async function switched({ browser, suite, keep }) {
  const [aoi, sora] = [keep(await open(browser)), keep(await open(browser))];
  await check("without the switch the call goes directly", async () => {
    await enter(aoi, sora, suite.page, false);
    const said = await aoi.says(/^Connected to Sora directly/);
    assert.notEqual((await aoi.stats()).local, "relay");
    return said;
  });
  await check("switching one side to relay only moves the call to a relay", async () => {
    await aoi.set("#relay-only", true);
    await aoi.says(/^Connected to Sora through a relay \(relay – /);
    assert.equal((await aoi.stats()).local, "relay");
    await sora.says(/^Connected to Aoi through a relay/);
  });
  await check("switching it off moves the call back", async () => {
    await aoi.set("#relay-only", false);
    await aoi.says(/^Connected to Sora directly/);
    await sora.says(/^Connected to Aoi directly/);
  });
  await check(`both sides switching at once find each other, ${SWITCHES} times with other gaps`, async () => {
    const before = aoi.described + sora.described;
    for (let i = 1; i <= SWITCHES; i += 1) {
      const on = i % 2 === 1;
      await Promise.all([aoi.set("#relay-only", on), seconds((i * 7) % 40 / 1000).then(() => sora.set("#relay-only", on))]);
      const said = on ? /through a relay \(relay – relay/ : /directly/;
      await aoi.says(said);
      await sora.says(said);
    }
    const { frames } = await aoi.stats();
    await eventually("frames on the new path", () => aoi.stats(), (now) => now.frames > frames + 5);
    // An offer and an answer for each of the two new connections that a switch at both ends may take.
    const described = aoi.described + sora.described - before;
    assert.ok(described > 0 && described <= 5 * SWITCHES, `${described} descriptions`);
    return `${described} descriptions`;
  });
  await aoi.close();
  await sora.close();
}

/**
 * The path breaks while signaling stays, then the whole server restarts.
 * @param {import("../run.mjs").Stage & { gate: import("../lib/udp-gate.mjs").Gate, restart: (body: () => Promise<void>) => Promise<void> }} stage
 */
export async function broken({ browser, suite, gate, restart, keep }) {
  const [aoi, sora] = [keep(await open(browser)), keep(await open(browser))];
  await enter(aoi, sora, suite.page, true);
  await aoi.says(/^Connected to Sora through a relay/);
  const { credentials } = await aoi.stats();

  await check("a broken path is noticed", async () => {
    gate.shut();
    return aoi.says(/^The path to Sora broke\. Reconnecting/, 30_000);
  });
  await check("the page searches again by itself, with fresh credentials", async () => {
    const now = await eventually(
      "credentials",
      async () => (await aoi.stats()).credentials.join(),
      (fresh) => fresh !== credentials.join(),
      30_000,
    );
    assert.match(await aoi.state(), /^The path to Sora broke/);
    assert.match(now, /\d+:/);
  });
  await check("once datagrams pass again the call is back", async () => {
    gate.open();
    const began = Date.now();
    await aoi.says(/^Connected to Sora through a relay/, 60_000);
    await sora.says(/^Connected to Aoi through a relay/, 60_000);
    const now = await aoi.stats();
    await eventually("frames on the new path", () => aoi.stats(), ({ frames }) => frames > now.frames + 5);
    return `after ${((Date.now() - began) / 1000).toFixed(1)} s`;
  });
  await check("a restart of the server is noticed, and both find each other again", async () => {
    await restart(async () => {
      await aoi.says(/^Lost the signaling server/);
      await sora.says(/^Lost the signaling server/);
    });
    await aoi.says(/^Connected to Sora through a relay/, 30_000);
    await sora.says(/^Connected to Aoi through a relay/, 30_000);
    for (const { errors } of [aoi, sora]) {
      // The browser itself reports the attempts while nobody listened.
      const others = errors.splice(0).filter((error) => !/\/socket\.io\/|ERR_CONNECTION_REFUSED/.test(error));
      assert.deepEqual(others, []);
    }
  });
  await aoi.close();
  await sora.close();
}
