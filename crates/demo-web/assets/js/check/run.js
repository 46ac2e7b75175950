/** One run over all targets, a few at a time. */

import { probe } from "./probe.js";

/** A relay counts allocations by user: a handful at once stays far below what servers allow. */
const AT_ONCE = 3;

/** @typedef {{ target: import("./targets.js").Target, outcome: import("./verdict.js").Outcome | null, begun: boolean }} Row */

/** Fires `change` whenever a probe begins or ends. */
export class Run extends EventTarget {
  /** @type {Row[]} */
  rows;

  /** @param {readonly import("./targets.js").Target[]} targets */
  constructor(targets) {
    super();
    this.rows = targets.map((target) => ({ target, outcome: null, begun: false }));
  }

  get done() {
    return this.rows.filter(({ outcome }) => outcome).length;
  }

  get outcomes() {
    return this.rows.flatMap(({ outcome }) => outcome ?? []);
  }

  /** @param {(target: import("./targets.js").Target) => Promise<import("./verdict.js").Outcome>} ask */
  async go(ask = probe) {
    const waiting = [...this.rows];
    const work = async () => {
      for (let row = waiting.shift(); row; row = waiting.shift()) {
        row.begun = true;
        this.dispatchEvent(new Event("change"));
        row.outcome = await ask(row.target);
        this.dispatchEvent(new Event("change"));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}
