/** The candidate pairs of a connection, read from its statistics. */

import { pairPriority } from "./anatomy.js";

const STATES = /** @type {const} */ (["frozen", "waiting", "in-progress", "failed", "succeeded", "cancelled"]);

/**
 * @typedef {object} End
 * @property {string} id
 * @property {string} type
 * @property {string} protocol
 * @property {string} address
 * @property {number} port
 * @property {number} priority
 *
 * @typedef {typeof STATES[number]} State as RFC 8445 §6.1.2.6 has them, and Firefox's "cancelled"
 *
 * @typedef {object} Pair
 * @property {string} id
 * @property {End} local
 * @property {End} remote
 * @property {State} state
 * @property {boolean} nominated
 * @property {boolean} selected
 * @property {bigint} priority
 * @property {number | null} asked checks sent; null when the browser does not count them
 * @property {number | null} answered
 * @property {number | null} rtt ms
 */

/**
 * The pairs, the best first.
 * @param {ReadonlyMap<string, any>} report of the controlling side
 * @returns {Pair[]}
 */
export function pairsOf(report) {
  const stats = [...report.values()];
  const named = stats.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
  const pairs = stats
    .filter(({ type, localCandidateId, remoteCandidateId }) => type === "candidate-pair" && report.has(localCandidateId) && report.has(remoteCandidateId))
    .map((stat) => {
      const local = end(report.get(stat.localCandidateId));
      const remote = end(report.get(stat.remoteCandidateId));
      return {
        id: stat.id,
        local,
        remote,
        state: STATES.find((state) => state === stat.state) ?? "frozen",
        nominated: Boolean(stat.nominated),
        // Firefox marks the pair itself.
        selected: named ? named.selectedCandidatePairId === stat.id : Boolean(stat.selected),
        priority: pairPriority(local.priority, remote.priority),
        asked: stat.requestsSent ?? null,
        answered: stat.responsesReceived ?? null,
        // Firefox has nought for a pair that was never answered.
        rtt: stat.currentRoundTripTime ? Math.round(stat.currentRoundTripTime * 10_000) / 10 : null,
      };
    });
  return pairs.sort((a, b) => (a.priority < b.priority ? 1 : a.priority > b.priority ? -1 : 0));
}

/**
 * Why the selected pair was chosen: the words' key.
 * @param {readonly Pair[]} pairs
 */
export function whySelected(pairs) {
  const chosen = pairs.find(({ selected }) => selected);
  if (!chosen) return pairs.length > 0 ? "why.none" : "why.nothing";
  const working = pairs.filter(({ state }) => state === "succeeded");
  if (working.length < 2) return "why.only";
  return working.every(({ priority }) => priority <= chosen.priority) ? "why.best" : "why.first";
}

/**
 * The ends of all pairs on each side, each once, in the order of the pairs.
 * @param {readonly Pair[]} pairs
 */
export function endsOf(pairs) {
  const unique = (/** @type {"local" | "remote"} */ side) => [...new Map(pairs.map((pair) => [pair[side].id, pair[side]])).values()];
  return { local: unique("local"), remote: unique("remote") };
}

/** @param {any} stat @returns {End} */
function end(stat) {
  return {
    id: stat.id,
    type: stat.candidateType,
    protocol: (stat.protocol ?? "udp").toLowerCase(),
    address: stat.address ?? "",
    port: stat.port ?? 0,
    priority: stat.priority ?? 0,
  };
}
