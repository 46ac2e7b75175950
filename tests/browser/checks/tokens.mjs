/** Rooms that need a token, which the page finds in its link. */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";

import { open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";
import { up } from "../lib/suite.mjs";

const SECRET = "a secret of the browser tests, long enough";

/** @param {import("../run.mjs").Stage & { watari: string }} stage */
export async function tokens({ watari, browser, keep }) {
  const suite = await up(watari, [
    `signaling.room_tokens.keys=[{ algorithm = "HS256", secret = "${SECRET}" }]`,
    "signaling.room_tokens.required=true",
  ]);
  const aoi = keep(await open(browser));
  try {
    await check("without a link of one's own the room stays shut, and the page says why", async () => {
      await aoi.visit(`${suite.page}?room=north`);
      await refused(aoi, /^Rooms on this server open to personal links only/);
      await aoi.visit(`${suite.page}?room=north#token=${token("south")}`);
      await refused(aoi, /^This link does not open this room/);
    });
    await check("the link's token opens it, is gone from the address and is asked of no server", async () => {
      const given = token("north");
      /** @type {string[]} */
      const asked = [];
      // The fragment, which the browser's own protocol tells, is not sent.
      aoi.page.on("request", (request) => asked.push(request.url().split("#")[0]));
      await aoi.page.goto("about:blank");
      await aoi.visit(`${suite.page}?room=north#token=${given}`);
      assert.equal(aoi.page.url(), `${suite.page}?room=north`);
      await aoi.enter({ name: "Aoi", camera: false, microphone: false });
      await aoi.says(/^Waiting/);
      const text = await aoi.page.evaluate(() => document.body.innerHTML);
      assert.ok(!text.includes(given) && !asked.some((url) => url.includes(given)));
      await aoi.page.click("#hang-up");
    });
    await check("a new link into the open page counts from then on", async () => {
      const before = token("east");
      await aoi.page.evaluate((hash) => void (location.hash = hash), `token=${before}`);
      await eventually("the address", async () => aoi.page.url(), (url) => !url.includes("token"));
      await refused(aoi, /^This link does not open this room/);
    });
    await check("the checker and the inspector take it out of the address as well, and have servers by it", async () => {
      for (const path of ["/check", "/inspect"]) {
        await aoi.visit(new URL(`${path}?room=north`, suite.page).href);
        assert.match(await aoi.text("#own"), new RegExp(`^Rooms on this server.*\\(${path}\\?room=`));
        await aoi.page.evaluate((hash) => void (location.hash = hash), `token=${token("north")}`);
        await eventually("servers", () => aoi.text("#own"), (text) => text === "");
        await aoi.page.goto("about:blank");
        await aoi.visit(new URL(`${path}?room=north#token=${token("north")}`, suite.page).href);
        assert.equal(aoi.page.url(), new URL(`${path}?room=north`, suite.page).href);
        assert.equal(await aoi.text("#own"), "");
      }
    });
  } finally {
    await aoi.close();
    await suite.down();
  }
}

/**
 * @param {import("../lib/browser.mjs").Person} person
 * @param {RegExp} why
 */
async function refused(person, why) {
  await person.enter({ name: "Aoi", camera: false, microphone: false });
  await person.says(/^Could not enter/);
  assert.match(await person.text("#notice"), why);
}

/** A room token, good for an hour. @param {string} room */
function token(room) {
  const part = (/** @type {object} */ value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ room, exp })}`;
  return `${text}.${createHmac("sha256", SECRET).update(text).digest("base64url")}`;
}
