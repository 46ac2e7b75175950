/** The network of one side changes during a call: as the browser tells it, and as it really is. */

import assert from "node:assert/strict";

import { launch, open } from "../lib/browser.mjs";
import { enter } from "../lib/pair.mjs";
import { check, eventually, seconds } from "../lib/report.mjs";
import { HOME, openPlaces } from "../lib/roaming.mjs";
import { up } from "../lib/suite.mjs";
import { ufrag } from "./chat.mjs";

/** @typedef {import("../lib/browser.mjs").Person} Person */

/** How long a call may be without sound and picture (ms). */
const BACK_WITHIN = 10_000;

/**
 * The browser says that it is offline and online again, while the path stays as it is.
 * @param {Omit<import("../run.mjs").Stage, "chromium"> & { engine: string }} stage
 */
export async function told({ browser, engine, suite, keep }) {
  const [aoi, sora] = [keep(await open(browser)), keep(await open(browser))];
  const page = new URL(suite.page);
  // At localhost, Socket.IO's client does not listen to whether the browser is offline.
  page.hostname = "127.0.0.1";
  await enter(aoi, sora, page.href);
  await aoi.says(/^Connected to Sora directly/);
  await sora.says(/^Connected to Aoi directly/);
  for (const person of [aoi, sora]) {
    const whose = person === aoi ? "who was there first" : "who came second";
    await check(`back from offline, ${whose} searches for a path at once, with fresh credentials (${engine})`, async () => {
      const [search, { credentials }] = [await ufrag(person), await person.stats()];
      await offline(person, true);
      await person.says(/^There is no network/);
      await offline(person, false);
      await eventually("another search", () => ufrag(person), (now) => now !== search, 6000);
      await person.says(/^Connected to/);
      const now = await person.stats();
      assert.ok(now.credentials.every((/** @type {string} */ user) => !user || !credentials.includes(user)), now.credentials.join());
      await eventually("frames", () => person.stats(), ({ frames }) => frames > now.frames + 5);
    });
  }
  await check(`both back at once find each other again (${engine})`, async () => {
    const search = await ufrag(aoi);
    const both = (/** @type {boolean} */ off) => Promise.all([aoi, sora].map((person) => offline(person, off)));
    await both(true);
    for (const person of [aoi, sora]) await person.says(/^There is no network/);
    await both(false);
    await eventually("another search", () => ufrag(aoi), (now) => now !== search, 6000);
    await aoi.says(/^Connected to Sora directly/);
    await sora.says(/^Connected to Aoi directly/);
    const now = await sora.stats();
    await eventually("frames", () => sora.stats(), ({ frames }) => frames > now.frames + 5);
  });
  for (const person of [aoi, sora]) {
    // The browser itself reports the attempts while it was offline.
    person.errors.splice(0, Infinity, ...person.errors.filter((error) => !/ERR_INTERNET_DISCONNECTED|can’t establish a connection|Cross-Origin|NetworkError/.test(error)));
    await person.close();
  }
}

/**
 * A cable is pulled out and another put in, with another address, in either order.
 * @param {import("../run.mjs").Stage & { watari: string }} stage
 */
export async function moved({ chromium, watari, keep }) {
  const places = await openPlaces();
  if (!places) return void process.stdout.write("skipped: calls from a network that changes, network namespaces need root\n");
  /** @type {(() => Promise<void>)[]} */
  const ends = [];
  try {
    const suite = await up(await places.at("home", watari, `set -- "\${@//127.0.0.1/${HOME}}"`));
    ends.push(() => suite.down());
    const browsers = [];
    for (const place of /** @type {const} */ (["away", "home"])) {
      const program = await places.at(place, chromium);
      const opened = await launch(program, "fake", undefined, undefined, undefined, { pipe: true, trusted: new URL(suite.page).origin });
      ends.push(() => opened.close());
      browsers.push(opened.browser);
    }
    const stage = { browsers, page: suite.page, keep, places };
    await check("a call survives a cable that is pulled out before another is put in", () => travel(stage, 1, 2, false));
    await check("a call survives a cable that is put in before the other is pulled out", () => travel(stage, 2, 3, true));
  } finally {
    const ended = await Promise.allSettled(ends.map((end) => end()));
    places.close();
    for (const end of ended) if (end.status === "rejected") throw end.reason;
  }
}

/**
 * @param {object} stage
 * @param {import("puppeteer-core").Browser[]} stage.browsers who is away, and who is at home
 * @param {string} stage.page
 * @param {import("../run.mjs").Stage["keep"]} stage.keep
 * @param {NonNullable<Awaited<ReturnType<typeof openPlaces>>>} stage.places
 * @param {number} from which cable
 * @param {number} to
 * @param {boolean} both whether there are both for a while
 */
async function travel({ browsers, page, keep, places }, from, to, both) {
  const [away, home] = [keep(await open(browsers[0])), keep(await open(browsers[1]))];
  await enter(away, home, page);
  await away.says(/^Connected to Sora directly/);
  // What comes steadily is missed sooner.
  await eventually("frames", () => away.stats(), ({ frames }) => frames > 60);
  if (both) await places.plug(to);
  await places.unplug(from);
  const since = Date.now();
  await seconds(1);
  if (!both) await places.plug(to);
  for (const person of [away, home]) {
    const { frames } = await person.stats();
    const left = BACK_WITHIN - (Date.now() - since);
    await eventually("frames", () => person.stats(), (now) => now.frames > frames + 5 || (now.frames > 0 && now.frames < frames), left);
  }
  const took = Date.now() - since;
  await away.says(/^Connected to Sora directly/);
  for (const person of [away, home]) {
    // The browser itself reports the attempts while there was no network.
    const others = person.errors.splice(0).filter((error) => !/\/socket\.io\/|net::ERR_/.test(error));
    assert.deepEqual(others, []);
    await person.close();
  }
  return `after ${(took / 1000).toFixed(1)} s`;
}

/**
 * @param {Person} person
 * @param {boolean} is
 */
async function offline({ page }, is) {
  await page.setOfflineMode(is);
}
