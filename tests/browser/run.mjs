/** Runs every browser check: run.mjs WATARI CHROMIUM FIREFOX [PICTURES]; see the `run` script beside it. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { chat } from "./checks/chat.mjs";
import { cluster } from "./checks/cluster.mjs";
import { checker } from "./checks/checker.mjs";
import { devices } from "./checks/devices.mjs";
import { foreign } from "./checks/foreign.mjs";
import { https } from "./checks/https.mjs";
import { inspector } from "./checks/inspector.mjs";
import { keys } from "./checks/keys.mjs";
import { mesh, mixed } from "./checks/mesh.mjs";
import { negotiation } from "./checks/negotiation.mjs";
import { moved, told } from "./checks/network.mjs";
import { page, pictures } from "./checks/page.mjs";
import { broken, switched } from "./checks/paths.mjs";
import { ports } from "./checks/ports.mjs";
import { quality } from "./checks/quality.mjs";
import { relayed } from "./checks/relayed.mjs";
import { relays } from "./checks/relays.mjs";
import { renewed } from "./checks/renewed.mjs";
import { resumed } from "./checks/resumed.mjs";
import { canvases, tabs } from "./checks/screens.mjs";
import { tokens } from "./checks/tokens.mjs";
import { transports } from "./checks/transports.mjs";
import { INSECURE_HOST, launch } from "./lib/browser.mjs";
import { launchFirefox } from "./lib/firefox.mjs";
import { check } from "./lib/report.mjs";
import { up } from "./lib/suite.mjs";
import { openGate } from "./lib/udp-gate.mjs";

/**
 * @typedef {object} Stage
 * @property {import("puppeteer-core").Browser} browser
 * @property {string} chromium
 * @property {import("./lib/suite.mjs").Suite} suite
 * @property {(person: import("./lib/browser.mjs").Person) => import("./lib/browser.mjs").Person} keep remembers
 *   a page, to look at its errors in the end
 */

const [watari, chromium, firefox, folder] = process.argv.slice(2);
const leftovers = join(folder, "failed");
/** @type {import("./lib/browser.mjs").Person[]} */
const people = [];
/** @type {(() => Promise<void> | void)[]} */
const endings = [];

/** @type {Stage["keep"]} */
const keep = (person) => {
  people.push(person);
  return person;
};

try {
  await mkdir(folder, { recursive: true });
  const { browser, close } = await launch(chromium);
  endings.push(close);
  // The insecure host's name leads to loopback, where a name has to be listed.
  const suite = await up(watari, [`signaling.allowed_origins=["http://${INSECURE_HOST}"]`]);
  endings.push(() => suite.down());
  const stage = { browser, chromium, suite, keep };

  await ports({ watari });
  await page(stage);
  await negotiation(stage);
  await relayed(stage);
  await switched(stage);
  await resumed(stage);
  await told({ browser, engine: "Chromium", suite, keep });
  await moved({ ...stage, watari });
  await foreign({ ...stage, watari });
  await tokens({ ...stage, watari });
  await cluster({ ...stage, watari });
  await renewed({ ...stage, watari });
  await devices(stage);
  await chat({ browsers: [browser, browser], engines: "Chromium", suite, keep });
  await tabs({ chromium, other: browser, engines: "Chromium", suite, keep });
  await keys({ browsers: [browser, browser], engines: "Chromium", suite, keep });
  await quality({ browsers: [browser, browser], engines: "Chromium", suite, keep, folder });
  await relays({ browsers: [browser, browser], engines: "Chromium", suite, keep });
  await inspector({ browser, suite, engine: "Chromium", keep, folder });
  await checker({ browser, watari, engine: "Chromium", keep, folder });
  await mesh({ ...stage, watari, folder });
  await pictures({ ...stage, folder });

  const gate = await openGate();
  endings.push(() => gate.close());
  const settings = [`signaling.ice.urls=["turn:127.0.0.1:${gate.port}?transport=udp"]`];
  let gated = await up(watari, settings);
  endings.push(() => gated.down());
  gate.lead(gated.turnPort);
  /** @param {() => Promise<void>} body what to look at while it is away */
  const restart = async (body) => {
    await gated.down();
    await body();
    gated = await up(watari, settings, Number(new URL(gated.page).port));
    gate.lead(gated.turnPort);
  };
  await broken({ ...stage, suite: gated, gate, restart });

  if (firefox) await https({ watari, chromium, keep });
  if (firefox) await inFirefox(suite, browser);
  if (firefox) await transports({ watari, chromium, firefox, keep });

  await check("no page asked another host for anything, and none had an error", async () => {
    for (const { origins, errors, home } of people) {
      if (errors.length > 0) throw new Error(errors.join("\n"));
      if (home && [...origins].some((origin) => origin !== home)) throw new Error([...origins].join(" "));
    }
    return `${people.length} pages`;
  });
} catch (error) {
  process.exitCode = 1;
  process.stdout.write(`${error instanceof Error ? error.stack : error}\n`);
  await lookBack();
} finally {
  for (const end of endings.reverse()) {
    try {
      await end();
    } catch (error) {
      process.exitCode = 1;
      process.stdout.write(`not ok: ${error}\n`);
    }
  }
}

/**
 * @param {import("./lib/suite.mjs").Suite} suite
 * @param {import("puppeteer-core").Browser} other for the other side of a call
 */
async function inFirefox(suite, other) {
  const { browser, close } = await launchFirefox(firefox);
  try {
    await chat({ browsers: [browser, other], engines: "Firefox and Chromium", suite, keep });
    await tabs({ chromium, other: browser, engines: "Chromium to Firefox", suite, keep });
    await canvases({ firefox: browser, other, suite, keep });
    await keys({ browsers: [browser, other], engines: "Firefox and Chromium", suite, keep });
    await quality({ browsers: [browser, other], engines: "Firefox and Chromium", suite, keep });
    await relays({ browsers: [browser, other], engines: "Firefox and Chromium", suite, keep });
    await told({ browser, engine: "Firefox", suite, keep });
    await mixed({ browsers: [browser, other, browser], suite, keep });
    await inspector({ browser, suite, engine: "Firefox", keep });
    await checker({ browser, watari, engine: "Firefox", keep });
  } finally {
    await close();
  }
}

/** Says what the open pages showed when it went wrong. */
async function lookBack() {
  await mkdir(leftovers, { recursive: true });
  for (const [i, person] of people.entries()) {
    if (person.page.isClosed()) continue;
    const path = join(leftovers, `page-${i}.png`);
    await person.page.screenshot({ path, fullPage: true }).catch(() => {});
    // Not every page has a state line.
    const state = await person.state().catch(() => person.text("main")).catch(String);
    process.stdout.write(`  page ${i}: "${state}", errors: ${person.errors.join("; ") || "none"}, picture ${path}\n`);
  }
}
