/** The picture of one's own screen, for as long as it is shown to the other side. */

/** Text stays readable at few frames, and the relay's bandwidth is for moving pictures. */
const FRAMES = 15;

/** @param {{ navigator: { mediaDevices?: object } }} scope */
export function canShare({ navigator: { mediaDevices } }) {
  return mediaDevices !== undefined && "getDisplayMedia" in mediaDevices;
}

/** Fires `change` when the screen begins or ends to be shown. */
export class Screen extends EventTarget {
  /** @type {MediaStream | null} */
  stream = null;
  /** Counts what was decided: a picture that is granted after it was given up is not shown. */
  #decided = 0;

  get track() {
    return this.stream?.getVideoTracks()[0] ?? null;
  }

  /**
   * Lets the user choose what to show.
   * @returns {Promise<"failed" | null>} null also when the user chose nothing, or decided otherwise meanwhile
   */
  async start() {
    const decided = (this.#decided += 1);
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { max: FRAMES } }, audio: false });
    } catch (error) {
      return error instanceof Error && error.name === "NotAllowedError" ? null : "failed";
    }
    if (decided === this.#decided) this.#show(stream);
    else for (const track of stream.getTracks()) track.stop();
    return null;
  }

  stop() {
    this.#decided += 1;
    if (!this.stream) return;
    for (const track of this.stream.getTracks()) track.stop();
    this.stream = null;
    this.dispatchEvent(new Event("change"));
  }

  /** @param {MediaStream} stream */
  #show(stream) {
    this.stream = stream;
    for (const track of stream.getVideoTracks()) {
      track.contentHint = "detail";
      // The browser has a button of its own to stop it, and a window that is closed ends it too.
      track.addEventListener("ended", () => stream === this.stream && this.stop());
    }
    this.dispatchEvent(new Event("change"));
  }
}
