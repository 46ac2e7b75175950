/** A way to a TCP port that can be cut, as when a machine changes its network: no goodbye reaches the other end. */

import { once } from "node:events";
import { connect, createServer } from "node:net";

/** @param {number} target a port of the loopback address */
export async function openTcpGate(target) {
  /** @type {Set<import("node:net").Socket>} */
  const ends = new Set();
  let isOpen = true;
  const server = createServer((near) => {
    if (!isOpen) return void near.destroy();
    const far = connect(target, "127.0.0.1");
    for (const [one, other] of [[near, far], [far, near]]) {
      ends.add(one);
      one.pipe(other);
      one.on("error", () => {});
      one.on("close", () => {
        ends.delete(one);
        other.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    port,
    /** Cuts every connection and takes none until `open`. */
    cut() {
      isOpen = false;
      for (const end of ends) end.resetAndDestroy();
    },
    open() {
      isOpen = true;
    },
    /** @param {number} other where connections go from now on */
    lead(other) {
      target = other;
    },
    close() {
      for (const end of ends) end.destroy();
      server.close();
    },
  };
}
