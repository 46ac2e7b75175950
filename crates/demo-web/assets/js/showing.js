/** What the picture of each side shows: a face may be cropped to the frame, a screen may not. */

/** @typedef {"camera" | "screen"} Shown */

/** Tells the other side, and fires `change` when it tells us. */
export class Showing extends EventTarget {
  /** @type {Shown} */
  remote = "camera";
  #channel;
  #local;

  /**
   * @param {import("./side-channel.js").SideChannel} channel
   * @param {() => Shown} local
   */
  constructor(channel, local) {
    super();
    this.#channel = channel;
    this.#local = local;
    channel.addEventListener("open", () => this.tell());
    channel.addEventListener("message", (event) => this.#told(/** @type {CustomEvent} */ (event).detail));
  }

  /** Says it again, when it may have changed. */
  tell() {
    this.#channel.send({ showing: this.#local() });
  }

  /** @param {Record<string, unknown>} message */
  #told({ showing }) {
    if ((showing !== "camera" && showing !== "screen") || showing === this.remote) return;
    this.remote = showing;
    this.dispatchEvent(new Event("change"));
  }
}
