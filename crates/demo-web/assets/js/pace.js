/** Says things no faster than the server takes them: what came faster would be lost. */

/** Messages at once and a second; of what the server takes by default, 120 and 20, some is left for requests. */
const BURST = 100;
const RATE = 18;
/** A long message counts as several (characters). */
const LONG = 4096;
const LOOK_EVERY = 100;

/** @typedef {{ name: string, payload: object }} Signal */

export class Pace {
  #say;
  #now;
  #left = BURST;
  #filled;
  /** @type {Signal[]} */
  #waiting = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next;

  /**
   * @param {(signal: Signal) => void} say
   * @param {() => number} now ms
   */
  constructor(say, now = () => Date.now()) {
    this.#say = say;
    this.#now = now;
    this.#filled = now();
  }

  /** Says it at once, or in its turn. @param {Signal} signal */
  add(signal) {
    this.#waiting.push(signal);
    this.#go();
  }

  /** Lets go what was not said yet; over another connection (`anew`) as much may be said as at first. */
  drop(anew = false) {
    clearTimeout(this.#next);
    this.#waiting = [];
    if (anew) this.#left = BURST;
  }

  #go() {
    clearTimeout(this.#next);
    const now = this.#now();
    // The clock may be set back.
    this.#left = Math.min(BURST, this.#left + (Math.max(0, now - this.#filled) * RATE) / 1000);
    this.#filled = now;
    while (this.#left >= 1) {
      const signal = this.#waiting.shift();
      if (!signal) return;
      this.#left -= 1 + Math.floor(JSON.stringify(signal.payload).length / LONG);
      this.#say(signal);
    }
    if (this.#waiting.length > 0) this.#next = setTimeout(() => this.#go(), LOOK_EVERY);
  }
}
