/** A UDP forwarder in front of the TURN server that can be shut, as a path that breaks. */

import { createSocket } from "node:dgram";
import { once } from "node:events";

/** Opens the gate on a free port; `lead` says where to. */
export async function openGate() {
  const front = createSocket("udp4");
  /** @type {Map<number, import("node:dgram").Socket>} by the client's port */
  const backs = new Map();
  let target = 0;
  let shut = false;

  front.on("message", (datagram, client) => {
    if (shut || !target) return;
    let back = backs.get(client.port);
    if (!back) {
      back = createSocket("udp4");
      back.on("message", (reply) => shut || front.send(reply, client.port, client.address));
      backs.set(client.port, back);
    }
    back.send(datagram, target, "127.0.0.1");
  });
  front.bind(0, "127.0.0.1");
  await once(front, "listening");

  return {
    port: front.address().port,
    /** @param {number} port */
    lead(port) {
      for (const back of backs.values()) back.close();
      backs.clear();
      target = port;
    },
    shut: () => (shut = true),
    open: () => (shut = false),
    close() {
      front.close();
      for (const back of backs.values()) back.close();
    },
  };
}

/** @typedef {Awaited<ReturnType<typeof openGate>>} Gate */
