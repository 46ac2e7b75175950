/** The candidates of one side in the order they came, by rounds: an ICE restart begins a new one. */

/** @typedef {import("./candidate.js").Candidate} Candidate */
/** @typedef {import("./path.js").End} End */

/**
 * @typedef {object} Row
 * @property {number} round counted from 1
 * @property {number} after milliseconds since the call began
 * @property {Candidate} [candidate]
 * @property {{ url: string, code: number }} [error]
 */

/** A browser with many interfaces lists dozens; beyond this the oldest give way. */
const KEPT = 60;

export class CandidateList {
  /** @type {Row[]} */
  rows = [];
  #round = 1;
  #ufrag = "";

  /** @param {Candidate} candidate @param {number} after @returns {boolean} whether it is new */
  add(candidate, after) {
    if (candidate.ufrag && this.#ufrag && candidate.ufrag !== this.#ufrag) this.#round += 1;
    if (candidate.ufrag) this.#ufrag = candidate.ufrag;
    const known = this.rows.some((row) => row.round === this.#round && row.candidate && same(row.candidate, candidate));
    if (!known) this.#push({ round: this.#round, after, candidate });
    return !known;
  }

  /** @param {{ url: string, code: number }} error @param {number} after @returns {boolean} whether it is new */
  addError(error, after) {
    const known = this.rows.some((row) => row.error?.url === error.url && row.error.code === error.code);
    if (!known) this.#push({ round: this.#round, after, error });
    return !known;
  }

  /** How many candidates this round has brought. */
  get count() {
    return this.rows.filter((row) => row.candidate && row.round === this.#round).length;
  }

  /**
   * Finds the row of the candidate that carries the call; the newest when several look alike.
   * @param {End} end
   * @returns {Row | undefined}
   */
  rowOf(end) {
    return this.rows.findLast(
      ({ candidate }) =>
        candidate?.type === end.type &&
        candidate.protocol === end.protocol &&
        candidate.port === end.port &&
        (candidate.address === end.address || end.address === "" || candidate.address.endsWith(".local")),
    );
  }

  /** @param {Row} row */
  #push(row) {
    this.rows.push(row);
    if (this.rows.length > KEPT) this.rows.shift();
  }
}

/**
 * @param {Candidate} a
 * @param {Candidate} b
 */
function same(a, b) {
  return a.type === b.type && a.protocol === b.protocol && a.address === b.address && a.port === b.port;
}
