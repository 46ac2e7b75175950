/**
 * Perfect negotiation (W3C WebRTC, section 10.7): both ends may offer at any time, and when offers cross
 * the polite end gives way.
 */

/**
 * @typedef {object} Wiring
 * @property {boolean} polite
 * @property {(description: RTCSessionDescription) => void} sendDescription
 * @property {(candidate: RTCIceCandidate | null) => void} sendCandidate null ends a round of gathering
 * @property {() => Promise<void>} beforeAnswer puts our own tracks on the lines just offered
 */

export class Negotiation {
  #pc;
  #wiring;
  #offering = false;
  /** What arrives is taken one by one: a candidate may need the description before it. */
  #taken = Promise.resolve();

  /**
   * @param {RTCPeerConnection} pc
   * @param {Wiring} wiring
   */
  constructor(pc, wiring) {
    this.#pc = pc;
    this.#wiring = wiring;
    pc.addEventListener("negotiationneeded", () => this.#offer());
    pc.addEventListener("icecandidate", ({ candidate }) => wiring.sendCandidate(candidate));
  }

  /**
   * Takes an offer or answer of the other end, and answers an offer.
   * @param {RTCSessionDescriptionInit} description
   */
  describe(description) {
    return this.#inTurn(() => this.#describe(description));
  }

  /**
   * Takes a candidate of the other end; null ends its round of gathering.
   * @param {RTCIceCandidateInit | null} candidate
   */
  candidate(candidate) {
    return this.#inTurn(async () => {
      if (this.#expects(candidate)) await this.#pc.addIceCandidate(candidate ?? undefined);
    });
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #describe(description) {
    const pc = this.#pc;
    const crossed = description.type === "offer" && (this.#offering || pc.signalingState !== "stable");
    const unasked = description.type === "answer" && pc.signalingState !== "have-local-offer";
    if ((crossed && !this.#wiring.polite) || unasked) return;

    await pc.setRemoteDescription(description);
    if (description.type !== "offer") return;
    await this.#wiring.beforeAnswer();
    await pc.setLocalDescription();
    this.#send();
  }

  /**
   * Candidates of an offer that was ignored, or of a connection long gone, belong to nothing.
   * @param {RTCIceCandidateInit | null} candidate
   */
  #expects(candidate) {
    const known = this.#pc.remoteDescription?.sdp;
    if (!known) return false;
    const ufrag = candidate?.usernameFragment;
    return !ufrag || known.includes(`a=ice-ufrag:${ufrag}\r\n`);
  }

  async #offer() {
    try {
      this.#offering = true;
      await this.#pc.setLocalDescription();
      this.#send();
    } catch (error) {
      // A connection closed meanwhile has nothing to offer.
      if (this.#pc.signalingState !== "closed") throw error;
    } finally {
      this.#offering = false;
    }
  }

  #send() {
    if (this.#pc.localDescription) this.#wiring.sendDescription(this.#pc.localDescription);
  }

  /** @param {() => Promise<void>} step */
  #inTurn(step) {
    const done = this.#taken.then(async () => {
      try {
        await step();
      } catch (error) {
        // A connection closed meanwhile takes nothing.
        if (this.#pc.signalingState !== "closed") throw error;
      }
    });
    this.#taken = done.catch(() => {});
    return done;
  }
}
