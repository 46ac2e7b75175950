/** What the two pages tell each other beside sound and picture: a data channel, and the next one when connections change. */

/** More than any message of ours, so nothing longer is worth reading. */
const LONGEST = 16_384;

/**
 * Fires `open` when messages can be sent, again for each connection, `close` when they cannot any more, and `message`
 * with what the other side sent, an object, as `detail`.
 */
export class SideChannel extends EventTarget {
  /** @type {RTCDataChannel | null} */
  #channel = null;

  get open() {
    return this.#channel?.readyState === "open";
  }

  /**
   * Goes on over another connection. Both ends make the channel under the same number, so no offer has to name it.
   * @param {Pick<RTCPeerConnection, "createDataChannel">} connection
   */
  use(connection) {
    const channel = connection.createDataChannel("watari", { negotiated: true, id: 0 });
    const current = () => channel === this.#channel;
    this.#channel = channel;
    channel.addEventListener("open", () => current() && this.dispatchEvent(new Event("open")));
    channel.addEventListener("close", () => current() && this.dispatchEvent(new Event("close")));
    channel.addEventListener("message", ({ data }) => {
      const detail = current() && read(data);
      if (detail) this.dispatchEvent(new CustomEvent("message", { detail }));
    });
  }

  /**
   * Sends it if it can be sent now; whoever has more to lose sends again on `open`.
   * @param {object} message
   */
  send(message) {
    if (this.open) this.#channel?.send(JSON.stringify(message));
  }
}

/**
 * @param {unknown} data
 * @returns {Record<string, unknown> | null} null for what is no message of ours
 */
function read(data) {
  if (typeof data !== "string" || data.length > LONGEST) return null;
  try {
    const message = JSON.parse(data);
    return message && typeof message === "object" ? message : null;
  } catch {
    return null;
  }
}
