/** What this page sends: at most one camera track and one microphone track, each on, off or not there. */

import { open } from "./media.js";

/** @typedef {"audio" | "video"} Kind */

/** Fires `change` when a track comes, goes or is switched. */
export class LocalMedia extends EventTarget {
  stream = new MediaStream();
  /** Which devices are opened. @type {import("./media.js").Chosen} */
  chosen = {};

  /**
   * Opens devices and keeps their tracks.
   * @param {import("./media.js").Wish} wish
   * @returns {Promise<import("./media.js").Opened["lacking"]>} what could not be had
   */
  async open(wish) {
    const { stream, lacking } = await open(wish, navigator.mediaDevices, this.chosen);
    for (const track of stream.getTracks()) this.#keep(track);
    this.#changed();
    return lacking;
  }

  /** @param {Kind} kind */
  track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind) ?? null;
  }

  /**
   * @param {Kind} kind
   * @returns {"on" | "off" | "none"}
   */
  state(kind) {
    const track = this.track(kind);
    if (!track) return "none";
    return track.enabled ? "on" : "off";
  }

  /**
   * Switches a track that is there: off means silence or black, not the end of the track.
   * @param {Kind} kind
   */
  toggle(kind) {
    const track = this.track(kind);
    if (track) track.enabled = !track.enabled;
    this.#changed();
  }

  /**
   * Releases one device.
   * @param {Kind} kind
   */
  drop(kind) {
    this.#forget(kind);
    this.#changed();
  }

  /** Releases the devices. */
  stop() {
    for (const kind of /** @type {const} */ (["audio", "video"])) this.#forget(kind);
    this.#changed();
  }

  /** @param {Kind} kind */
  #forget(kind) {
    const track = this.track(kind);
    if (!track) return;
    track.stop();
    this.stream.removeTrack(track);
  }

  /** @param {MediaStreamTrack} track */
  #keep(track) {
    this.#forget(/** @type {Kind} */ (track.kind));
    this.stream.addTrack(track);
    // A device that is pulled out ends its track.
    track.addEventListener("ended", () => {
      this.stream.removeTrack(track);
      this.#changed();
    });
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
