/** The inspector: a call of the page with itself, and what it shows of it. */

import assert from "node:assert/strict";

import { looks, saidTwice } from "../lib/accessible.mjs";
import { later, open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";

/**
 * @param {object} stage
 * @param {import("puppeteer-core").Browser} stage.browser
 * @param {import("../lib/suite.mjs").Suite} stage.suite
 * @param {string} stage.engine
 * @param {import("../run.mjs").Stage["keep"]} stage.keep
 * @param {string} [stage.folder] where pictures go
 */
export async function inspector({ browser, suite, engine, keep, folder }) {
  const person = keep(await open(browser));
  const { page } = person;
  const texts = (/** @type {string} */ selector) => page.$$eval(selector, (found) => found.map((element) => element.textContent ?? ""));
  const connected = () => eventually("the call", () => person.text("#said"), (said) => said === "Connected.");
  const selected = () => eventually("a selected pair", () => texts("#pairs .selected"), (pairs) => pairs.length === 1);

  await check(`the inspector calls itself and shows candidates, pairs and the one that carries (${engine})`, async () => {
    await person.visit(new URL("/inspect", suite.page).href);
    await page.click("#start");
    await connected();
    await selected();
    for (const side of ["a", "b"]) {
      const candidates = await texts(`#candidates-${side} > li`);
      assert.ok(candidates.some((text) => /^host.*Foundation.*2²⁴ × 126/.test(text)), candidates.join("; "));
    }
    assert.equal(await page.$$eval("#lines .selected", (lines) => lines.length), 1);
    const pairs = await texts("#pairs > li");
    assert.equal(await page.$$eval("#lines line", (lines) => lines.length), pairs.length);
    assert.match(await person.text("#why"), /^The selected pair/);
    return `${pairs.length} pairs`;
  });
  await check(`it sets offer beside answer, each field with what it means (${engine})`, async () => {
    const fields = await texts("#fields > .field");
    const field = (/** @type {string} */ name) => fields.find((text) => text.startsWith(name)) ?? assert.fail(name);
    assert.match(field("Media kind"), /audiovideoapplication.*audiovideoapplication/);
    assert.match(field("Codecs"), /opus 48 kHz.*VP8 90 kHz/);
    assert.match(field("Protocol"), /Secure RTP.*UDP\/TLS\/RTP\/SAVPF/);
    assert.match(field("Active time"), /0 0/);
    assert.match(await person.text("#raw-offer"), /^v=0\r?\n/);
  });
  await check(`with relay only all of its pairs are relayed, and a restart is told in the timeline (${engine})`, async () => {
    await page.click("#relay-only");
    await page.click("#start");
    await connected();
    await selected();
    const pairs = await texts("#pairs .between");
    assert.ok(pairs.length > 0 && pairs.every((text) => /^relay .* → (relay|prflx) /.test(text)), pairs.join("; "));
    await page.click("#restart");
    const told = await eventually("the restart", () => texts("#timeline > li"), (steps) => {
      const at = steps.findIndex((step) => /new round of ICE/.test(step));
      return at > 0 && steps.slice(at).some((step) => /has found a candidate: relay/.test(step));
    });
    assert.match(told.join("\n"), /has selected the pair relay – (relay|prflx)/);
  });
  await check(`pressing its buttons twice is pressing them once (${engine})`, async () => {
    const made = () => page.evaluate(() => /** @type {any} */ (window).connections.length);
    const before = await made();
    const twice = (/** @type {string} */ id) => page.evaluate((id) => {
      for (let n = 0; n < 2; n += 1) document.getElementById(id)?.click();
    }, id);
    await twice("start");
    await connected();
    assert.equal((await made()) - before, 2, "two ends of one call");
    await twice("restart");
    await eventually("the restart", () => texts("#timeline > li"), (steps) => steps.filter((step) => /new round of ICE/.test(step)).length === 1);
    await eventually("its end", () => page.$eval("#restart", (button) => button.ariaDisabled), (busy) => busy === "false");
    assert.equal(await person.text("#said"), "Connected.");
    assert.deepEqual(person.errors, []);
  });
  await check(`what the browser refuses is told, nothing of it stays open, and the next call works (${engine})`, async () => {
    await page.evaluate(() => {
      const { prototype } = window.RTCPeerConnection;
      prototype.createDataChannel = () => {
        Reflect.deleteProperty(prototype, "createDataChannel");
        throw new Error("no channel today");
      };
    });
    await page.click("#start");
    await eventually("a word", () => person.text("#said"), (said) => said === "The browser does not go along: no channel today");
    const open = () => page.evaluate(() => /** @type {any} */ (window).connections.filter((/** @type {RTCPeerConnection} */ pc) => pc.signalingState !== "closed").length);
    assert.equal(await open(), 0);
    await page.click("#start");
    await connected();
    assert.equal(await open(), 2);
  });
  await check(`a page that stays open calls with fresh credentials (${engine})`, async () => {
    const users = () => page.evaluate(() => {
      const { iceServers } = /** @type {any} */ (window).connections.at(-1).getConfiguration();
      return iceServers.map((/** @type {RTCIceServer} */ { username }) => username).filter(Boolean).join();
    });
    const old = await users();
    await later(page);
    await page.click("#start");
    await eventually("other credentials", users, (now) => now !== "" && now !== old);
    await connected();
  });
  await page.click("#relay-only");
  await page.click("#start");
  await connected();
  await selected();
  await check(`nothing is said twice while the call goes on (${engine})`, async () => {
    const checks = async () => (await texts("#pairs .figures")).join();
    const before = await checks();
    assert.deepEqual(await saidTwice(page, () => eventually("another check", checks, (now) => now !== before)), []);
  });
  await looks(page, { name: "inspect", engine, folder, below: "#seen" });
  await person.close();
}
