/** One RTCPeerConnection: its lines, its negotiation, its readings. A call may need several in turn. */

import { Negotiation } from "./negotiation.js";
import { received } from "./path.js";
import { counts } from "./quality.js";

const KINDS = /** @type {const} */ (["audio", "video"]);

/**
 * @typedef {object} Frame
 * @property {boolean} polite
 * @property {RTCConfiguration} configuration
 * @property {import("./local-media.js").LocalMedia} media
 * @property {import("./side-channel.js").SideChannel} channel goes along
 * @property {(description: RTCSessionDescription) => void} sendDescription
 * @property {(candidate: RTCIceCandidate | null) => void} sendCandidate
 */

/**
 * Fires `state` when the connection state changes, `track` with each remote track as `detail`, and `unanswered`
 * with `{ url, code }` when an ICE server does not answer.
 */
export class Connection extends EventTarget {
  #pc;
  #negotiation;
  #media;
  /** Given away with the first lines. @type {Frame["channel"] | null} */
  #channel;

  /** @param {Frame} frame */
  constructor({ polite, configuration, media, channel, sendDescription, sendCandidate }) {
    super();
    this.#media = media;
    this.#channel = channel;
    this.#pc = new RTCPeerConnection({ ...configuration, bundlePolicy: "max-bundle" });
    this.#pc.addEventListener("connectionstatechange", () => this.dispatchEvent(new Event("state")));
    this.#pc.addEventListener("track", ({ track }) => this.#tell("track", track));
    this.#pc.addEventListener("icecandidateerror", ({ url, errorCode }) => {
      this.#tell("unanswered", { url, code: errorCode });
    });
    const beforeAnswer = () => this.attach();
    this.#negotiation = new Negotiation(this.#pc, { polite, sendDescription, sendCandidate, beforeAnswer });
  }

  get state() {
    return this.#pc.connectionState;
  }

  /** Whether the other side has described itself. */
  get answered() {
    return this.#pc.remoteDescription !== null;
  }

  /** Whether offer and answer have met; a message that was lost leaves it unsettled. */
  get settled() {
    return this.answered && this.#pc.signalingState === "stable";
  }

  /**
   * Whether the other side searches for another path than it had; it also offers to change what it sends.
   * @param {RTCSessionDescriptionInit} description
   */
  searches({ type, sdp }) {
    return type === "offer" && ufragOf(sdp) !== ufragOf(this.#pc.remoteDescription?.sdp);
  }

  /** @param {RTCSessionDescriptionInit} description */
  describe(description) {
    return this.#negotiation.describe(description);
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  candidate(candidate) {
    return this.#negotiation.candidate(candidate);
  }

  /** Puts the tracks we have on the lines, and makes the lines when nobody has yet; an offer follows by itself. */
  async attach() {
    // Not before: it would make the polite end offer.
    this.#channel?.use(this.#pc);
    this.#channel = null;
    const stream = this.#media.stream;
    const replaced = KINDS.map((kind) => {
      const track = this.#media.sent(kind);
      const direction = track ? "sendrecv" : "recvonly";
      const line = this.#pc.getTransceivers().find((line) => line.receiver.track.kind === kind);
      if (!line) return this.#pc.addTransceiver(track ?? kind, { direction, streams: track ? [stream] : [] });
      line.direction = direction;
      if (track) line.sender.setStreams?.(stream);
      return line.sender.track === track ? null : line.sender.replaceTrack(track);
    });
    await Promise.all(replaced);
  }

  /**
   * Keeps servers and credentials for when it gathers next; what is connected stays so.
   * @param {RTCConfiguration} configuration
   */
  configure(configuration) {
    this.#pc.setConfiguration({ ...configuration, bundlePolicy: "max-bundle" });
  }

  /**
   * Gathers and checks again, with other servers and credentials if need be.
   * @param {RTCConfiguration} configuration
   */
  restart(configuration) {
    this.configure(configuration);
    this.#pc.restartIce();
  }

  /** Reads which path is in use, what arrived by it, and what there is to tell how well. */
  async read() {
    const report = /** @type {ReadonlyMap<string, any>} */ (/** @type {unknown} */ (await this.#pc.getStats()));
    const counted = counts(report, performance.now());
    return { path: this.state === "connected" ? counted.path : null, received: received(report), counts: counted };
  }

  close() {
    this.#pc.close();
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

/** What names a search: the lines of a call share one. @param {string | undefined} sdp */
function ufragOf(sdp) {
  return /^a=ice-ufrag:(.+)$/m.exec(sdp ?? "")?.[1];
}
