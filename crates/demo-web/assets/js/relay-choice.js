/** Which way a call may go: any, or only through relays, and over what the browser reaches them. */

/** @typedef {"off" | "any" | "udp" | "tcp" | "tls"} Relay off allows direct paths, too */

/**
 * What the browser and a relay speak over, from its URI (RFC 7065); null when it is no relay's.
 * @param {string} uri
 */
export function transportOf(uri) {
  const [, scheme, transport] = /^(turns?):[^?]*(?:\?transport=(\w+))?$/i.exec(uri) ?? [];
  if (!scheme) return null;
  const secure = scheme.toLowerCase() === "turns";
  const over = transport?.toLowerCase() ?? (secure ? "tcp" : "udp");
  if (!secure) return over;
  // Browsers do not speak DTLS to relays.
  return over === "tcp" ? "tls" : "dtls";
}

/**
 * The ICE servers that the choice leaves.
 * @param {readonly RTCIceServer[]} servers
 * @param {Relay} relay
 * @returns {RTCIceServer[]}
 */
export function allowed(servers, relay) {
  if (relay === "off" || relay === "any") return [...servers];
  return servers
    .map((server) => ({ ...server, urls: [server.urls].flat().filter((uri) => transportOf(uri) === relay) }))
    .filter(({ urls }) => urls.length > 0);
}

/**
 * Tells whether relays are needed and none is left.
 * @param {readonly RTCIceServer[]} servers
 * @param {Relay} relay
 */
export function lacksRelay(servers, relay) {
  const uris = allowed(servers, relay).flatMap(({ urls }) => urls);
  return relay !== "off" && !uris.some((uri) => transportOf(uri) !== null);
}
