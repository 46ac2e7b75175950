/** The choice of what a relay is reached over, during a call. */

import assert from "node:assert/strict";

import { meet } from "../lib/pair.mjs";
import { check, eventually } from "../lib/report.mjs";

/** @param {import("../lib/pair.mjs").Pair} pair */
export async function relays(pair) {
  const { aoi, sora } = await meet(pair);
  await check(`a call moves to relays over the transport that is chosen (${pair.engines})`, async () => {
    assert.equal(await chosen(aoi), null);
    for (const person of [aoi, sora]) await person.set("#relay-only", true);
    for (const over of ["tcp", "udp"]) await choose([aoi, sora], over);
  });
  await check(`a transport that no relay is offered over is said (${pair.engines})`, async () => {
    assert.equal(await chosen(aoi), "udp");
    await aoi.page.select("#relay-over", "tls");
    await eventually("a word", () => aoi.text("#notice"), (text) => /no TURN relay that is reached over TLS/.test(text));
    await aoi.page.select("#relay-over", "any");
    await aoi.says(/^Connected to Sora through a relay \(relay – /);
    assert.equal(await aoi.text("#notice"), "");
    // Firefox says by itself that there was no path, as it is meant to be.
    for (const { errors } of [aoi, sora]) errors.splice(0, Infinity, ...errors.filter((error) => !/ICE failed/.test(error)));
  });
  await aoi.close();
  await sora.close();
}

/**
 * Has both choose what their relays are reached over, and waits until sound and picture go that way.
 * @param {import("../lib/browser.mjs").Person[]} people in a call through relays
 * @param {string} over udp, tcp or tls
 */
export async function choose(people, over) {
  for (const { page } of people) await page.select("#relay-over", over);
  for (const person of people) {
    const now = await eventually(over, () => person.stats(), ({ local, protocol }) => local === "relay" && protocol === over);
    await eventually("frames", () => person.stats(), ({ frames }) => frames > now.frames + 5);
  }
}

/**
 * What is chosen; null while there is nothing to choose.
 * @param {import("../lib/browser.mjs").Person} person
 */
function chosen(person) {
  return person.page.$eval("select#relay-over", (select) => (select.checkVisibility() ? select.value : null));
}
