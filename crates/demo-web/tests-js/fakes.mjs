/** What a call needs of a browser and of the server, with a clock that the test turns. */

import { register } from "node:module";
import { mock } from "node:test";

// The page loads Socket.IO's client from its origin, which Node has none of.
register(`data:text/javascript,${encodeURIComponent(`
  export function resolve(name, context, next) {
    if (name !== "/vendor/socket.io.esm.min.js") return next(name, context);
    return { url: "data:text/javascript,export const io = (...all) => globalThis.io(...all);", shortCircuit: true };
  }
`)}`);

class Stream {
  getTracks() {
    return [];
  }
}

/** A connection that connects when the test says so, and whose pair has received what the test says. */
export class Peer extends EventTarget {
  connectionState = "new";
  signalingState = "stable";
  /** @type {any} */
  localDescription = null;
  /** @type {any} */
  remoteDescription = null;
  /** How often another search was asked for. */
  restarts = 0;
  /** How much comes with each reading. */
  flow = 1000;
  /** What else its statistics have. @type {any[]} */
  stats = [];
  #received = 0;
  #at = 0;
  /** @type {any[]} */
  #lines = [];

  /** @param {any} configuration */
  constructor(configuration) {
    super();
    this.configuration = configuration;
    peers.push(this);
  }

  /** @param {any} configuration */
  setConfiguration(configuration) {
    this.configuration = configuration;
  }

  getTransceivers() {
    return this.#lines;
  }

  /** @param {string} kind */
  addTransceiver(kind) {
    this.#lines.push({ receiver: { track: { kind } }, sender: { track: null } });
    if (this.#lines.length === 1) this.#needed();
  }

  createDataChannel() {
    return new EventTarget();
  }

  restartIce() {
    this.restarts += 1;
    this.#needed();
  }

  async setLocalDescription() {
    const type = this.signalingState === "have-remote-offer" ? "answer" : "offer";
    const description = { type, sdp: sdp(`local${this.restarts}`) };
    this.localDescription = { ...description, toJSON: () => description };
    this.signalingState = type === "offer" ? "have-local-offer" : "stable";
  }

  /** @param {any} description */
  async setRemoteDescription(description) {
    this.remoteDescription = description;
    this.signalingState = description.type === "offer" ? "have-remote-offer" : "stable";
  }

  async addIceCandidate() {}

  async getStats() {
    this.#received += this.flow;
    const end = { protocol: "udp", candidateType: "host", port: 1 };
    return new Map([
      { type: "candidate-pair", id: "P", selected: true, localCandidateId: "L", remoteCandidateId: "R", bytesReceived: this.#received, timestamp: (this.#at += 1000) },
      { type: "local-candidate", id: "L", ...end },
      { type: "remote-candidate", id: "R", ...end },
      ...this.stats,
    ].map((stat) => [stat.id, stat]));
  }

  /** @param {string} state */
  become(state) {
    this.connectionState = state;
    this.dispatchEvent(new Event("connectionstatechange"));
  }

  close() {
    this.connectionState = this.signalingState = "closed";
  }

  #needed() {
    // Lines that an answer will name need no offer.
    queueMicrotask(() => this.signalingState === "stable" && this.dispatchEvent(new Event("negotiationneeded")));
  }
}

/** All connections that were made, the newest last. @type {Peer[]} */
export const peers = [];

/** The client's end of a connection to a server that answers when the test says so. */
export class Socket {
  connected = false;
  /** How often it was to be connected. */
  connects = 0;
  /** @type {{ name: string, payload: any, answer: (reply: any) => void }[]} */
  sent = [];
  io = { engine: { close: () => {} } };
  /** @type {Map<string, (detail?: any) => void>} */
  #handlers = new Map();

  /** @param {string} name @param {(detail?: any) => void} handle */
  on(name, handle) {
    this.#handlers.set(name, handle);
  }

  off() {
    this.#handlers.clear();
  }

  /** @param {string} name @param {any} [detail] */
  tell(name, detail) {
    this.#handlers.get(name)?.(detail);
  }

  /** @param {string} name @param {any} payload @param {(reply: any) => void} [answer] */
  emit(name, payload, answer = () => {}) {
    this.sent.push({ name, payload, answer });
  }

  /** The last of what was sent under this name. @param {string} name */
  asked(name) {
    return this.sent.findLast((event) => event.name === name) ?? { payload: null, answer: () => {} };
  }

  connect() {
    this.connects += 1;
    return this;
  }

  disconnect() {
    if (this.connected) {
      this.connected = false;
      this.tell("disconnect", "io client disconnect");
    }
    return this;
  }

  /** The server takes the connection. */
  up() {
    this.connected = true;
    this.tell("connect");
  }
}

/** All sockets that were made, the newest last. @type {Socket[]} */
export const sockets = [];

const page = new EventTarget();
const values = {
  MediaStream: Stream,
  RTCPeerConnection: Peer,
  window: page,
  navigator: { onLine: true },
  io: () => {
    const socket = new Socket();
    sockets.push(socket);
    return socket;
  },
};
for (const [name, value] of Object.entries(values)) Object.defineProperty(globalThis, name, { value, configurable: true });

/** The clock stands until `pass`; what other tests made is forgotten. */
export function begin() {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  peers.length = sockets.length = 0;
}

/**
 * Lets time go by, and what follows from it happen.
 * @param {number} ms
 */
export async function pass(ms) {
  await settled();
  for (let rest = ms; rest > 0; rest -= 100) {
    mock.timers.tick(Math.min(100, rest));
    await settled();
  }
}

/** What the browser tells the page. @param {string} name */
export function told(name) {
  page.dispatchEvent(new Event(name));
}

/** @param {string} ufrag */
export function sdp(ufrag) {
  return `v=0\r\na=ice-ufrag:${ufrag}\r\n`;
}

function settled() {
  return new Promise((resolve) => void setImmediate(resolve));
}
