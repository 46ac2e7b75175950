/** The parts of a candidate, and how ICE computes priorities from them (RFC 8445 §5.1.2, §6.1.2.3). */

import { parseCandidate } from "../candidate.js";

/**
 * @typedef {{ type: number, local: number, component: number }} Priority
 * @typedef {import("../candidate.js").Candidate & { foundation: string, component: number, parts: Priority, url: string, after: number }} Anatomy
 */

/**
 * @param {string} line
 * @param {string} url of the server that gave it; empty when none did, or the browser does not say
 * @param {number} after ms since the beginning
 * @returns {Anatomy | null} null for what is no candidate
 */
export function anatomyOf(line, url, after) {
  const candidate = parseCandidate(line);
  if (!candidate) return null;
  const [foundation, component] = line.replace(/^(a=)?candidate:/, "").split(" ");
  return { ...candidate, foundation, component: Number(component), parts: splitPriority(candidate.priority), url, after };
}

/**
 * 2²⁴ × type preference + 2⁸ × local preference + (256 − component).
 * @param {number} priority
 * @returns {Priority}
 */
export function splitPriority(priority) {
  return { type: Math.floor(priority / 2 ** 24), local: Math.floor(priority / 2 ** 8) % 2 ** 16, component: 256 - (priority % 2 ** 8) };
}

/**
 * 2³² × the smaller + 2 × the larger + 1 if the controlling side's is the larger: more than a double can hold.
 * @param {number} controlling
 * @param {number} controlled
 */
export function pairPriority(controlling, controlled) {
  const [g, d] = [BigInt(controlling), BigInt(controlled)];
  return 2n ** 32n * (g < d ? g : d) + 2n * (g > d ? g : d) + (g > d ? 1n : 0n);
}
