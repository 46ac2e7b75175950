/** The ICE servers that our own signaling hands out: kept while their credentials are fresh, and why they are lacking. */

/** Codes of the room protocol that a personal link would have helped against. */
const LINK_NEEDED = ["token_required", "bad_token", "forbidden"];

/** @typedef {{ key: string, params: Record<string, string> }} Lacking a text to show */

export class OwnServers {
  /** @type {RTCIceServer[]} */
  iceServers = [];
  /** Why there are none, or none that are fresh. @type {Lacking | null} */
  lacking = null;
  /** What opens rooms that are not open to all. @type {string | null} */
  #token = null;
  #ask;
  #now;
  #freshUntil = 0;

  /**
   * @param {(token: string | null) => Promise<import("./signaling.js").Ice>} ask rejects with a Problem
   * @param {() => number} now ms of the wall clock, which goes on while the machine sleeps
   */
  constructor(ask, now = () => Date.now()) {
    this.#ask = ask;
    this.#now = now;
  }

  /** @param {string} token is asked with from now on */
  bring(token) {
    this.#token = token;
    this.#freshUntil = 0;
  }

  /** Asks again once the credentials have lived half of their life. */
  async renew() {
    const began = this.#now();
    if (began < this.#freshUntil) return;
    try {
      const { iceServers, iceTtl } = await this.#ask(this.#token);
      this.iceServers = iceServers;
      this.lacking = null;
      this.#freshUntil = began + (iceTtl * 1000) / 2;
    } catch (error) {
      this.lacking = this.iceServers.length > 0 ? { key: "own.stale", params: {} } : lackingOf(error);
    }
  }
}

/**
 * @param {unknown} error a Problem, or what the browser throws
 * @returns {Lacking}
 */
function lackingOf(error) {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreachable";
  if (LINK_NEEDED.includes(code)) return { key: "own.link", params: {} };
  return code === "unreachable" ? { key: "own.unreachable", params: {} } : { key: "own.refused", params: { code } };
}
