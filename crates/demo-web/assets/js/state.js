/** What the state line says, and which steps towards a call are done, from the facts of a session. */

import { isRelayed } from "./path.js";

/**
 * @typedef {object} Facts
 * @property {"lobby" | "media" | "signaling" | "joined"} phase
 * @property {boolean} linked whether signaling is connected
 * @property {boolean} [offline] whether the browser knows of no network
 * @property {"ended" | "refused" | null} why the session is in the lobby again
 * @property {CallFacts | null} left who has left last, null when nobody
 * @property {ReadonlyMap<string, CallFacts>} calls
 *
 * @typedef {object} CallFacts
 * @property {{ name: string }} peer
 * @property {import("./call.js").CallState} state
 * @property {boolean} away whether the other side has lost signaling and is waited for
 * @property {import("./path.js").Path | null} path
 * @property {{ offer: boolean, answer: boolean, candidates: boolean }} progress
 *
 * @typedef {"idle" | "busy" | "good" | "warn" | "bad"} Tone
 * @typedef {{ key: string, params: Record<string, string>, people: readonly CallFacts[] }} Sentence `people` are those it
 *   speaks of: the first is `{name}` in its words, all of them are `{names}`
 * @typedef {{ tone: Tone, sentences: Sentence[] }} StateLine
 */

/**
 * @param {Facts} facts
 * @returns {StateLine}
 */
export function stateLine(facts) {
  if (facts.phase === "lobby") return lobby(facts.why);
  // At localhost a call goes on without a network, and signaling with it.
  if (facts.offline && !facts.linked && facts.phase !== "media") return line("warn", sentence("state.offline"));
  if (facts.phase !== "joined") return line("busy", sentence(`state.${facts.phase}`));
  if (!facts.linked) return line("warn", sentence("state.signalingLost"));
  const calls = [...facts.calls.values()];
  if (calls.length > 1 || (calls.length === 1 && facts.left !== null)) return together(calls, facts.left);
  if (calls.length === 1) return inCall(calls[0]);
  if (facts.left !== null) return line("warn", sentence("state.left", [facts.left]));
  return line("busy", sentence("state.waiting"));
}

/** The steps in their order; the page lists them under `steps.…`. */
export const STEPS = /** @type {const} */ (["media", "signaling", "peer", "offer", "answer", "candidates", "pair"]);

/**
 * @param {Pick<Facts, "phase">} facts
 * @param {CallFacts | null} call
 * @returns {Set<typeof STEPS[number]>}
 */
export function stepsDone({ phase }, call) {
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

/**
 * What one call is at, in a word or two; the page has the words under `tile.…`.
 * @param {CallFacts} call
 */
export function callState({ state, away, path }) {
  if (state !== "connected") return state;
  if (away) return "away";
  if (!path) return "connected";
  return isRelayed(path) ? "relay" : "direct";
}

/** @param {Facts["why"]} why */
function lobby(why) {
  if (why === "refused") return line("bad", sentence("state.refused"));
  return line("idle", sentence(why === "ended" ? "state.ended" : "state.lobby"));
}

/**
 * @param {CallFacts} call
 * @returns {StateLine}
 */
function inCall(call) {
  const { state, path, away } = call;
  if (away) return line("warn", sentence("state.peerReconnecting", [call]));
  if (state !== "connected") return line(state === "reconnecting" ? "warn" : "busy", sentence(`state.${state}`, [call]));
  if (!path) return line("good", sentence("state.connected", [call]));
  const { local, remote } = path;
  const key = isRelayed(path) ? "state.connected.relay" : "state.connected.direct";
  const transport = local.protocol.toUpperCase();
  return line("good", sentence(key, [call], { local: local.type, remote: remote.type, transport }));
}

/**
 * How it stands with each of several, those alike together.
 * @param {readonly CallFacts[]} calls
 * @param {CallFacts | null} left
 * @returns {StateLine}
 */
function together(calls, left) {
  const groups = {
    connected: calls.filter(({ state }) => state === "connected"),
    connecting: calls.filter(({ state, away }) => state === "connecting" && !away),
    switching: calls.filter(({ state, away }) => state === "switching" && !away),
    reconnecting: calls.filter(({ state, away }) => state === "reconnecting" && !away),
    away: calls.filter(({ away }) => away),
  };
  const sentences = Object.entries(groups)
    .filter(([, people]) => people.length > 0)
    .map(([group, people]) => sentence(`state.several.${group}`, people));
  if (left !== null) sentences.unshift(sentence("state.several.left", [left]));
  const troubled = left !== null || groups.reconnecting.length + groups.away.length > 0;
  const busy = groups.connecting.length + groups.switching.length > 0;
  return line(troubled ? "warn" : busy ? "busy" : "good", ...sentences);
}

/**
 * @param {string} key
 * @param {readonly CallFacts[]} [people]
 * @param {Record<string, string>} [params]
 * @returns {Sentence}
 */
function sentence(key, people = [], params = {}) {
  return { key, params, people };
}

/**
 * @param {Tone} tone
 * @param {...Sentence} sentences
 * @returns {StateLine}
 */
function line(tone, ...sentences) {
  return { tone, sentences };
}
