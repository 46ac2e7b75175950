/** Calls between Chromium and Firefox through nothing but the relay, over each transport that leads to it. */

import assert from "node:assert/strict";

import { authority } from "../lib/authority.mjs";
import { launch, open } from "../lib/browser.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { enter } from "../lib/pair.mjs";
import { check, eventually } from "../lib/report.mjs";
import { freePort, up } from "../lib/suite.mjs";

/**
 * @typedef {object} Way
 * @property {string} name
 * @property {string} protocol as statistics name it
 * @property {(ports: { turn: number, tls: number }) => string} uri what the pages get as their only ICE server
 * @property {boolean} [shared] whether the page comes from that very port
 */

/** @type {Way[]} */
const WAYS = [
  { name: "UDP", protocol: "udp", uri: ({ turn }) => `turn:127.0.0.1:${turn}?transport=udp` },
  { name: "TCP", protocol: "tcp", uri: ({ turn }) => `turn:127.0.0.1:${turn}?transport=tcp` },
  { name: "TLS", protocol: "tls", uri: ({ tls }) => `turns:localhost:${tls}?transport=tcp` },
  { name: "TLS", protocol: "tls", uri: ({ tls }) => `turns:localhost:${tls}?transport=tcp`, shared: true },
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
    const { chain, key } = trusted;
    for (const { name, protocol, uri, shared } of WAYS) {
      const tls = await freePort();
      const settings = [
        `tls.certificates=[{ certificate = "${chain}", key = "${key}" }]`,
        `turn.listen_tls=["127.0.0.1:${tls}", "[::1]:${tls}"]`,
        `web.listen_https=["127.0.0.1:0"]`,
      ];
      const suite = await up(watari, settings, 0, (turn) => uri({ turn, tls }));
      const page = shared ? `https://localhost:${tls}/` : suite.page;
      const [aoi, sora] = [keep(await open(browsers[0].browser)), keep(await open(browsers[1].browser))];
      const place = shared ? ", on the port that the page comes from" : "";
      await check(`Chromium calls Firefox, each with a relay over ${name} and nothing else${place}`, () =>
        call(aoi, sora, { page, suite, protocol }),
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
 * @param {{ page: string, suite: import("../lib/suite.mjs").Suite, protocol: string }} way
 */
async function call(aoi, sora, { page, suite, protocol }) {
  await enter(aoi, sora, page, true);
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
