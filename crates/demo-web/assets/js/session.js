/** From entering a room to hanging up, without a look at the page. */

import { Call } from "./call.js";
import { LocalMedia } from "./local-media.js";
import { lackingKeys, unavailable } from "./media.js";
import { Network } from "./network.js";
import { lacksRelay } from "./relay-choice.js";
import { Problem, Signaling } from "./signaling.js";

/** A member that vanished is noticed late by the server: until then our own old place fills the room (ms). */
const COME_BACK_EVERY = 3000;
/** A picture goes to each of them apart, so how many there can be is a matter of upload and of the processor. */
export const MOST_OTHERS = 3;
/** How long it is said that somebody left, while others are there (ms). */
const FAREWELL = 10_000;
/** Not worth a word: somebody has just left; the server stops or has lost its store, and the lost connection shows that. */
const QUIET = ["unknown_peer", "closing", "unavailable"];

/**
 * @typedef {{ key: string, params?: Record<string, string> }} Notice
 * @typedef {import("./media.js").Wish} Wish
 * @typedef {{ room: string, name: string, token: string | null, wish: Wish, relay: import("./relay-choice.js").Relay }} Entry
 */

/** Fires `change` when any of its facts changed, and `call` with each new Call as `detail`. */
export class Session extends EventTarget {
  media = new LocalMedia();
  /** @type {import("./state.js").Facts["phase"]} */
  phase = "lobby";
  /** @type {import("./state.js").Facts["why"]} */
  why = null;
  linked = false;
  /** Who has left last, while it is news. @type {Call | null} */
  left = null;
  /** The call with each other member of the room, by the member's id, in the order in which they came. @type {Map<string, Call>} */
  calls = new Map();
  /** Sentences the user should read; empty when all is well. @type {Notice[]} */
  notices = [];
  /** @type {import("./relay-choice.js").Relay} */
  relay = "off";

  #url;
  #network = new Network();
  /** Calls that search for a path once signaling is back. @type {Set<Call>} */
  #moved = new Set();
  /** @type {Signaling | null} */
  #signaling = null;
  /** @type {Entry | null} */
  #entry = null;
  /** @type {import("./signaling.js").Ice} */
  #ice = { iceServers: [], iceTtl: 0 };
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #comeBack;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #farewell;

  /** @param {string | null} url of signaling; null means the origin of the page */
  constructor(url) {
    super();
    this.#url = url;
    this.media.addEventListener("change", () => this.#changed());
    this.media.addEventListener("replaced", () => this.#attach());
    this.#network.addEventListener("change", () => this.#changed());
    this.#network.addEventListener("moved", () => this.#move());
  }

  /** Whether the browser knows of no network. */
  get offline() {
    return this.#network.offline;
  }

  /**
   * Opens what is wished for before a room is entered, for a look at oneself.
   * @param {Wish} wish
   */
  async preview(wish) {
    const notices = await this.#openMedia(wish);
    if (this.phase !== "lobby") return;
    this.notices = notices;
    this.#changed();
  }

  /**
   * Opens another device than before.
   * @param {import("./local-media.js").Kind} kind
   * @param {string} id
   */
  async choose(kind, id) {
    this.media.chosen = { ...this.media.chosen, [kind]: id };
    this.media.drop(kind);
    await this.preview({ audio: kind === "audio", video: kind === "video" });
  }

  /**
   * Opens what is wished for, then enters the room and stays until `leave`.
   * @param {Entry} entry
   */
  async enter(entry) {
    this.#entry = entry;
    this.relay = entry.relay;
    this.#become("media", null);
    for (const kind of /** @type {const} */ (["audio", "video"])) if (!entry.wish[kind]) this.media.drop(kind);
    const notices = await this.#openMedia(entry.wish);
    if (this.#entry !== entry) return;
    this.notices = notices;
    this.#become("signaling", null);
    this.#signaling = this.#listen(new Signaling(this.#url));
    this.#signaling.open();
  }

  /** Hangs up; the others are told. */
  leave() {
    this.#end("ended", []);
  }

  /** @param {import("./relay-choice.js").Relay} relay */
  setRelay(relay) {
    this.relay = relay;
    for (const call of this.calls.values()) call.setRelay(relay);
    this.#noteRelay();
    this.#changed();
  }

  /**
   * Switches a track, or opens the device when there is none yet.
   * @param {import("./local-media.js").Kind} kind
   */
  async toggle(kind) {
    if (this.media.track(kind)) return this.media.toggle(kind);
    const notices = await this.#openMedia({ audio: kind === "audio", video: kind === "video" });
    if (this.phase === "lobby") return;
    this.notices = [...this.notices.filter(({ key }) => !key.startsWith("media.")), ...notices];
    await this.#attach();
    this.#changed();
  }

  /** Shows the screen instead of the camera, or ends that. */
  async share() {
    const { screen } = this.media;
    if (screen.track) return screen.stop();
    this.notices = this.notices.filter(({ key }) => key !== "screen.failed");
    const problem = await screen.start();
    if (problem && this.phase !== "lobby") this.#note({ key: `screen.${problem}` });
  }

  /** Sends what there is now to everybody. */
  async #attach() {
    await Promise.all([...this.calls.values()].map((call) => call.attach()));
  }

  /**
   * @param {Wish} wish
   * @returns {Promise<Notice[]>}
   */
  async #openMedia(wish) {
    const has = { audio: this.media.track("audio") !== null, video: this.media.track("video") !== null };
    const missing = { audio: wish.audio && !has.audio, video: wish.video && !has.video };
    if (!missing.audio && !missing.video) return [];
    const reason = unavailable(window);
    if (reason) return [{ key: `media.${reason}`, params: { origin: location.origin } }];
    const lacking = await this.media.open(missing);
    const sent = { audio: wish.audio || has.audio, video: wish.video || has.video };
    return lackingKeys(lacking, sent).map((key) => ({ key }));
  }

  /** @param {Signaling} signaling */
  #listen(signaling) {
    /** @type {Record<string, (detail: any) => void>} */
    const handlers = {
      up: () => this.#comeIn(),
      down: () => this.#linkIs(false),
      unreachable: () => this.#note({ key: "problem.unreachable" }),
      problem: (problem) => !QUIET.includes(problem.code) && this.#note(noticeOf(problem)),
      "peer-joined": (peer) => this.#meet(peer, false),
      "peer-reconnecting": ({ id }) => this.#peerIs(id, true),
      "peer-reconnected": ({ id }) => this.#peerIs(id, false),
      "peer-left": ({ id }) => this.#part(id),
      offer: (message) => this.#deliver(message),
      answer: (message) => this.#deliver(message),
      candidate: (message) => this.#deliver(message),
      ice: (ice) => this.#renew(ice),
    };
    for (const [name, handle] of Object.entries(handlers)) {
      signaling.addEventListener(name, (event) => handle(/** @type {CustomEvent} */ (event).detail));
    }
    return signaling;
  }

  /** Goes on where the connection was lost, or else enters anew. */
  async #comeIn() {
    const signaling = this.#signaling;
    if (!signaling?.resumable) return this.#join();
    try {
      const ice = await signaling.resume();
      this.#forgetProblems();
      this.#linkIs(true);
      this.#renew(ice);
      for (const call of this.#moved) call.move();
      this.#moved.clear();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // If the connection was lost again, the next one begins here too.
      if (signaling === this.#signaling && signaling.connected) await this.#join();
    }
  }

  /** Comes in over the network there is now, for what went over the old one may hang; the calls follow. */
  #move() {
    for (const call of this.calls.values()) this.#moved.add(call);
    this.#signaling?.reconnect();
  }

  /**
   * It is our network, changed without a word from the browser, only if nobody is heard.
   * @param {Call} call
   */
  #missed(call) {
    if (this.#moved.has(call)) return;
    if ([...this.calls.values()].some(({ hears }) => hears)) call.move();
    else this.#move();
  }

  async #join() {
    const entry = this.#entry;
    clearTimeout(this.#comeBack);
    if (!entry || !this.#signaling?.connected) return;
    try {
      const joined = await this.#signaling.join(entry.room, entry.name, entry.token);
      if (entry === this.#entry) this.#joined(joined);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      // What was hung up meanwhile has nothing to say to whoever entered since.
      if (entry === this.#entry) this.#notJoined(error);
    }
  }

  /** @param {import("./signaling.js").Joined} joined */
  #joined(joined) {
    // The server may admit more than a page can send its picture to.
    if (joined.peers.length > MOST_OTHERS) {
      this.#signaling?.leave();
      return this.#notJoined(new Problem("room_full", "too many to call"));
    }
    this.#ice = joined;
    this.#forgetProblems();
    this.#noteRelay();
    this.#hangUpAll();
    this.#moved.clear();
    this.#become("joined", null);
    this.#linkIs(true);
    for (const peer of joined.peers) {
      this.#meet(peer, true);
      if (peer.reconnecting) this.#peerIs(peer.id, true);
    }
  }

  /** @param {Problem} problem */
  #notJoined(problem) {
    if (["unreachable", "closing", "unavailable"].includes(problem.code)) this.#note({ key: "problem.unreachable" });
    else if (problem.code !== "room_full" || this.phase !== "joined") return this.#end("refused", [noticeOf(problem)]);
    this.#comeBack = setTimeout(() => this.#join(), COME_BACK_EVERY);
  }

  /**
   * @param {{ id: string, name: string }} peer
   * @param {boolean} polite
   */
  #meet(peer, polite) {
    // Who finds that many here goes by itself; whoever else a larger room admits is not ours to answer.
    if (this.calls.has(peer.id) || this.calls.size >= MOST_OTHERS || !this.#signaling) return;
    const { relay, media } = this;
    const call = new Call({ peer, polite, signaling: this.#signaling, ice: this.#ice, relay, media });
    call.addEventListener("change", () => {
      if (call.state === "connected") this.#forgetProblems();
      this.#changed();
    });
    call.addEventListener("silent", () => this.#missed(call));
    this.calls.set(peer.id, call);
    this.#leftIs(null);
    media.fit(this.calls.size);
    this.dispatchEvent(new CustomEvent("call", { detail: call }));
    this.#changed();
  }

  /**
   * @param {string} id
   * @param {boolean} away
   */
  #peerIs(id, away) {
    const call = this.calls.get(id);
    if (!call) return;
    call.away = away;
    this.#changed();
  }

  /** @param {string} id */
  #part(id) {
    const call = this.calls.get(id);
    if (!call) return;
    call.close();
    this.calls.delete(id);
    this.media.fit(this.calls.size);
    this.#leftIs(call);
    this.#changed();
  }

  /** @param {Call | null} call */
  #leftIs(call) {
    clearTimeout(this.#farewell);
    this.left = call;
    if (call === null || this.calls.size === 0) return;
    this.#farewell = setTimeout(() => {
      // Alone, one still wants to know who is missing.
      if (this.calls.size > 0) this.left = null;
      this.#changed();
    }, FAREWELL);
  }

  /** @param {{ from: string } & Parameters<Call["take"]>[0]} message */
  async #deliver(message) {
    await this.calls.get(message.from)?.take(message);
  }

  /**
   * Goes on with credentials that the server renewed.
   * @param {import("./signaling.js").Ice} ice
   */
  #renew(ice) {
    this.#ice = ice;
    for (const call of this.calls.values()) call.renew(ice);
    this.#noteRelay();
    this.#changed();
  }

  /** @param {boolean} linked */
  #linkIs(linked) {
    this.linked = linked;
    this.#changed();
  }

  /** Says so when only a relay is allowed and the server offered none. */
  #noteRelay() {
    this.notices = this.notices.filter(({ key }) => !key.startsWith("relay.none"));
    if (!this.linked || !lacksRelay(this.#ice.iceServers, this.relay)) return;
    if (this.relay === "any") this.notices.push({ key: "relay.none" });
    else this.notices.push({ key: "relay.none.over", params: { transport: this.relay.toUpperCase() } });
  }

  #forgetProblems() {
    this.notices = this.notices.filter(({ key }) => !key.startsWith("problem."));
  }

  /** @param {Notice} notice */
  #note(notice) {
    if (!this.notices.some(({ key }) => key === notice.key)) this.notices = [...this.notices, notice];
    this.#changed();
  }

  /**
   * @param {"ended" | "refused"} why
   * @param {Notice[]} notices
   */
  #end(why, notices) {
    clearTimeout(this.#comeBack);
    this.#entry = null;
    this.#signaling?.close();
    this.#signaling = null;
    this.#hangUpAll();
    this.media.stop();
    this.linked = false;
    this.notices = notices;
    this.#become("lobby", why);
  }

  #hangUpAll() {
    for (const call of this.calls.values()) call.close();
    this.calls.clear();
  }

  /**
   * @param {import("./state.js").Facts["phase"]} phase
   * @param {import("./state.js").Facts["why"]} why
   */
  #become(phase, why) {
    if (phase !== this.phase) this.#leftIs(null);
    this.phase = phase;
    this.why = why;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * @param {Problem} problem
 * @returns {Notice}
 */
function noticeOf({ code, message }) {
  const known = [
    "bad_room", "bad_name", "room_full", "server_full", "too_large", "too_fast", "too_slow", "not_joined",
    "already_joined", "token_required", "bad_token", "forbidden", "replaced", "cannot_resume", "unreachable",
  ];
  return known.includes(code) ? { key: `problem.${code}` } : { key: "problem.other", params: { message } };
}
