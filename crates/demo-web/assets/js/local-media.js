/**
 * What this page sends: at most one camera track and one microphone track, each on, off or not there, and the screen in
 * place of the camera.
 */

import { open, sizeFor } from "./media.js";
import { Screen } from "./screen.js";

/** @typedef {"audio" | "video"} Kind */

const KINDS = /** @type {const} */ (["audio", "video"]);

/** Fires `change` when a track comes, goes or is switched, and `replaced` when another picture is to be sent. */
export class LocalMedia extends EventTarget {
  stream = new MediaStream();
  screen = new Screen();
  /** Which devices are opened. @type {import("./media.js").Chosen} */
  chosen = {};
  /** Counts what was decided about each kind: a device that opens late is kept only if nothing was decided since. */
  #decided = { audio: 0, video: 0 };
  /** To how many the picture goes. */
  #others = 0;

  constructor() {
    super();
    this.screen.addEventListener("change", () => {
      this.dispatchEvent(new Event("replaced"));
      this.#changed();
    });
  }

  /**
   * Opens devices and keeps their tracks, but for those that were asked for anew or given up meanwhile.
   * @param {import("./media.js").Wish} wish
   * @returns {Promise<import("./media.js").Opened["lacking"]>} what could not be had
   */
  async open(wish) {
    const wished = KINDS.filter((kind) => wish[kind]);
    for (const kind of wished) this.#decided[kind] += 1;
    const before = { ...this.#decided };
    const chosen = { ...this.chosen };
    const { stream, lacking } = await open(wish, navigator.mediaDevices, chosen);
    /** @type {import("./media.js").Opened["lacking"]} */
    const told = {};
    for (const kind of wished) {
      const track = stream.getTracks().find((track) => track.kind === kind);
      if (this.#decided[kind] !== before[kind]) track?.stop();
      else if (track) this.#keep(track);
      else told[kind] = lacking[kind];
      // A device that does not open must not stand in the way of the others.
      if (!track && this.chosen[kind] === chosen[kind]) delete this.chosen[kind];
    }
    this.#changed();
    return told;
  }

  /**
   * Makes the camera's picture as large as it is worth to so many.
   * @param {number} others
   */
  fit(others) {
    const before = this.#others;
    this.#others = others;
    if (before > 1 !== others > 1) this.#resize();
  }

  /** @param {Kind} kind */
  track(kind) {
    return this.stream.getTracks().find((track) => track.kind === kind) ?? null;
  }

  /**
   * What goes to the other side.
   * @param {Kind} kind
   */
  sent(kind) {
    return (kind === "video" && this.screen.track) || this.track(kind);
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

  /** Releases the devices and the screen. */
  stop() {
    this.#others = 0;
    this.screen.stop();
    for (const kind of KINDS) this.#forget(kind);
    this.#changed();
  }

  #resize() {
    // A camera that cannot do it goes on as it is.
    this.track("video")?.applyConstraints(sizeFor(this.#others)).catch(() => {});
  }

  /** @param {Kind} kind */
  #forget(kind) {
    this.#decided[kind] += 1;
    const track = this.track(kind);
    if (!track) return;
    track.stop();
    this.stream.removeTrack(track);
  }

  /** @param {MediaStreamTrack} track */
  #keep(track) {
    this.#forget(/** @type {Kind} */ (track.kind));
    this.stream.addTrack(track);
    if (this.#others > 1) this.#resize();
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
