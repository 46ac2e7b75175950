/** Text between the two of a call: numbered, and sent again over the next connection until the other side has it. */

/** UTF-16 units in one message; what is longer is cut at both ends. */
export const LONGEST = 2000;

/** @typedef {{ n: number, text: string }} Line */

/** Fires `text` with a text of the other side as `detail`, and `got` with the number of the last of ours that arrived. */
export class Chat extends EventTarget {
  #channel;
  #last = 0;
  /** What the other side may not have. @type {Line[]} */
  #sent = [];
  /** The number of the last text that we have. */
  #seen = 0;

  /** @param {import("./side-channel.js").SideChannel} channel */
  constructor(channel) {
    super();
    this.#channel = channel;
    channel.addEventListener("open", () => {
      for (const line of this.#sent) channel.send(line);
    });
    channel.addEventListener("message", (event) => this.#take(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * @param {string} text
   * @returns {Line | null} null when there is nothing in it
   */
  say(text) {
    const said = cut(text);
    if (!said) return null;
    const line = { n: (this.#last += 1), text: said };
    this.#sent.push(line);
    this.#channel.send(line);
    return line;
  }

  /** @param {Record<string, unknown>} message */
  #take({ n, text, got }) {
    if (typeof got === "number") {
      this.#sent = this.#sent.filter((line) => line.n > got);
      this.dispatchEvent(new CustomEvent("got", { detail: got }));
    }
    if (typeof n !== "number" || typeof text !== "string") return;
    // What was sent twice, as its receipt got lost, is read once.
    const fresh = n === this.#seen + 1;
    if (fresh) this.#seen = n;
    this.#channel.send({ got: this.#seen });
    const said = fresh && cut(text);
    if (said) this.dispatchEvent(new CustomEvent("text", { detail: said }));
  }
}

/** @param {string} text */
function cut(text) {
  // Half a character at the end would be shown as a box.
  return text.trim().slice(0, LONGEST).replace(/[\ud800-\udbff]$/, "");
}
