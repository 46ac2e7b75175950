/** Notices that what came all the time comes no more, seconds before ICE does. */

/** Readings without anything new. */
const STILL = 2;
/** Readings with something new before them; who sends but now and then is not missed. */
const STEADY = 5;

export class Pulse {
  /** Whether the last reading had something new. */
  beats = false;
  #last = 0;
  #grown = 0;
  #still = 0;

  /**
   * Takes one reading a second.
   * @param {number} count of what came so far
   * @returns {boolean} whether it has stopped; told once, until it comes steadily again
   */
  stopped(count) {
    const grows = count !== this.#last;
    this.beats = grows;
    this.#last = count;
    this.#still = grows ? 0 : this.#still + 1;
    if (grows) this.#grown += 1;
    if (this.#still < STILL) return false;
    const steady = this.#grown >= STEADY;
    this.#grown = 0;
    return steady;
  }

  /** Lets what came so far be forgotten: that it comes no more is known, and not told of. */
  forget() {
    this.beats = false;
    this.#grown = this.#still = 0;
  }
}
