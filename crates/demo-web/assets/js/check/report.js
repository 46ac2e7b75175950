/** The report that can be copied: for somebody else to read, so without secrets, and with addresses on request only. */

import { place } from "../candidate.js";
import { familiesOf, verdict } from "./verdict.js";

/** An address in a sentence of a server, which may be ours. */
const IN_TEXT = /\[?\b(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})\b\]?(?::\d+)?/gi;

/**
 * @typedef {object} Facts
 * @property {Date} at
 * @property {string} browser
 * @property {readonly import("./verdict.js").Outcome[]} outcomes
 * @property {readonly import("./devices.js").Device[]} devices
 * @property {(key: string, params?: Record<string, string | number>) => string} t
 */

/**
 * @param {Facts} facts
 * @param {{ addresses: boolean }} options whether this side's own addresses are told
 */
export function report({ at, browser, outcomes, devices, t }, { addresses }) {
  return {
    report: "watari check 1",
    at: at.toISOString(),
    browser,
    servers: outcomes.map((outcome) => serverReport(outcome, t, addresses)),
    devices: devices.map(({ kind, state, detail }) => ({ kind, state, ...(detail ? { detail } : {}) })),
  };
}

/**
 * The user's name of time-limited credentials says when they end; nothing else of it goes out.
 * @param {string} username
 * @param {number} now ms
 */
export function redactUser(username, now) {
  if (!username) return null;
  const expiry = /^(\d{9,11})(?::|$)/.exec(username)?.[1];
  if (!expiry) return "redacted";
  return Number(expiry) * 1000 > now ? "redacted, time-limited, still valid" : "redacted, time-limited, expired";
}

/**
 * @param {import("./verdict.js").Outcome} outcome
 * @param {Facts["t"]} t
 * @param {boolean} addresses
 */
function serverReport(outcome, t, addresses) {
  const { target, candidates, answeredAfter, carried } = outcome;
  const told = (/** @type {import("./verdict.js").Refusal} */ { code, text }) => ({ code, text: redactText(text, target, addresses) });
  const [refusals, farRefusals] = [outcome.refusals, outcome.farRefusals].map((list) => list.map(told));
  // The verdict may repeat what the server said.
  const barred = outcome.barred && { ...outcome.barred, text: redactText(outcome.barred.text, target, addresses) };
  const { tone, key, params, next } = verdict({ ...outcome, refusals, farRefusals, barred });
  return {
    url: target.url,
    transport: target.transport,
    username: redactUser(target.username, Date.now()),
    verdict: tone,
    means: t(key, params),
    next: next && t(next),
    answeredAfterMs: answeredAfter,
    families: familiesOf(candidates),
    errors: refusals,
    farErrors: farRefusals,
    relay: carried,
    ...(addresses ? { candidates: candidates.map(candidateReport) } : {}),
  };
}

/**
 * @param {string} text of a server, which may repeat what it was told
 * @param {import("./targets.js").Target} target
 * @param {boolean} addresses
 */
function redactText(text, { username, credential }, addresses) {
  let told = text;
  for (const secret of [credential, username]) if (secret) told = told.replaceAll(secret, "(redacted)");
  return addresses ? told : told.replace(IN_TEXT, "(address)");
}

/** @param {import("../candidate.js").Candidate} candidate */
function candidateReport({ type, protocol, address, port, related }) {
  return { type, protocol, address: place(address, port), related };
}
