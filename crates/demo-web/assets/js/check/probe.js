/** Asks one server over one transport, with a connection that knows no other; a relay has to carry data, too. */

import { parseCandidate } from "../candidate.js";
import { carry } from "./carry.js";
import { serverOf } from "./targets.js";
import { blank, PATIENCE } from "./verdict.js";

/** @typedef {import("./verdict.js").Outcome} Outcome */

/**
 * @param {import("./targets.js").Target} target
 * @returns {Promise<Outcome>}
 */
export async function probe(target) {
  const outcome = blank(target);
  const pc = open(target);
  if (!pc) return { ...outcome, unsupported: true };
  try {
    await gather(pc, outcome);
    if (target.kind === "turn" && outcome.candidates.length > 0) {
      const far = open(target);
      if (far) noteRefusals(far, outcome.farRefusals);
      outcome.carried = await carry(pc, far);
    }
  } finally {
    pc.close();
  }
  return outcome;
}

/**
 * No browser speaks DTLS with a TURN server, though some accept the address.
 * @param {import("./targets.js").Target} target
 */
function open(target) {
  if (target.transport === "dtls") return null;
  try {
    const iceTransportPolicy = target.kind === "turn" ? "relay" : "all";
    return new RTCPeerConnection({ iceServers: [serverOf(target)], iceTransportPolicy });
  } catch {
    return null;
  }
}

/**
 * Waits for all that the server has to say, or for a relay address and a moment more.
 * @param {RTCPeerConnection} pc
 * @param {Outcome} outcome
 */
async function gather(pc, outcome) {
  const wanted = outcome.target.kind === "turn" ? "relay" : "srflx";
  const began = performance.now();
  /** @type {Promise<void>} */
  const ended = new Promise((resolve) => {
    setTimeout(resolve, PATIENCE);
    pc.addEventListener("icecandidate", ({ candidate }) => {
      const read = candidate && parseCandidate(candidate.candidate);
      if (!candidate) {
        outcome.complete = true;
        return resolve();
      }
      if (read?.type !== wanted) return;
      outcome.candidates.push(read);
      outcome.answeredAfter ??= Math.round(performance.now() - began);
      // A second address family, if any, answers about as fast.
      setTimeout(resolve, Math.max(500, outcome.answeredAfter));
    });
  });
  noteRefusals(pc, outcome.refusals);
  pc.createDataChannel("echo", { negotiated: true, id: 0, ordered: false, maxRetransmits: 0 });
  await pc.setLocalDescription();
  await ended;
}

/**
 * @param {RTCPeerConnection} pc
 * @param {import("./verdict.js").Refusal[]} refusals
 */
function noteRefusals(pc, refusals) {
  pc.addEventListener("icecandidateerror", ({ errorCode, errorText }) => {
    const refusal = { code: errorCode, text: errorText ?? "" };
    const known = refusals.some(({ code, text }) => code === refusal.code && text === refusal.text);
    if (!known) refusals.push(refusal);
  });
}
