/** A call of this page with itself, whose every step is told. */

import { anatomyOf } from "./anatomy.js";
import { pairsOf } from "./pairs.js";

const LOOK_EVERY = 300;

/**
 * @typedef {"a" | "b"} Side a offers and is the controlling side of ICE, b answers
 * @typedef {{ after: number, side: Side, key: string, detail: string }} Step
 */

/** Fires `change` whenever any of its facts did. */
export class Loopback extends EventTarget {
  /** @type {Step[]} */
  steps = [];
  /** @type {Record<Side, import("./anatomy.js").Anatomy[]>} */
  candidates = { a: [], b: [] };
  /** @type {import("./pairs.js").Pair[]} */
  pairs = [];
  offer = "";
  answer = "";

  #began = performance.now();
  #ends;
  #looks;

  /** @param {RTCConfiguration} configuration */
  constructor(configuration) {
    super();
    this.#ends = { a: new RTCPeerConnection(configuration), b: new RTCPeerConnection(configuration) };
    this.#follow("a", "b");
    this.#follow("b", "a");
    this.#looks = setInterval(() => this.#look(), LOOK_EVERY);
  }

  /** The state of the connection, as the offering side has it. */
  get state() {
    return this.#ends.a.connectionState;
  }

  /** Makes the lines, without anything to send on them, and negotiates. */
  async start() {
    const { a } = this.#ends;
    for (const kind of ["audio", "video"]) a.addTransceiver(kind);
    const channel = a.createDataChannel("inspect");
    channel.addEventListener("open", () => this.#step("a", "step.channel", ""));
    await this.#negotiate();
  }

  /** Gathers and checks anew. */
  async restart() {
    this.#step("a", "step.restart", "");
    this.#ends.a.restartIce();
    await this.#negotiate();
  }

  close() {
    clearInterval(this.#looks);
    for (const pc of Object.values(this.#ends)) pc.close();
  }

  async #negotiate() {
    const { a, b } = this.#ends;
    await a.setLocalDescription();
    this.offer = a.localDescription?.sdp ?? "";
    this.#step("a", "step.offer", "");
    await b.setRemoteDescription({ type: "offer", sdp: this.offer });
    await b.setLocalDescription();
    this.answer = b.localDescription?.sdp ?? "";
    this.#step("b", "step.answer", "");
    await a.setRemoteDescription({ type: "answer", sdp: this.answer });
    this.#step("a", "step.agreed", "");
  }

  /**
   * @param {Side} side
   * @param {Side} other
   */
  #follow(side, other) {
    const pc = this.#ends[side];
    pc.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.candidate) this.#found(side, candidate);
      this.#ends[other].addIceCandidate(candidate ?? undefined).catch(() => {});
    });
    pc.addEventListener("icecandidateerror", ({ url, errorCode, errorText }) => {
      this.#step(side, "step.refused", [url, errorCode, errorText].filter(Boolean).join(" "));
    });
    pc.addEventListener("icegatheringstatechange", () => this.#step(side, "step.gathering", pc.iceGatheringState));
    pc.addEventListener("iceconnectionstatechange", () => this.#step(side, "step.ice", pc.iceConnectionState));
    pc.addEventListener("connectionstatechange", () => {
      this.#step(side, "step.connection", pc.connectionState);
      this.#look();
    });
  }

  /**
   * @param {Side} side
   * @param {RTCIceCandidate} candidate
   */
  #found(side, candidate) {
    // Only some browsers say which server it is from.
    const url = /** @type {{ url?: string | null }} */ (candidate).url ?? "";
    const anatomy = anatomyOf(candidate.candidate, url, this.#after());
    if (!anatomy) return;
    this.candidates[side].push(anatomy);
    this.#step(side, "step.candidate", `${anatomy.type} ${anatomy.protocol}`);
  }

  async #look() {
    const { a } = this.#ends;
    if (a.connectionState === "closed") return;
    const report = /** @type {ReadonlyMap<string, any>} */ (/** @type {unknown} */ (await a.getStats()));
    if (/** @type {string} */ (a.connectionState) === "closed") return;
    const before = this.pairs.find(({ selected }) => selected)?.id;
    this.pairs = pairsOf(report);
    const now = this.pairs.find(({ selected }) => selected);
    if (now && now.id !== before) this.#step("a", "step.selected", `${now.local.type} – ${now.remote.type}`);
    this.dispatchEvent(new Event("change"));
  }

  /**
   * @param {Side} side
   * @param {string} key
   * @param {string} detail
   */
  #step(side, key, detail) {
    this.steps.push({ after: this.#after(), side, key, detail });
    this.dispatchEvent(new Event("change"));
  }

  #after() {
    return Math.round(performance.now() - this.#began);
  }
}
