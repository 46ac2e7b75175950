/** Asks one server over one transport, with a connection that knows no other; a relay has to carry data, too. */

import { parseCandidate } from "../candidate.js";
import { carry } from "./carry.js";
import { barrier, serverOf } from "./targets.js";
import { blank, PATIENCE } from "./verdict.js";

/** @typedef {import("./verdict.js").Outcome} Outcome */

/**
 * @param {import("./targets.js").Target} target
 * @returns {Promise<Outcome>} never rejects: what the browser refuses is an outcome, too
 */
export async function probe(target) {
  const outcome = blank(target);
  const why = barrier(target);
  if (why) return { ...outcome, barred: { why, text: "" } };
  /** @type {RTCPeerConnection[]} */
  const ends = [];
  const open = () => {
    const iceTransportPolicy = target.kind === "turn" ? "relay" : "all";
    const pc = new RTCPeerConnection({ iceServers: [serverOf(target)], iceTransportPolicy });
    ends.push(pc);
    return pc;
  };
  try {
    const near = open();
    await gather(near, outcome);
    if (target.kind === "turn" && outcome.candidates.length > 0) {
      const far = open();
      noteRefusals(far, outcome.farRefusals);
      outcome.carried = await carry(near, far);
    }
  } catch (error) {
    outcome.barred = { why: "browser", text: error instanceof Error ? error.message : String(error) };
  } finally {
    for (const pc of ends) pc.close();
  }
  return outcome;
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
