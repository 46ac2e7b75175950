/** Chromium with a fake camera, and pages of any browser that remember what they asked for and what went wrong. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

/** A name that leads to 127.0.0.1 without being localhost: an origin that browsers do not trust over HTTP. */
export const INSECURE_HOST = "watari.test";

/**
 * @param {string} executablePath
 * @param {"fake" | "refused" | "none"} [camera] and microphone alike
 * @param {string} [film] a Y4M file that the camera shows instead of a test pattern
 * @param {import("./authority.mjs").Trusted} [authority] whose certificates it believes
 * @param {string} [shown] title of the tab that is chosen when a page wants to show a screen; who asks for a camera must
 *   have been permitted it
 * @param {{ pipe?: boolean, trusted?: string }} [more] `pipe` reaches a browser in another network, `trusted` is an
 *   origin that counts as secure over HTTP
 */
export async function launch(executablePath, camera = "fake", film, authority, shown, { pipe = false, trusted } = {}) {
  const userDataDir = await mkdtemp(join(tmpdir(), "watari-chromium-"));
  // The user's NSS database is where Chromium looks for authorities of one's own.
  if (authority) await authority.trustedIn(join(userDataDir, ".pki/nssdb"));
  const browser = await puppeteer.launch({
    executablePath,
    headless: true,
    pipe,
    userDataDir,
    protocolTimeout: 60_000,
    ...(authority ? { env: { ...process.env, HOME: userDataDir } } : {}),
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...(camera === "none" ? [] : ["--use-fake-device-for-media-stream"]),
      ...(film ? [`--use-file-for-fake-video-capture=${film}`] : []),
      // The fake choice would be a fake screen, which nobody ends.
      shown
        ? `--auto-select-tab-capture-source-by-title=${shown}`
        : `--use-fake-ui-for-media-stream${camera === "refused" ? "=deny" : ""}`,
      ...(trusted ? [`--unsafely-treat-insecure-origin-as-secure=${trusted}`] : []),
      "--allow-loopback-in-peer-connection",
      "--autoplay-policy=user-gesture-required",
      `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
    ],
  });
  return {
    browser,
    async close() {
      await browser.close();
      await rm(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/**
 * Opens a page in a context of its own, as another person's browser would.
 * @param {import("puppeteer-core").Browser} browser
 * @param {{ language?: string, width?: number, height?: number }} [options]
 */
export async function open(browser, { language = "en-US", width = 1440, height = 900 } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport({ width, height });
  await page.evaluateOnNewDocument(rememberConnections);
  /** @type {string[]} */
  const errors = [];
  /** @type {Set<string>} */
  const origins = new Set();
  page.on("pageerror", (error) => {
    // Firefox says so of any socket that is cut: on a page that is left or closed all are, on one that stays something failed.
    const cut = /^Error: The connection to wss?:\S+ was interrupted while the page was loading\.$/.test(String(error));
    if (!cut || !person.leaving) errors.push(String(error));
  });
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("request", (request) => {
    // Firefox draws the buttons of its own players with a font out of a data: address.
    if (!request.url().startsWith("data:")) origins.add(new URL(request.url()).origin);
  });
  const person = new Person(page, errors, origins);
  if (!/firefox/i.test(await browser.version())) await followChromium(person, language);
  return person;
}

/**
 * Sets the language and counts descriptions, for which there is Chromium's own protocol only.
 * @param {Person} person
 * @param {string} language
 */
async function followChromium(person, language) {
  const session = await person.page.createCDPSession();
  const userAgent = await person.page.browser().userAgent();
  await session.send("Network.setUserAgentOverride", { userAgent, acceptLanguage: language });
  await session.send("Network.enable");
  session.on("Network.webSocketFrameSent", ({ response }) => {
    if (/^42\d*\["(offer|answer)"/.test(response.payloadData)) person.described += 1;
  });
}

/**
 * Sets the page's clock to when credentials of today are old, and still good.
 * @param {import("puppeteer-core").Page} page
 */
export function later(page) {
  return page.evaluate(() => {
    const now = Date.now.bind(Date);
    Date.now = () => now() + 5 * 3_600_000;
  });
}

/** One page and the hands on it. */
export class Person {
  /**
   * @param {import("puppeteer-core").Page} page
   * @param {string[]} errors
   * @param {Set<string>} origins
   */
  constructor(page, errors, origins) {
    this.page = page;
    this.errors = errors;
    this.origins = origins;
    /** Offers and answers it has sent. */
    this.described = 0;
    /** The origin the page was visited at. @type {string | null} */
    this.home = null;
    /** Whether the page is on its way out, and none of ours is there yet. */
    this.leaving = false;
  }

  /** @param {string} url */
  async visit(url) {
    this.home = new URL(url).origin;
    await this.#leave(() => this.page.goto(url));
  }

  reload() {
    return this.#leave(() => this.page.reload());
  }

  /** @param {() => Promise<unknown>} go */
  async #leave(go) {
    this.leaving = true;
    await go();
    await this.page.waitForSelector("body[data-ready]");
    this.leaving = false;
  }

  /**
   * Fills in the form and enters.
   * @param {{ name: string, room?: string, relayOnly?: boolean, camera?: boolean, microphone?: boolean }} entry
   */
  async enter({ name, room, relayOnly = false, camera = true, microphone = true }) {
    await this.type("#name", name);
    if (room) await this.type("#room", room);
    await this.set("#relay-only", relayOnly);
    await this.set("#want-camera", camera);
    await this.set("#want-microphone", microphone);
    await this.page.click("#join");
  }

  /**
   * @param {string} selector
   * @param {string} text
   */
  async type(selector, text) {
    await this.page.$eval(selector, (input) => (/** @type {HTMLInputElement} */ (input).value = ""));
    await this.page.type(selector, text);
  }

  /**
   * @param {string} selector of a switch
   * @param {boolean} on
   */
  async set(selector, on) {
    const is = await this.page.$eval(selector, (input) => /** @type {HTMLInputElement} */ (input).checked);
    if (is !== on) await this.page.click(selector);
  }

  /** @param {string} selector */
  text(selector) {
    return this.page.$eval(selector, (element) => element.textContent?.trim() ?? "");
  }

  state() {
    return this.text("#state-text");
  }

  /**
   * Waits until the state line says it.
   * @param {RegExp} pattern
   * @param {number} [timeout] ms
   */
  async says(pattern, timeout = 20_000) {
    const until = Date.now() + timeout;
    for (;;) {
      const text = await this.state();
      if (pattern.test(text)) return text;
      if (Date.now() > until) throw new Error(`the state line says "${text}", not ${pattern}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Reads the pair in use and what was decoded, from the newest connection's own statistics. */
  stats() {
    return this.page.evaluate(readStats);
  }

  /** What the page shows of the pair in use. */
  async shown() {
    return { local: await this.text("#path-local-type"), remote: await this.text("#path-remote-type") };
  }

  async close() {
    this.leaving = true;
    await this.page.browserContext().close();
  }
}

/** Runs in the page before anything else. */
function rememberConnections() {
  /** @type {RTCPeerConnection[]} */
  const connections = [];
  Object.defineProperty(window, "connections", { value: connections });
  window.RTCPeerConnection = class extends RTCPeerConnection {
    /** @param {RTCConfiguration} [configuration] */
    constructor(configuration) {
      super(configuration);
      connections.push(this);
    }
  };
}

/** Runs in the page. */
async function readStats() {
  let connection, report;
  do {
    connection = /** @type {any} */ (window).connections.at(-1);
    // In Firefox, a connection that is closed meanwhile never answers: then there is a newer one.
    const late = new Promise((resolve) => setTimeout(resolve, 3000, null));
    report = await Promise.race([connection.getStats(), late]);
  } while (!report);
  const all = [...report.values()];
  const transport = all.find((stat) => stat.type === "transport");
  // Firefox marks the pair itself.
  const pair = report.get(transport?.selectedCandidatePairId) ?? all.find((stat) => stat.selected);
  const inbound = (/** @type {string} */ kind) => all.find((s) => s.type === "inbound-rtp" && s.kind === kind);
  return {
    local: report.get(pair?.localCandidateId)?.candidateType ?? null,
    /** Between this end and its relay: udp, tcp or tls. */
    protocol: report.get(pair?.localCandidateId)?.relayProtocol ?? null,
    remote: report.get(pair?.remoteCandidateId)?.candidateType ?? null,
    sent: pair?.bytesSent ?? 0,
    frames: inbound("video")?.framesDecoded ?? 0,
    samples: inbound("audio")?.totalSamplesReceived ?? 0,
    energy: inbound("audio")?.totalAudioEnergy ?? 0,
    credentials: connection.getConfiguration().iceServers.map((/** @type {any} */ s) => s.username ?? ""),
  };
}
