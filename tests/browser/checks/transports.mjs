/** Calls between Chromium and Firefox through nothing but the relay, over each transport that leads to it. */

import assert from "node:assert/strict";

import { authority } from "../lib/authority.mjs";
import { launch, open } from "../lib/browser.mjs";
import { launchFirefox } from "../lib/firefox.mjs";
import { enter, meet } from "../lib/pair.mjs";
import { check, eventually } from "../lib/report.mjs";
import { freePort, up } from "../lib/suite.mjs";
import { choose } from "./relays.mjs";

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
    for (const { name, protocol, uri, shared } of WAYS) {
      const tls = await freePort();
      const suite = await up(watari, encrypted(trusted, tls), 0, (turn) => uri({ turn, tls }));
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
    await everyWay([browsers[0].browser, browsers[1].browser], { watari, trusted, keep });
  } finally {
    for (const { close } of browsers) await close();
    await trusted.close();
  }
}

/**
 * A call that moves from one to the other.
 * @param {[import("puppeteer-core").Browser, import("puppeteer-core").Browser]} browsers
 * @param {Pick<Parameters<typeof transports>[0], "watari" | "keep"> & { trusted: Awaited<ReturnType<typeof authority>> }} stage
 */
async function everyWay(browsers, { watari, trusted, keep }) {
  const tls = await freePort();
  const suite = await up(watari, encrypted(trusted, tls), 0, (turn) => WAYS.slice(0, 3).map(({ uri }) => uri({ turn, tls })));
  const { aoi, sora } = await meet({ browsers, suite, keep });
  await check("a call between Chromium and Firefox moves to relays over UDP, TCP and TLS, as they are chosen", async () => {
    for (const person of [aoi, sora]) await person.set("#relay-only", true);
    for (const over of ["tls", "udp", "tcp", "tls"]) await choose([aoi, sora], over);
    return aoi.text("#fact-transport");
  });
  await aoi.close();
  await sora.close();
  await suite.down();
}

/**
 * The settings of a suite that speaks TLS.
 * @param {Awaited<ReturnType<typeof authority>>} trusted
 * @param {number} tls port for TURN
 */
function encrypted({ chain, key }, tls) {
  return [
    `tls.certificates=[{ certificate = "${chain}", key = "${key}" }]`,
    `turn.listen_tls=["127.0.0.1:${tls}", "[::1]:${tls}"]`,
    `web.listen_https=["127.0.0.1:0"]`,
  ];
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
