/** The client side of the room protocol, over Socket.IO. */

import { io } from "/vendor/socket.io.esm.min.js";

import { Pace } from "./pace.js";

/**
 * @typedef {{ id: string, name: string, reconnecting?: boolean }} Member
 * @typedef {{ iceServers: RTCIceServer[], iceTtl: number }} Ice
 * @typedef {{ self: Member, room: string, peers: Member[], waiting: boolean } & Ice} Joined
 */

/** Why the server refused; `code` is one of the room protocol's. */
export class Problem extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const ANSWER_WITHIN = 8000;
const COME_BACK_AFTER = 4000;
const FROM_PEERS = [
  "peer-joined", "peer-reconnecting", "peer-reconnected", "peer-left", "waiting", "offer", "answer", "candidate",
];
/** Signals kept, of which the server says only to who comes back how many it has; a search for a path takes a few dozen. */
const KEPT = 256;

/**
 * Fires the server's events under their own names with the payload as `detail`, and besides them `up` and
 * `down` (the connection), `unreachable` (a try to connect failed; the next follows by itself), `problem`
 * (a Problem nobody waits for) and `ice` (fresh credentials nobody asked for).
 */
export class Signaling extends EventTarget {
  #socket;
  /** @type {Map<string, { resolve: (value: any) => void, reject: (problem: Problem) => void }>} */
  #waiting = new Map();
  /** @type {Promise<Ice> | null} */
  #ice = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #comeBack;
  /** What proves, over another connection, who we were. @type {string | null} */
  #token = null;
  /** The number of the last event that we were told as a member. */
  #seen = 0;
  /** The number of our last signal. */
  #last = 0;
  /** Signals that the server may not have. @type {{ name: string, payload: { seq: number } }[]} */
  #sent = [];
  /** Whether this connection is the one of our membership. */
  #inside = false;
  /** Three calls that search at once may have more to say than the server takes at once. */
  #pace = new Pace(({ name, payload }) => this.#socket.emit(name, payload));

  /** @param {string | null} url null means the origin of the page */
  constructor(url) {
    super();
    const options = {
      transports: ["websocket", "polling"],
      // Without it the library tries the first alone, and some networks let no WebSocket through.
      tryAllTransports: true,
      autoConnect: false,
      reconnectionDelayMax: 4000,
    };
    this.#socket = url ? io(url, options) : io(options);
    this.#socket.on("connect", () => this.#fire("up"));
    this.#socket.on("disconnect", (/** @type {string} */ reason) => this.#lost(reason));
    this.#socket.on("connect_error", () => this.#fire("unreachable"));
    for (const name of FROM_PEERS) this.#socket.on(name, (/** @type {any} */ detail) => this.#told(name, detail));
    for (const name of ["joined", "resumed", "ice"]) {
      this.#socket.on(name, (/** @type {any} */ detail) => this.#settle(name, detail));
    }
    this.#socket.on("problem", (/** @type {any} */ detail) => this.#refused(detail));
  }

  get connected() {
    return this.#socket.connected;
  }

  open() {
    this.#socket.connect();
  }

  /**
   * Enters a room.
   * @param {string} room
   * @param {string} name
   * @param {string | null} token opens the room, where one is needed
   * @returns {Promise<Joined>}
   */
  async join(room, name, token) {
    this.#token = null;
    return this.#ask("join", "joined", { room, name, token, resume: true });
  }

  /** Whether there is a membership to come back to. */
  get resumable() {
    return this.#token !== null;
  }

  /**
   * Goes on as the member that we were before the connection was lost; what we missed arrives as if nothing had
   * happened, and what the server missed is sent again.
   * @returns {Promise<Ice>}
   */
  async resume() {
    return this.#ask("resume", "resumed", { token: this.#token, seen: this.#seen });
  }

  /**
   * Fetches fresh credentials, as an ICE restart needs them.
   * @returns {Promise<Ice>}
   */
  ice() {
    this.#ice ??= this.#ask("ice", "ice", {}).finally(() => (this.#ice = null));
    return this.#ice;
  }

  /**
   * Sends one event to one member of the room.
   * @param {"offer" | "answer" | "candidate"} name
   * @param {object} payload
   */
  send(name, payload) {
    if (!this.#token) {
      // Outside nobody waits for us, so it is dropped: the member it was for will have another id then.
      if (this.#inside) this.#pace.add({ name, payload });
      return;
    }
    const signal = { name, payload: { ...payload, seq: (this.#last += 1) } };
    this.#sent.push(signal);
    if (this.#sent.length > KEPT) this.#sent.shift();
    if (this.#inside) this.#pace.add(signal);
  }

  /** Gives up the connection and makes another at once, without a pause as after a failure. */
  reconnect() {
    // Not a goodbye, after which there would be nothing to come back to.
    if (this.#socket.connected) this.#socket.io.engine.close();
    this.#socket.disconnect().connect();
  }

  /** Leaves the room, as if it had not been entered; another may be entered over the same connection. */
  leave() {
    this.#token = null;
    this.#inside = false;
    this.#pace.drop();
    this.#socket.emit("leave", {});
  }

  /** Leaves the room and ends the connection; nothing fires afterwards. */
  close() {
    clearTimeout(this.#comeBack);
    this.#pace.drop();
    if (this.#socket.connected) this.#socket.emit("leave", {});
    this.#socket.off();
    this.#socket.disconnect();
  }

  /**
   * Sends a request; the answer comes as an acknowledgement or as an event, whichever is first.
   * @param {string} name
   * @param {string} answer
   * @param {object} payload
   * @returns {Promise<any>}
   */
  #ask(name, answer, payload) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#refused({ code: "unreachable" }, answer), ANSWER_WITHIN);
      const once = (/** @type {(value: any) => void} */ act) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        act(value);
      };
      this.#waiting.set(answer, { resolve: once(resolve), reject: once(reject) });
      this.#socket.emit(name, payload, (/** @type {any} */ reply) => {
        if (reply?.code) this.#refused(reply, answer);
        else if (reply) this.#settle(answer, reply);
      });
    });
  }

  /**
   * @param {string} answer
   * @param {any} value
   */
  #settle(answer, value) {
    if (answer === "joined") this.#entered();
    if (answer === "resumed") this.#returned(value);
    this.#token = value.resume?.token ?? this.#token;
    const waiting = this.#waiting.get(answer);
    this.#waiting.delete(answer);
    if (waiting) waiting.resolve(value);
    else if (answer === "ice") this.#fire("ice", value);
  }

  #entered() {
    this.#inside = true;
    this.#seen = this.#last = 0;
    this.#sent = [];
  }

  /** @param {{ received: number }} value */
  #returned({ received }) {
    this.#inside = true;
    this.#sent = this.#sent.filter(({ payload }) => payload.seq > received);
    for (const signal of this.#sent) this.#pace.add(signal);
  }

  /**
   * @param {string} name
   * @param {any} detail
   */
  #told(name, detail) {
    this.#seen = detail?.seq ?? this.#seen;
    this.#fire(name, detail);
  }

  /**
   * @param {{ code: string, message?: string }} detail
   * @param {string} [answer] what was asked for; a problem sent by itself concerns whoever waits to join
   */
  #refused({ code, message = code }, answer = "joined") {
    const problem = new Problem(code, message);
    if (answer === "resumed" && code !== "unreachable") this.#token = null;
    const waiting = this.#waiting.get(answer);
    this.#waiting.delete(answer);
    if (waiting) waiting.reject(problem);
    else this.#fire("problem", problem);
  }

  /** @param {string} reason */
  #lost(reason) {
    this.#inside = false;
    this.#pace.drop(true);
    // After being sent away the client library does not come back by itself.
    if (reason === "io server disconnect") this.#comeBack = setTimeout(() => this.open(), COME_BACK_AFTER);
    for (const { reject } of this.#waiting.values()) reject(new Problem("unreachable", "disconnected"));
    this.#waiting.clear();
    this.#fire("down");
  }

  /**
   * @param {string} name
   * @param {any} [detail]
   */
  #fire(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
