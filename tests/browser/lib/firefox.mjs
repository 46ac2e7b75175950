/** Firefox with a fake camera, over WebDriver BiDi. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

const PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
};

/**
 * @param {string} executablePath
 * @param {import("./authority.mjs").Trusted} [authority] whose certificates it believes
 */
export async function launchFirefox(executablePath, authority) {
  const userDataDir = await mkdtemp(join(tmpdir(), "watari-firefox-"));
  await authority?.trustedIn(userDataDir);
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath,
    headless: true,
    userDataDir,
    protocolTimeout: 60_000,
    timeout: 60_000,
    extraPrefsFirefox: PREFERENCES,
  });
  return {
    browser,
    async close() {
      await browser.close();
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
