/** Which of our texts the others may not have yet. Each text goes to everybody who is there, over the call with each. */

/** @template Call, Item */
export class Deliveries {
  /** @type {Map<Item, Map<Call, number>>} */
  #underway = new Map();

  /**
   * @param {Item} item
   * @param {Iterable<[Call, number]>} lines the number that the text has in each call
   */
  begin(item, lines) {
    this.#underway.set(item, new Map(lines));
  }

  /** Who may not have it. @param {Item} item @returns {Call[]} */
  missing(item) {
    return [...(this.#underway.get(item)?.keys() ?? [])];
  }

  /**
   * Takes a receipt.
   * @param {Call} call
   * @param {number} last of the texts that have arrived
   * @returns {Item[]} what everybody has now
   */
  got(call, last) {
    return this.#settle(call, (n) => n <= last).filter((item) => !this.#underway.has(item));
  }

  /**
   * What is still under way when its call is over does not arrive there.
   * @param {Call} call
   * @returns {Item[]}
   */
  lose(call) {
    return this.#settle(call, () => true);
  }

  /** Waits for no receipt any more. */
  end() {
    this.#underway.clear();
  }

  /**
   * @param {Call} call
   * @param {(n: number) => boolean} done
   */
  #settle(call, done) {
    const settled = [];
    for (const [item, lines] of this.#underway) {
      const n = lines.get(call);
      if (n === undefined || !done(n)) continue;
      settled.push(item);
      lines.delete(call);
      if (lines.size === 0) this.#underway.delete(item);
    }
    return settled;
  }
}
