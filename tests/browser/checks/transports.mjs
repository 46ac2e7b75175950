/** Calls between Chromium and Firefox through nothing but the relay, over each transport that leads to it. */

import assert from "node:assert/strict";

import { authority } from "../lib/authority.mjs";
import { launch, open } from "../lib/browser.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { check, eventually } from "../lib/report.mjs";
import { up } from "../lib/suite.mjs";

/**
 * @typedef {object} Way
 * @property {string} name
 * @property {string} protocol as statistics name it
 * @property {(turnPort: number) => string} uri what the pages get as their only ICE server
 * @property {string[]} settings
 */

/** @type {Way[]} */
const WAYS = [
  { name: "UDP", protocol: "udp", uri: (port) => `turn:127.0.0.1:${port}?transport=udp`, settings: [] },
  { name: "TCP", protocol: "tcp", uri: (port) => `turn:127.0.0.1:${port}?transport=tcp`, settings: [] },
];

/**
 * @param {object} stage
 * @param {string} stage.watari
 * @param {string} stage.chromium
 * @param {string} stage.firefox
 * @param {import("../run.mjs").Stage["keep"]} stage.keep
 */
export async function transports({ watari, chromium, firefox, keep }) {
  const trusted = await authority();
  const browsers = [];
  try {
    browsers.push(await launch(chromium, "fake", undefined, trusted), await launchFirefox(firefox, trusted));
    for (const way of WAYS) {
      const suite = await up(watari, way.settings, 0, way.uri);
      const [aoi, sora] = [keep(await open(browsers[0].browser)), keep(await open(browsers[1].browser))];
      await check(`Chromium calls Firefox, each with a relay over ${way.name} and nothing else`, () =>
        call(aoi, sora, suite, way.protocol),
      );
      await aoi.close();
      await sora.close();
      await suite.down();
    }
  } finally {
    for (const { close } of browsers) await close();
    await trusted.close();
  }
}

/**
 * @param {import("../lib/browser.mjs").Person} aoi
 * @param {import("../lib/browser.mjs").Person} sora
 * @param {import("../lib/suite.mjs").Suite} suite
 * @param {string} protocol
 */
async function call(aoi, sora, suite, protocol) {
  await aoi.visit(suite.page);
  await aoi.enter({ name: "Aoi", relayOnly: true });
  await aoi.says(/^Waiting/);
  await sora.visit(aoi.page.url());
  await sora.enter({ name: "Sora", relayOnly: true });
  await aoi.says(/^Connected to Sora through a relay \(relay – /);
  await sora.says(/^Connected to Aoi through a relay \(relay – /);
  for (const person of [aoi, sora]) {
    const { frames } = await person.stats();
    const now = await eventually("frames", () => person.stats(), (stats) => stats.frames > frames + 10);
    // What a check from the other side brought before its candidate did is called prflx there; both ends are told here.
    assert.deepEqual([now.local, now.protocol], ["relay", protocol]);
  }
  const relayed = await suite.metric("turn_relay_bytes_total");
  assert.ok(relayed > 10_000, `${relayed} bytes relayed`);
  return `${relayed} bytes relayed`;
}
