/** Pages of other people, at an origin of their own, with the unmodified clients of PeerJS and y-webrtc. */

import { once } from "node:events";
import { createServer } from "node:http";

import { build } from "esbuild";

/** What such a page's build puts together; the packages are as npm has them. */
const SCRIPT = `
import { Peer } from "peerjs";
import { WebrtcProvider } from "y-webrtc";
import * as Y from "yjs";
Object.assign(window, { Peer, WebrtcProvider, Y });
`;

const PAGE = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/script.js"></script>';

/** Serves the page until it is closed. */
export async function openGuests() {
  const { outputFiles } = await build({
    stdin: { contents: SCRIPT, resolveDir: import.meta.dirname },
    bundle: true,
    write: false,
    define: { global: "window" },
  });
  const script = outputFiles[0].text;
  const server = createServer((request, response) => {
    const isScript = request.url === "/script.js";
    response.setHeader("content-type", `text/${isScript ? "javascript" : "html"}; charset=utf-8`);
    response.end(isScript ? script : PAGE);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    origin: `http://127.0.0.1:${port}`,
    /** The same pages from an origin that nobody has admitted. */
    foreign: `http://localhost:${port}`,
    close: () => void server.close(),
  };
}
