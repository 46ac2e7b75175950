/** A relay-only call of two people through what runs at PAGE: containers.mjs PAGE CHROMIUM [AUTHORITY] */

import { trust } from "./lib/authority.mjs";
import { launch, open } from "./lib/browser.mjs";
import { check, eventually } from "./lib/report.mjs";

const [page, chromium, authority] = process.argv.slice(2);
/** @type {import("./lib/authority.mjs").Trusted | undefined} */
const trusted = authority ? { trustedIn: (database) => trust(database, authority) } : undefined;
const { browser, close } = await launch(chromium, "fake", undefined, trusted);
try {
  const [aoi, sora] = [await open(browser), await open(browser)];
  await check(`two people call each other at ${page}, through its relay only`, async () => {
    await aoi.visit(page);
    await aoi.enter({ name: "Aoi", relayOnly: true });
    await aoi.says(/^Waiting/);
    await sora.visit(aoi.page.url());
    await sora.enter({ name: "Sora", relayOnly: true });
    await sora.says(/^Connected to Aoi through a relay/, 20_000);
    return aoi.says(/^Connected to Sora through a relay/);
  });
  await check("pictures keep coming", async () => {
    for (const person of [aoi, sora]) {
      const { frames } = await person.stats();
      await eventually("frames", () => person.stats(), (now) => now.frames > frames + 10);
    }
  });
} catch (error) {
  process.exitCode = 1;
  process.stdout.write(`${error instanceof Error ? error.stack : error}\n`);
} finally {
  await close();
}
