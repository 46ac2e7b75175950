/** A way to TURN servers over UDP that is not as it should be: all come from one port, or each datagram goes to another server. */

import { createSocket } from "node:dgram";
import { once } from "node:events";

/**
 * @param {number[]} targets ports of the loopback address; a client's datagrams go to each of them in turn
 * @param {boolean} [narrow] whether all clients share one port, as behind a router that gives it away too soon
 */
export async function openOddGate(targets, narrow = false) {
  const front = createSocket("udp4");
  /** @type {Map<string, { back: import("node:dgram").Socket, sent: number }>} by the client */
  const ways = new Map();
  /** Who has asked what, by the transaction. @type {Map<string, import("node:dgram").RemoteInfo>} */
  const asked = new Map();
  front.on("message", (datagram, client) => {
    const key = narrow ? "all" : `${client.address} ${client.port}`;
    const way = ways.get(key) ?? { back: createSocket("udp4"), sent: 0 };
    if (!ways.has(key)) {
      ways.set(key, way);
      way.back.on("message", (reply) => {
        const { port, address } = asked.get(transaction(reply)) ?? client;
        front.send(reply, port, address);
      });
    }
    asked.set(transaction(datagram), client);
    way.back.send(datagram, targets[way.sent++ % targets.length], "127.0.0.1");
  });
  front.bind(0, "127.0.0.1");
  await once(front, "listening");
  return {
    port: front.address().port,
    close() {
      front.close();
      for (const { back } of ways.values()) back.close();
    },
  };
}

/** RFC 8489 §5. @param {Buffer} message */
function transaction(message) {
  return message.toString("hex", 8, 20);
}
