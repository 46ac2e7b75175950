/** Text between the two of a call, over the connection that carries it and the next one. */

import assert from "node:assert/strict";

import { graveFindings } from "../lib/accessible.mjs";
import { meet } from "../lib/pair.mjs";
import { check, eventually } from "../lib/report.mjs";

const MARKUP = `<img src=x onerror="document.title='run'"> & <b>渡り</b>`;

/** @param {import("../lib/pair.mjs").Pair} pair */
export async function chat(pair) {
  const { aoi, sora } = await meet(pair);
  await check(`a text arrives as it was typed, and is marked as unread until it is read (${pair.engines})`, async () => {
    await aoi.page.focus("#toggle-chat");
    await aoi.page.keyboard.press("Enter");
    assert.equal(await focused(aoi), "chat-text");
    await say(aoi, MARKUP);
    await eventually("the mark", () => sora.text("#chat-unread"), (mark) => mark === "1");
    assert.equal(await label(sora, "#toggle-chat"), "Chat, 1 unread");
    assert.equal(await sora.text("#chat-news"), `Aoi writes: ${MARKUP}`);
    await sora.page.click("#toggle-chat");
    assert.deepEqual(await lines(sora), [`Aoi${MARKUP}`]);
    assert.equal(await sora.page.$eval("#chat-unread", (mark) => /** @type {HTMLElement} */ (mark).hidden), true);
    assert.equal(await sora.page.$$eval("#chat img, #chat b", ({ length }) => length), 0);
    assert.deepEqual(await graveFindings(sora.page), []);
  });
  await check(`the chat opens, closes and sends with the keyboard alone (${pair.engines})`, async () => {
    await say(sora, "back");
    await eventually("the answer", () => lines(aoi), (now) => now.at(-1) === "Soraback");
    await aoi.page.keyboard.press("Escape");
    assert.equal(await focused(aoi), "toggle-chat");
    assert.equal(await aoi.page.$eval("#chat", (panel) => /** @type {HTMLElement} */ (panel).hidden), true);
    await aoi.page.keyboard.press("Enter");
    assert.equal(await focused(aoi), "chat-text");
  });
  await check(`no more can be typed than is sent (${pair.engines})`, async () => {
    await aoi.page.$eval("input#chat-text", (field) => (field.value = "長".repeat(field.maxLength)));
    await say(aoi, "!");
    await eventually("the long text", () => lines(sora), (now) => now.at(-1) === `Aoi${"長".repeat(2000)}`);
    const wide = await sora.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `${wide} pixels too wide`);
  });
  await check(`the chat goes on over an ICE restart (${pair.engines})`, async () => {
    const before = await ufrag(sora);
    await aoi.page.evaluate(() => /** @type {any} */ (window).connections.at(-1).restartIce());
    await eventually("the restart", () => ufrag(sora), (now) => now !== before);
    await say(aoi, "after the restart");
    await eventually("the text", () => lines(sora), (now) => now.at(-1) === "Aoiafter the restart");
  });
  await check(`what is said while the connection is replaced arrives once, over the new one (${pair.engines})`, async () => {
    await aoi.page.focus("#chat-text");
    await sora.page.click("#relay-only");
    await say(aoi, "on the way");
    await sora.says(/through a relay/);
    await eventually("the text", () => lines(sora), (now) => now.at(-1) === "Aoion the way");
    await eventually("the receipt", () => aoi.page.$$eval("#chat-log .remark", ({ length }) => length), (n) => n === 0);
    assert.equal((await lines(sora)).filter((line) => line === "Aoion the way").length, 1);
  });
  await check(`nothing that was said is left for who uses the page next (${pair.engines})`, async () => {
    await aoi.page.click("#hang-up");
    await aoi.says(/^You hung up/);
    assert.deepEqual(await lines(aoi), []);
    await sora.says(/^Aoi has left/);
    assert.equal(await sora.page.$eval("button#chat-send", (button) => button.disabled), true);
  });
  await aoi.close();
  await sora.close();
}

/**
 * Types into what has the focus.
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} text
 */
async function say(person, text) {
  await person.page.keyboard.type(text);
  await person.page.keyboard.press("Enter");
}

/** @param {import("../lib/browser.mjs").Person} person */
function lines(person) {
  return person.page.$$eval("#chat-log .line", (all) => all.map(({ textContent }) => textContent ?? ""));
}

/** @param {import("../lib/browser.mjs").Person} person */
export function focused(person) {
  return person.page.evaluate(() => document.activeElement?.id);
}

/**
 * @param {import("../lib/browser.mjs").Person} person
 * @param {string} selector
 */
export function label(person, selector) {
  return person.page.$eval(selector, (element) => element.getAttribute("aria-label"));
}

/** Names the search for a path that is under way. @param {import("../lib/browser.mjs").Person} person */
export function ufrag(person) {
  return person.page.evaluate(() => {
    const { currentRemoteDescription } = /** @type {any} */ (window).connections.at(-1);
    return /a=ice-ufrag:(\S+)/.exec(currentRemoteDescription?.sdp ?? "")?.[1];
  });
}
