/** The same client over each dialect: `send`, `next`, `close`. */

import { io } from "socket.io-client";
import WebSocket from "ws";

import { fromServer } from "./schema.mjs";
import { within } from "./server.mjs";

const EVENTS = [
  "joined", "resumed", "peer-joined", "peer-reconnecting", "peer-reconnected", "peer-left", "waiting",
  "offer", "answer", "candidate", "ice", "problem",
];

/** Keeps what a client was sent, until the test asks for it. */
class Inbox {
  #kept = [];
  #waiting = [];
  #ended = Promise.withResolvers?.() ?? deferred();

  push(type, payload) {
    const taker = this.#waiting.shift();
    if (taker) taker([type, payload]);
    else this.#kept.push([type, payload]);
  }

  /** The next event, of whatever type. */
  async any(what = "an event", ms = 5000) {
    const taken = this.#kept.shift();
    return taken ?? within(ms, new Promise((resolve) => this.#waiting.push(resolve)), what);
  }

  /** The next event, which must be of this type. */
  async next(type, ms) {
    const arrival = await this.any(type, ms);
    if (arrival[0] !== type) throw new Error(`wanted ${type}, got ${JSON.stringify(arrival)}`);
    return arrival[1];
  }

  /** How many events have come that nobody asked for. */
  get spare() {
    return this.#kept;
  }

  end(reason) {
    this.#ended.resolve(reason);
  }

  get ended() {
    return within(60_000, this.#ended.promise, "the end of the connection");
  }
}

function deferred() {
  const it = {};
  it.promise = new Promise((resolve) => (it.resolve = resolve));
  return it;
}

/** Connects with socket.io-client; `options` are its own. */
export async function socketIo(server, options = {}) {
  const inbox = new Inbox();
  const socket = io(server.url, { reconnection: false, forceNew: true, ...options });
  for (const event of EVENTS) socket.on(event, (payload) => inbox.push(event, payload));
  socket.on("disconnect", (reason) => inbox.end(reason));
  const connected = new Promise((resolve, reject) => {
    socket.on("connect", resolve);
    socket.on("connect_error", reject);
  });
  await within(5000, connected, "the connection");
  return {
    socket,
    send: (type, payload = {}) => socket.emit(type, payload),
    ask: (type, payload = {}) => socket.timeout(5000).emitWithAck(type, payload),
    next: (type, ms) => inbox.next(type, ms),
    any: () => inbox.any(),
    close: () => socket.disconnect(),
    ended: () => inbox.ended,
    spare: () => inbox.spare,
  };
}

/** Connects with ws; `options` are its own. */
export async function plain(server, options = {}) {
  const inbox = new Inbox();
  const socket = new WebSocket(server.ws, options);
  socket.on("message", (data) => {
    const message = JSON.parse(data.toString());
    // Whatever a test is about, what the server says is always as the schema has it.
    if (socket.url.endsWith("/ws") && fromServer(message)) inbox.push("schema", fromServer(message));
    const { type, ...payload } = message;
    inbox.push(type, payload);
  });
  socket.on("close", (code, reason) => inbox.end({ code, reason: reason.toString() }));
  const opened = new Promise((resolve, reject) => {
    socket.on("open", resolve);
    socket.on("error", reject);
  });
  await within(5000, opened, "the connection");
  return {
    socket,
    send: (type, payload = {}) => socket.send(JSON.stringify({ type, ...payload })),
    next: (type, ms) => inbox.next(type, ms),
    any: () => inbox.any(),
    close: () => socket.close(),
    ended: () => inbox.ended,
    spare: () => inbox.spare,
  };
}

/** Every way in: a name, and a function that connects. */
export const WAYS = [
  ["Socket.IO, polling only", (server, more) => socketIo(server, { transports: ["polling"], ...more })],
  ["Socket.IO, WebSocket only", (server, more) => socketIo(server, { transports: ["websocket"], ...more })],
  ["Socket.IO, upgraded", upgraded],
  ["plain WebSocket", plain],
];

async function upgraded(server, more) {
  const client = await socketIo(server, more);
  const { engine } = client.socket.io;
  if (engine.transport.name !== "websocket") {
    await within(5000, new Promise((resolve) => engine.once("upgrade", resolve)), "the upgrade");
  }
  return client;
}

/** Joins and returns the answer. */
export async function join(client, room, name = "") {
  client.send("join", { room, name });
  return client.next("joined");
}

/** Two clients in one room, and their ids. */
export async function pair(server, room, first = plain, second = plain) {
  const anna = await first(server);
  const ben = await second(server);
  const annas = (await join(anna, room, "Anna")).self.id;
  const bens = (await join(ben, room, "Ben")).self.id;
  await anna.next("peer-joined");
  return { anna, ben, annas, bens };
}
