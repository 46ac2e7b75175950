/** The page over HTTPS with a certificate of the machine's own, also on the port on which TURN is spoken over TLS. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { once } from "node:events";

import { trust } from "../lib/authority.mjs";
import { launch, open } from "../lib/browser.mjs";
import { check, eventually } from "../lib/report.mjs";
import { up } from "../lib/suite.mjs";

/**
 * @param {object} stage
 * @param {string} stage.watari
 * @param {string} stage.chromium
 * @param {import("../run.mjs").Stage["keep"]} stage.keep
 */
export async function https({ watari, chromium, keep }) {
  const shared = await freePort();
  const suite = await up(watari, [
    "tls.local_authority=true",
    'web.listen_https=["127.0.0.1:0"]',
    `turn.listen_tls=["127.0.0.1:${shared}"]`,
    // What is left is TLS on the port of the page.
    `signaling.ice.urls=["turns:localhost:${shared}?transport=tcp"]`,
  ]);
  const trusting = await launch(chromium, "fake", undefined, {
    trustedIn: (database) => trust(database, suite.announced.authority),
  });
  const wary = await launch(chromium);
  try {
    const pages = suite.announced.page.filter((/** @type {string} */ page) => page.startsWith("https://localhost:"));
    const own = pages.find((/** @type {string} */ page) => new URL(page).port !== String(shared));
    const onTurn = `https://localhost:${shared}/`;

    await check("a browser that does not trust the authority does not open the page", async () => {
      const person = await open(wary.browser);
      await assert.rejects(person.visit(own), /ERR_CERT_AUTHORITY_INVALID/);
      await person.close();
    });
    await check("one that trusts it opens the page over HTTPS, by name and by address", async () => {
      const person = keep(await open(trusting.browser));
      for (const page of [own, own.replace("localhost", "127.0.0.1")]) {
        await person.visit(page);
        assert.equal(await person.page.evaluate(() => isSecureContext), true);
      }
      person.home = null;
      await person.close();
    });
    await check("the port of TURN over TLS serves the page too, and sends on who comes without TLS", async () => {
      assert.ok(pages.includes(onTurn), `${onTurn} is not announced: ${pages}`);
      const person = keep(await open(trusting.browser));
      await person.visit(onTurn);
      const answer = await fetch(`http://localhost:${shared}/?room=a`, { redirect: "manual" });
      assert.equal(answer.status, 307);
      assert.equal(answer.headers.get("location"), own.replace(/\/$/, "/?room=a"));
      await person.close();
    });
    const [aoi, sora] = [keep(await open(trusting.browser)), keep(await open(trusting.browser))];
    await check("two pages from that port call each other through TURN over TLS on the same port", async () => {
      await aoi.visit(onTurn);
      await aoi.enter({ name: "Aoi", relayOnly: true });
      await aoi.says(/^Waiting/);
      await sora.visit(aoi.page.url());
      await sora.enter({ name: "Sora", relayOnly: true });
      await aoi.says(/^Connected to Sora through a relay \(relay – relay, UDP\)/);
      for (const person of [aoi, sora]) {
        const now = await eventually("frames", () => person.stats(), ({ frames }) => frames > 10);
        assert.deepEqual([now.local, now.protocol], ["relay", "tls"]);
      }
      return `${await suite.metric("turn_relay_bytes_total")} bytes relayed`;
    });
    await aoi.close();
    await sora.close();
  } finally {
    await trusting.close();
    await wary.close();
    await suite.down();
  }
}

/** A TCP port of the loopback address that nobody uses at the moment. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
