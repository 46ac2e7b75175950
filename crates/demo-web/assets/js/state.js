/** What the state line says, and which steps towards a call are done, from the facts of a session. */

import { isRelayed } from "./path.js";

/**
 * @typedef {object} Facts
 * @property {"lobby" | "media" | "signaling" | "joined"} phase
 * @property {boolean} linked whether signaling is connected
 * @property {boolean} [away] whether the other side has lost signaling and is waited for
 * @property {"ended" | "refused" | null} why the session is in the lobby again
 * @property {string | null} left who has left last, null when nobody
 * @property {CallFacts | null} call
 *
 * @typedef {object} CallFacts
 * @property {{ name: string }} peer
 * @property {import("./call.js").CallState} state
 * @property {import("./path.js").Path | null} path
 * @property {{ offer: boolean, answer: boolean, candidates: boolean }} progress
 *
 * @typedef {"idle" | "busy" | "good" | "warn" | "bad"} Tone
 * @typedef {{ key: string, params: Record<string, string>, tone: Tone }} StateLine
 */

/**
 * @param {Facts} facts
 * @returns {StateLine}
 */
export function stateLine(facts) {
  if (facts.phase === "lobby") return lobby(facts.why);
  if (facts.phase !== "joined") return line(`state.${facts.phase}`, "busy");
  if (!facts.linked) return line("state.signalingLost", "warn");
  if (facts.call && facts.away) return line("state.peerReconnecting", "warn", { name: facts.call.peer.name });
  if (facts.call) return inCall(facts.call);
  if (facts.left !== null) return line("state.left", "warn", { name: facts.left });
  return line("state.waiting", "busy");
}

/** The steps in their order; the page lists them under `steps.…`. */
export const STEPS = /** @type {const} */ (["media", "signaling", "peer", "offer", "answer", "candidates", "pair"]);

/**
 * @param {Facts} facts
 * @returns {Set<typeof STEPS[number]>}
 */
export function stepsDone({ phase, call }) {
  const done = {
    media: phase === "signaling" || phase === "joined",
    signaling: phase === "joined",
    peer: call !== null,
    offer: call?.progress.offer,
    answer: call?.progress.answer,
    candidates: call?.progress.candidates,
    pair: Boolean(call?.path),
  };
  return new Set(STEPS.filter((step) => done[step]));
}

/** @param {Facts["why"]} why */
function lobby(why) {
  if (why === "refused") return line("state.refused", "bad");
  return line(why === "ended" ? "state.ended" : "state.lobby", "idle");
}

/** @param {CallFacts} call */
function inCall({ peer, state, path }) {
  const { name } = peer;
  if (state !== "connected") return line(`state.${state}`, state === "reconnecting" ? "warn" : "busy", { name });
  if (!path) return line("state.connected", "good", { name });
  const { local, remote } = path;
  const key = isRelayed(path) ? "state.connected.relay" : "state.connected.direct";
  const transport = local.protocol.toUpperCase();
  return line(key, "good", { name, local: local.type, remote: remote.type, transport });
}

/**
 * @param {string} key
 * @param {Tone} tone
 * @param {Record<string, string>} [params]
 * @returns {StateLine}
 */
function line(key, tone, params = {}) {
  return { key, params, tone };
}
