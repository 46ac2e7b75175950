/** What a probe's outcome means, and which words tell it. */

import { isHidden } from "../candidate.js";

/**
 * @typedef {object} Refusal an `icecandidateerror`
 * @property {number} code
 * @property {string} text
 *
 * @typedef {object} Carried what went through the relay and came back
 * @property {number | null} rtt milliseconds, there and back; null when nothing came back in time
 * @property {number} mbit each second
 * @property {number} sent datagrams, at the rate of a call
 * @property {number} lost of them
 *
 * @typedef {{ why: NonNullable<ReturnType<typeof import("./targets.js").barrier>> | "browser", text: string }} Barred `text` is
 *   the browser's own word
 *
 * @typedef {object} Outcome
 * @property {import("./targets.js").Target} target
 * @property {import("../candidate.js").Candidate[]} candidates that the server has given
 * @property {Refusal[]} refusals
 * @property {Refusal[]} farRefusals what the other end of the call through the relay was told
 * @property {number | null} answeredAfter ms until the first candidate
 * @property {boolean} complete whether gathering came to its end in time
 * @property {Carried | null} carried null when nothing went through, or nothing was to
 * @property {Barred} [barred] by what the server could not be asked at all
 *
 * @typedef {"good" | "warn" | "bad"} Tone
 * @typedef {{ tone: Tone, key: string, params: Record<string, string | number>, next: string | null }} Verdict
 */

/** How long a server is waited for (ms). Chromium itself gives up on TURN over UDP only after forty seconds. */
export const PATIENCE = 15_000;
/** The browser's own code: no answer came. */
const UNREACHED = 701;
/** More loss than this spoils a call. */
const MUCH_LOSS = 0.05;

/** How long a packet through the relay may be under way, there and back (ms). */
export const PING_WITHIN = 2000;

/** What Firefox makes of every code from 500 on. */
const SERVERS_OWN = 65535;

/**
 * Codes that have words of their own: 701 and 65535 are browsers', the others the server's (RFC 8489, RFC 8656).
 *
 * Browsers show what a server answers to Allocate, and nothing of what comes later. So of these,
 * - 403 is what servers say to permissions, where browsers keep it to themselves: then nothing gets through, and that is told.
 *   To Allocate, servers with rules of their own about clients say it.
 * - 437 to Allocate means that another client's allocation is at this address and port. Chromium tries two more ports first.
 * - 438 is shown to who brings the nonce that he got just before; to a Refresh, browsers go on with the new one by themselves.
 * - 441 belongs to requests about an allocation that others made, which browsers never send. It has words for servers
 *   that say it to Allocate.
 */
export const EXPLAINED = [400, 401, 403, 437, 438, 440, 441, 442, 486, 500, 508, 701, SERVERS_OWN];

/**
 * What is known of a server that has not been asked yet.
 * @param {import("./targets.js").Target} target
 * @returns {Outcome}
 */
export function blank(target) {
  return { target, candidates: [], refusals: [], farRefusals: [], answeredAfter: null, complete: false, carried: null };
}

/**
 * @param {Outcome} outcome
 * @returns {Verdict}
 */
export function verdict(outcome) {
  const { target, candidates, farRefusals, carried, barred } = outcome;
  if (barred) return say("bad", `verdict.barred.${barred.why}`, { text: barred.text }, `next.barred.${barred.why}`);
  if (candidates.length === 0) return withoutAnswer(outcome);
  if (target.kind === "stun") return say("good", "verdict.stun", {}, null);
  if (!carried) return notCarried(farRefusals);
  const percent = Math.round((100 * carried.lost) / Math.max(1, carried.sent));
  if (carried.lost > carried.sent * MUCH_LOSS) return say("warn", "verdict.lossy", { percent }, "next.lossy");
  if (carried.rtt === null) return say("warn", "verdict.late", { seconds: PING_WITHIN / 1000 }, "next.lossy");
  return say("good", "verdict.turn", {}, null);
}

/**
 * Which families the addresses are of that the server has given; a hidden one does not tell.
 * @param {readonly import("../candidate.js").Candidate[]} candidates
 */
export function familiesOf(candidates) {
  const plain = candidates.map(({ address }) => address).filter((address) => !isHidden(address));
  return { ipv4: plain.some((address) => !address.includes(":")), ipv6: plain.some((address) => address.includes(":")) };
}

/**
 * What all outcomes together say about the two families.
 * @param {readonly Outcome[]} outcomes
 */
export function familiesSummary(outcomes) {
  const families = outcomes.map(({ candidates }) => familiesOf(candidates));
  const ipv4 = families.some((family) => family.ipv4);
  const ipv6 = families.some((family) => family.ipv6);
  if (ipv4 && ipv6) return "families.both";
  if (ipv4) return "families.ipv4";
  return ipv6 ? "families.ipv6" : "families.none";
}

/**
 * @param {Outcome} outcome
 * @returns {Verdict}
 */
function withoutAnswer({ target, refusals, complete }) {
  const refusal = tellingOf(refusals);
  const way = target.kind === "stun" ? "stun" : target.transport;
  const reach = `next.701.${way}`;
  if (refusal?.code === UNREACHED) return say("bad", "verdict.code.701", {}, reach);
  if (refusal) return refused(refusal);
  if (!complete) return say("bad", "verdict.timeout", { seconds: PATIENCE / 1000 }, reach);
  // A browser tells no reflexive address that is the same as its own.
  if (target.kind === "stun") return say("warn", "verdict.same", {}, "next.same");
  return say("bad", "verdict.silent", {}, "next.silent");
}

/**
 * A relay lent one address, and nothing went through. The other end of that call may know why: each end borrows its own.
 * @param {readonly Refusal[]} farRefusals
 */
function notCarried(farRefusals) {
  const refusal = tellingOf(farRefusals);
  return refusal && refusal.code !== UNREACHED ? refused(refusal) : say("bad", "verdict.denied", {}, "next.denied");
}

/** @param {Refusal} refusal of the server's own */
function refused({ code, text }) {
  return EXPLAINED.includes(code)
    ? say("bad", `verdict.code.${code}`, {}, `next.${code}`)
    : say("bad", "verdict.code.other", { code, text: text || "–" }, "next.other");
}

/**
 * What the server says itself tells more than that one of several ways to it led nowhere.
 * @param {readonly Refusal[]} refusals
 */
function tellingOf(refusals) {
  return refusals.find(({ code }) => code !== UNREACHED) ?? refusals[0];
}

/**
 * @param {Tone} tone
 * @param {string} key
 * @param {Record<string, string | number>} params
 * @param {string | null} next
 * @returns {Verdict}
 */
function say(tone, key, params, next) {
  return { tone, key, params, next };
}
