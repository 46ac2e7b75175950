/** The checker's verdicts on servers that are as they should be, and on some that are not. */

import assert from "node:assert/strict";

import { looks, saidTwice } from "../lib/accessible.mjs";
import { later, open } from "../lib/browser.mjs";
import { denyingServer } from "../lib/denying.mjs";
import { openOddGate } from "../lib/odd-gate.mjs";
import { check, eventually } from "../lib/report.mjs";
import { freePort, up } from "../lib/suite.mjs";

const PASSWORD = "a-good-password";
const USERS = [`turn.users={ alice = "${PASSWORD}" }`];
/** A closed UDP port is asked for fifteen seconds, and a relay call that fails takes about as long. */
const RUN_WITHIN = 60_000;
/** How long slow devices take to come (ms). */
const SLOW = 400;

/**
 * @param {object} stage
 * @param {import("puppeteer-core").Browser} stage.browser
 * @param {string} stage.watari
 * @param {string} stage.engine
 * @param {import("../run.mjs").Stage["keep"]} stage.keep
 * @param {string} [stage.folder] where pictures go
 */
export async function checker({ browser, watari, engine, keep, folder }) {
  const suite = await up(watari, USERS);
  const denying = await denyingServer("alice", PASSWORD);
  const person = keep(await open(browser));
  const closed = await freePort();
  const good = `turn:127.0.0.1:${suite.turnPort}?transport=`;
  try {
    await check(`the checker finds our own servers good, over UDP and TCP, and carries data (${engine})`, async () => {
      await person.visit(new URL("/check", suite.page).href);
      const rows = await runs(person);
      for (const transport of ["udp", "tcp"]) {
        const row = rows.find(({ url }) => url === `${good}${transport}`);
        assert.equal(row?.verdict, "good", JSON.stringify(rows));
        assert.match(row.text, /answered after \d+ ms/);
        assert.match(row.text, /Mbit\/s/);
        assert.match(row.text, /IPv4/);
      }
      assert.ok(rows.every(({ verdict }) => verdict !== "bad"), JSON.stringify(rows));
      return (await person.text("#rows")).match(/[\d.]+ Mbit\/s/g)?.join(", ");
    });
    await check(`its report has no secret, and addresses on request only (${engine})`, () => reported(person));
    await check(`on a page that stays open our own servers are asked with fresh credentials (${engine})`, () => stayedOpen(person));
    await check(`a wrong password and a closed port are each told so (${engine})`, async () => {
      const shut = `turn:127.0.0.1:${closed}?transport=`;
      const rows = await runs(person, [
        `${good}udp alice a-bad-password`,
        `${shut}udp alice x`,
        `${shut}tcp alice x`,
      ]);
      const means = Object.fromEntries(rows.map(({ url, verdict, text }) => [url, `${verdict} ${text}`]));
      assert.match(means[`${good}udp`], /^bad .*\(401\).*Compare user and password/);
      assert.match(means[`${shut}udp`], /^bad .*did not answer.*UDP is blocked/);
      assert.match(means[`${shut}tcp`], /^bad .*did not answer.*listens over TCP/);
    });
    await check(`what browsers do not ask, or ask otherwise than the address says, is told so (${engine})`, async () => {
      const forbidden = await notAsked(person, suite.turnPort, closed);
      if (engine === "Firefox") assert.match(forbidden, /^bad .*could not ask.*port that is blocked/);
    });
    if (!denying) process.stdout.write("skipped: a server that denies the peer, coturn is missing\n");
    else await check(`a server that lends an address and denies the peer is told so (${engine})`, async () => {
      const url = `turn:127.0.0.1:${denying.port}?transport=udp`;
      const [row] = await runs(person, [`[{ urls: '${url}', username: 'alice', credential: '${PASSWORD}' }]`]);
      assert.match(`${row.verdict} ${row.text}`, /^bad .*lets nothing through.*403 Forbidden/);
      // Firefox says by itself that this connection failed, as it is meant to.
      person.errors.splice(0, Infinity, ...person.errors.filter((error) => !/ICE failed/.test(error)));
    });
    await check(`a user whose other allocations leave no room for a call is told so (${engine})`, () => crowded(person, watari));
    await check(`a server whose relay ports are used up is told so, as far as the browser tells (${engine})`, () => usedUp(person, watari, engine));
    await check(`two servers behind one address that refuse each other's nonces are told of (${engine})`, () => twofold(person, watari));
    await check(`a router that gives away ports which are in use is told of (${engine})`, () => narrow(person, watari));
    await check(`what is no server is refused with a word (${engine})`, async () => {
      await paste(person, "https://turn.example.org");
      assert.match(await person.text("#wrong"), /no address of a STUN or TURN server: https:/);
    });
    await check(`camera and microphone are looked at on request (${engine})`, async () => {
      await person.page.click("#look");
      const seen = () => person.page.$$eval("#devices li", (items) => items.map((item) => /** @type {HTMLElement} */ (item).dataset.verdict));
      await eventually("both devices", seen, (verdicts) => verdicts.join() === "good,good");
      // On a machine without a sound card Firefox's AudioContext stands still.
      if (engine === "Chromium") await eventually("a level", () => person.page.$eval("meter#level", (meter) => meter.value), (level) => level > 0);
      await person.page.click("#release");
    });
    await check(`a run tells nobody twice what is on the page already, and leaves the focus where it is (${engine})`, () => quiet(person));
    await check(`a camera that comes late, after it was switched off or asked for again, does not stay on (${engine})`, () => late(person));
    await person.visit(new URL("/check", suite.page).href);
    await paste(person, `${good}udp alice a-bad-password`);
    await person.page.$eval("details", (details) => (details.open = false));
    await runs(person);
    await looks(person.page, { name: "check", engine, folder, below: "#results" });
  } finally {
    await person.close();
    await suite.down();
    await denying?.close();
  }
}

/**
 * Runs the check, over the pasted servers if there are any and else over those of the page.
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string[]} [texts]
 */
async function runs(person, texts = []) {
  const { page } = person;
  if (texts.length > 0) {
    await page.$eval("details", (details) => (details.open = true));
    await page.click("#clear");
    for (const text of texts) await paste(person, text);
  }
  await page.click("#start");
  await over(person);
  return page.$$eval("#rows > li", (items) =>
    items.map((item) => {
      const { url, verdict } = /** @type {HTMLElement} */ (item).dataset;
      return { url, verdict, text: item.textContent ?? "" };
    }),
  );
}

/** @param {import("../lib/browser.mjs").Person} person */
function over(person) {
  return eventually("the run's end", () => person.text("#said"), (said) => /^Done/.test(said), RUN_WITHIN);
}

/**
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} text
 */
async function paste({ page }, text) {
  await page.$eval("details", (details) => (details.open = true));
  await page.$eval("textarea#pasted", (box, text) => (box.value = text), text);
  await page.click("#paste button");
}

/** @param {import("../lib/browser.mjs").Person} person */
async function stayedOpen(person) {
  const { page } = person;
  const users = () => page.$$eval("#targets .user", (found) => found.map((user) => user.textContent).join());
  const [old, urls] = [await users(), await page.$$eval("#targets .url", (found) => found.length)];
  await later(page);
  await page.click("#targets li:last-child .remove");
  const rows = await runs(person);
  assert.equal(rows.length, urls - 1, "and what was taken out stays out");
  assert.ok(rows.every(({ verdict }) => verdict !== "bad"), JSON.stringify(rows));
  const now = await users();
  assert.ok(now && now.split(",").every((user) => !old.includes(user)), `${old} ${now}`);
}

/**
 * @param {import("../lib/browser.mjs").Person} person
 * @param {number} port that answers
 * @param {number} closed one that does not
 * @returns {Promise<string>} what is said of a port that some browsers keep away from
 */
async function notAsked(person, port, closed) {
  const rows = await runs(person, [
    `stuns:127.0.0.1:${port}`,
    `stun:127.0.0.1:${port}?transport=udp`,
    `turn:127.0.0.1:${port}?transport=udp`,
    `stun:127.0.0.1:${closed}`,
    "turn:127.0.0.1:25?transport=tcp alice x",
  ]);
  const [stuns, query, bare, silent, forbidden] = rows.map(({ verdict, text }) => `${verdict} ${text}`);
  assert.match(stuns, /^bad .*do not encrypt.*Use stun:/);
  assert.match(query, /^bad .*no transport in the address/);
  assert.match(bare, /^bad .*without a user and a password/);
  assert.match(silent, /^bad .*did not answer.*no STUN server answers/);
  return forbidden;
}

/** @param {import("../lib/browser.mjs").Person} person */
async function quiet(person) {
  const { page } = person;
  await page.$eval("#targets .remove", (button) => /** @type {HTMLElement} */ (button).focus());
  const twice = await saidTwice(page, async () => {
    await page.$eval("#start", (button) => /** @type {HTMLElement} */ (button).click());
    await over(person);
  });
  assert.deepEqual(twice, []);
  assert.equal(await page.evaluate(() => document.activeElement?.className), "remove");
}

/**
 * Checks a server that lends each user one address, so that the other end of the call gets none.
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} watari
 */
async function crowded(person, watari) {
  const suite = await up(watari, [...USERS, "turn.limits.allocations_per_user=1"]);
  try {
    const [row] = await runs(person, [`turn:127.0.0.1:${suite.turnPort}?transport=udp alice ${PASSWORD}`]);
    assert.match(`${row.verdict} ${row.text}`, /^bad .*\(486\).*raise its quota/);
    assert.match(row.text, /answered after/, "this end had got its own");
    person.errors.splice(0, Infinity, ...person.errors.filter((error) => !/ICE failed/.test(error)));
  } finally {
    await suite.down();
  }
}

/**
 * Checks a server that has one relay port, so that the other end of the call gets none.
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} watari
 * @param {string} engine
 */
async function usedUp(person, watari, engine) {
  const port = await freePort();
  const suite = await up(watari, [...USERS, `turn.relay.min_port=${port}`, `turn.relay.max_port=${port}`]);
  try {
    const row = await refusedBy(person, suite.turnPort);
    assert.match(row, engine === "Firefox" ? /^bad .*no relay address left .*does not tell which/ : /^bad .*\(508\).*more relay ports/);
  } finally {
    await suite.down();
  }
}

/**
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} watari
 */
async function twofold(person, watari) {
  const suites = [await up(watari, USERS), await up(watari, USERS)];
  const gate = await openOddGate(suites.map(({ turnPort }) => turnPort));
  try {
    assert.match(await refusedBy(person, gate.port), /^bad .*\(438\).*reach the same one each time/);
  } finally {
    gate.close();
    for (const suite of suites) await suite.down();
  }
}

/**
 * The near end of the call has an allocation, and the far one comes from the same port.
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} watari
 */
async function narrow(person, watari) {
  const suite = await up(watari, USERS);
  const gate = await openOddGate([suite.turnPort], true);
  try {
    assert.match(await refusedBy(person, gate.port), /^bad .*\(437\).*reuses ports too soon/);
  } finally {
    gate.close();
    await suite.down();
  }
}

/**
 * @param {import("../lib/browser.mjs").Person} person
 * @param {number} port
 */
async function refusedBy(person, port) {
  const [{ verdict, text }] = await runs(person, [`turn:127.0.0.1:${port}?transport=udp alice ${PASSWORD}`]);
  // Firefox says by itself that such a connection failed.
  person.errors.splice(0, Infinity, ...person.errors.filter((error) => !/ICE failed/.test(error)));
  return `${verdict} ${text}`;
}

/**
 * Asks twice for devices that are slow, and switches them off before they come.
 * @param {import("../lib/browser.mjs").Person} person
 */
async function late({ page }) {
  await page.evaluate(slowDevices, SLOW);
  const on = () => page.evaluate(() => /** @type {any} */ (window).opened.filter((/** @type {MediaStreamTrack} */ track) => track.readyState === "live").length);
  const twice = () => page.evaluate(() => {
    for (let n = 0; n < 2; n += 1) document.getElementById("look")?.click();
  });
  await twice();
  await eventually("both devices", on, (live) => live === 2);
  await new Promise((resolve) => setTimeout(resolve, SLOW));
  assert.equal(await on(), 2, "no more than are shown");
  await twice();
  await page.click("#release");
  await new Promise((resolve) => setTimeout(resolve, 3 * SLOW));
  assert.equal(await on(), 0);
}

/**
 * Runs in the page: what devices are opened from now on is remembered, and comes late.
 * @param {number} slow ms
 */
function slowDevices(slow) {
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  /** @type {MediaStreamTrack[]} */
  const opened = [];
  navigator.mediaDevices.getUserMedia = async (constraints) => {
    const stream = await open(constraints);
    await new Promise((resolve) => setTimeout(resolve, slow));
    opened.push(...stream.getTracks());
    return stream;
  };
  Object.assign(window, { opened });
}

/** @param {import("../lib/browser.mjs").Person} person */
async function reported({ page }) {
  const secrets = await page.$$eval("#targets .user", (users) => users.map((user) => user.textContent ?? ""));
  assert.ok(secrets.length > 0);
  const read = async () => {
    await page.click("#copy");
    return page.$eval("textarea#report-text", (box) => box.value);
  };
  const bare = await read();
  assert.ok(JSON.parse(bare).servers.length >= 3);
  assert.ok(JSON.parse(bare).servers.every((/** @type {any} */ server) => !server.candidates));
  await page.click("#with-addresses");
  const full = await read();
  assert.ok(JSON.parse(full).servers.some((/** @type {any} */ server) => server.candidates.length > 0));
  for (const secret of secrets) assert.ok(!full.includes(secret));
  assert.ok(!/credential|password"/.test(full));
}
