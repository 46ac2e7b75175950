/** One call with one other member of the room, through as many connections and restarts as it takes. */

import { parseCandidate } from "./candidate.js";
import { Chat } from "./chat.js";
import { Connection } from "./connection.js";
import { placeKey, recognise } from "./path.js";
import { Pulse } from "./pulse.js";
import { sample, Samples } from "./quality.js";
import { allowed } from "./relay-choice.js";
import { Showing } from "./showing.js";
import { SideChannel } from "./side-channel.js";

/** A path that falters often heals within this time (ms). */
const GRACE = 3000;
/** How long a search for a path may take before the next begins (ms); it doubles up to the limit. */
const PATIENCE = { first: 12_000, limit: 60_000 };
/** Both ends may be in the network that changed: then one of them searches (ms). */
const YIELD = 1000;
const READING_EVERY = 1000;
/** Credentials that came so lately are not asked for again (ms). */
const FRESH_FOR = 10_000;

/**
 * @typedef {"connecting" | "connected" | "reconnecting" | "switching"} CallState
 *
 * @typedef {object} Terms
 * @property {{ id: string, name: string }} peer
 * @property {boolean} polite the newcomer is polite: it waits for the offer and gives way
 * @property {import("./signaling.js").Signaling} signaling
 * @property {import("./signaling.js").Ice} ice
 * @property {import("./relay-choice.js").Relay} relay
 * @property {import("./local-media.js").LocalMedia} media
 */

/** @template T @typedef {T & { round?: number }} Numbered */

/**
 * Fires `change` (state, remote tracks, progress), `reading` after each look at the statistics, `silent` when nothing
 * comes any more over a path that ICE still thinks well of, and `candidate` with `{ side, candidate }` or `{ side, error }`.
 */
export class Call extends EventTarget {
  remote = new MediaStream();
  /** @type {import("./path.js").Path | null} */
  path = null;
  /** @type {import("./path.js").Received | null} */
  received = null;
  /** How well it went, reading by reading. */
  samples = new Samples();
  progress = { offer: false, answer: false, candidates: false };
  /** Whether the other side has lost signaling and is waited for. */
  away = false;

  #channel = new SideChannel();
  chat = new Chat(this.#channel);
  #showing = new Showing(this.#channel, () => (this.#terms.media.screen.track ? "screen" : "camera"));

  #terms;
  #ice;
  /** When they came, by the clock that goes on while the machine sleeps; those it began with may be old. */
  #iceCame = -Infinity;
  #relay;
  #connection;
  /**
   * Numbers the connections of this call, alike at both ends; it goes along with all that is sent. A change of the
   * transport policy begins a new one, because an ICE restart would keep a direct pair for as long as it works.
   * Either side may begin one; the impolite side makes its first offer, so that no two of them cross.
   */
  #round = 1;
  /** Types of the candidates the other side has announced. @type {Map<string, string>} */
  #announced = new Map();
  #closed = false;
  #everConnected = false;
  /** Whether the connection we have has ever worked; one that has not is replaced, not restarted. */
  #worked = false;
  /** Whether the path is being changed on purpose. */
  #switching = false;
  #patience = PATIENCE.first;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  #readings;
  /** What the reading before said, of the same connection. @type {import("./quality.js").Counts | null} */
  #counts = null;
  #pulse = new Pulse();

  /** @param {Terms} terms */
  constructor(terms) {
    super();
    this.#terms = terms;
    this.#ice = terms.ice;
    this.#relay = terms.relay;
    this.#showing.addEventListener("change", () => this.#changed());
    this.#connection = this.#connect();
    this.#readings = setInterval(() => this.#read(), READING_EVERY);
  }

  get peer() {
    return this.#terms.peer;
  }

  /** What the other side's picture shows. */
  get showing() {
    return this.#showing.remote;
  }

  /** Whether the other side is heard: the last reading had something new. */
  get hears() {
    return this.path !== null && this.#pulse.beats;
  }

  /** @returns {CallState} */
  get state() {
    if (this.#connection.state === "connected") return "connected";
    if (this.#switching) return "switching";
    return this.#everConnected ? "reconnecting" : "connecting";
  }

  /** Sends the tracks there are now; before the first offer has come, the answer to it will. */
  async attach() {
    this.#showing.tell();
    if (this.#connection.answered || !this.#terms.polite) await this.#connection.attach();
  }

  /**
   * Takes what the other side sent through signaling. What belongs to a connection given up is for nobody; what
   * belongs to a later one than ours means that the other side has moved on, and so do we.
   * @param {{ description?: Numbered<RTCSessionDescriptionInit>, candidate?: Numbered<RTCIceCandidateInit> | null }} message
   */
  async take({ description, candidate = null }) {
    const round = (description ?? candidate)?.round ?? this.#round;
    if (round < this.#round) return;
    if (round > this.#round) this.#renew(round);
    if (description) {
      this.#progressed(description.type === "offer" ? "offer" : "answer");
      // The other side searches already.
      if (this.#connection.state === "connected" && this.#connection.searches(description)) clearTimeout(this.#retry);
      for (const line of (description.sdp ?? "").match(/^a=candidate:.*/gm) ?? []) this.#listed("remote", line);
      await this.#connection.describe(description);
    } else {
      if (candidate?.candidate) this.#listed("remote", candidate.candidate, candidate.usernameFragment);
      await this.#connection.candidate(candidate);
    }
  }

  /**
   * Allows or forbids direct paths and relays; a call under way moves to a new connection under the new rule.
   * @param {import("./relay-choice.js").Relay} relay
   */
  async setRelay(relay) {
    if (relay === this.#relay) return;
    this.#relay = relay;
    await this.#refresh();
    if (this.#closed || relay !== this.#relay) return;
    this.#patience = PATIENCE.first;
    this.#moveOn();
  }

  /** Searches for a path from the network that this end is in now, before ICE notices that the old one is gone. */
  move() {
    if (this.#closed) return;
    this.#pulse.forget();
    this.#patience = PATIENCE.first;
    this.#retryIn(this.#terms.polite ? YIELD : 0);
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#readings);
    this.#connection.close();
  }

  #connect() {
    const { peer, polite, media, signaling } = this.#terms;
    const round = this.#round;
    const connection = new Connection({
      polite,
      media,
      channel: this.#channel,
      configuration: this.#configuration(),
      sendDescription: (description) => {
        const name = description.type === "offer" ? "offer" : "answer";
        signaling.send(name, { to: peer.id, description: { ...description.toJSON(), round } });
        this.#progressed(name);
      },
      sendCandidate: (candidate) => {
        this.#tell(candidate, round);
        if (candidate?.candidate) this.#listed("local", candidate.candidate, candidate.usernameFragment);
      },
    });
    connection.addEventListener("state", () => this.#moved(connection));
    connection.addEventListener("track", (event) => this.#arrived(/** @type {CustomEvent} */ (event).detail));
    connection.addEventListener("unanswered", (event) => {
      const { detail } = /** @type {CustomEvent} */ (event);
      this.dispatchEvent(new CustomEvent("candidate", { detail: { side: "local", error: detail } }));
    });
    if (!polite) connection.attach();
    this.#retryIn(this.#patience);
    return connection;
  }

  /** Begins a new connection at both ends. */
  #moveOn() {
    this.#renew(this.#round + 1);
    if (this.#terms.polite) this.#tell(null, this.#round);
  }

  /**
   * Sends a candidate; the empty one that ends a round of gathering also tells the other side which connection
   * we are at.
   * @param {RTCIceCandidate | null} candidate
   * @param {number} round
   */
  #tell(candidate, round) {
    const body = candidate?.toJSON() ?? { candidate: "" };
    this.#terms.signaling.send("candidate", { to: this.peer.id, candidate: { ...body, round } });
  }

  /**
   * Replaces the connection.
   * @param {number} round
   */
  #renew(round) {
    this.#connection.close();
    this.#worked = false;
    this.#round = round;
    this.#switching = this.#everConnected;
    this.path = null;
    this.#counts = null;
    this.#connection = this.#connect();
    this.#changed();
  }

  /** Searches for a path again, with credentials that are good for a while. */
  async #restart() {
    this.#patience = Math.min(this.#patience * 2, PATIENCE.limit);
    // What is connected says by itself when it needs another search.
    if (this.#connection.state !== "connected") this.#retryIn(this.#patience);
    await this.#refresh();
    if (this.#closed) return;
    if (this.#worked && this.#connection.settled) this.#connection.restart(this.#configuration());
    else this.#moveOn();
  }

  /**
   * Takes fresh credentials, for a later search for a path.
   * @param {import("./signaling.js").Ice} ice
   */
  renew(ice) {
    this.#keep(ice);
    if (!this.#closed) this.#connection.configure(this.#configuration());
  }

  async #refresh() {
    if (Date.now() - this.#iceCame < FRESH_FOR) return;
    try {
      this.#keep(await this.#terms.signaling.ice());
    } catch {
      // Signaling is away; what we have may still be accepted.
      return;
    }
  }

  /** @param {import("./signaling.js").Ice} ice */
  #keep(ice) {
    this.#ice = ice;
    this.#iceCame = Date.now();
  }

  /** @param {number} delay */
  #retryIn(delay) {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#restart(), delay);
  }

  /** One side begins a search; the polite one only when the other has not. */
  get #courtesy() {
    return this.#terms.polite ? GRACE : 0;
  }

  /** @param {Connection} connection */
  #moved(connection) {
    if (connection !== this.#connection) return;
    const { state } = connection;
    if (state === "connected") {
      clearTimeout(this.#retry);
      this.#everConnected = true;
      this.#worked = true;
      this.#switching = false;
      this.#patience = PATIENCE.first;
      this.#read();
    } else if (state === "disconnected") {
      this.#retryIn(GRACE + this.#courtesy);
    } else if (state === "failed") {
      this.#retryIn(this.#courtesy);
    }
    this.#changed();
  }

  async #read() {
    const connection = this.#connection;
    const { path, received, counts } = await connection.read();
    if (this.#closed || connection !== this.#connection) return;
    this.path = path && recognise(path, this.#announced);
    this.received = received;
    this.samples.add(sample(this.#counts, counts));
    this.#counts = counts;
    this.dispatchEvent(new Event("reading"));
    if (path && this.#pulse.stopped(path.bytesReceived)) this.dispatchEvent(new Event("silent"));
  }

  /** @returns {RTCConfiguration} */
  #configuration() {
    const iceServers = allowed(this.#ice.iceServers, this.#relay);
    return { iceServers, iceTransportPolicy: this.#relay === "off" ? "all" : "relay" };
  }

  /**
   * @param {"local" | "remote"} side
   * @param {string} line
   * @param {string | null} [ufrag]
   */
  #listed(side, line, ufrag) {
    const candidate = parseCandidate(line);
    if (!candidate) return;
    candidate.ufrag ||= ufrag ?? "";
    if (side === "remote") this.#announced.set(placeKey(candidate), candidate.type);
    this.#progressed("candidates");
    this.dispatchEvent(new CustomEvent("candidate", { detail: { side, candidate } }));
  }

  /** @param {MediaStreamTrack} track */
  #arrived(track) {
    // What has come to its end stays paused in Firefox, whatever is added: the next connection gets a stream of its own.
    if (this.remote.getTracks().every(({ readyState }) => readyState === "ended")) this.remote = new MediaStream();
    for (const old of this.remote.getTracks()) if (old.kind === track.kind) this.remote.removeTrack(old);
    this.remote.addTrack(track);
    for (const event of ["mute", "unmute", "ended"]) track.addEventListener(event, () => this.#changed());
    this.#changed();
  }

  /** @param {keyof Call["progress"]} step */
  #progressed(step) {
    if (this.progress[step]) return;
    this.progress[step] = true;
    this.#changed();
  }

  #changed() {
    if (!this.#closed) this.dispatchEvent(new Event("change"));
  }
}
