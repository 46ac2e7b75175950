/**
 * One ICE candidate, read from its SDP line (RFC 8839 §5.1).
 * @typedef {object} Candidate
 * @property {string} type host, srflx, prflx or relay
 * @property {string} protocol udp or tcp
 * @property {string} address empty when the browser hides it
 * @property {number} port
 * @property {number} priority
 * @property {string} related the base or mapped address behind it, `address:port`, or empty
 * @property {string} ufrag names the round of gathering it belongs to; empty when the line has none
 */

/**
 * Reads a candidate line; null for what is not one, such as the empty line that ends gathering.
 * @param {string} line
 * @returns {Candidate | null}
 */
export function parseCandidate(line) {
  const words = line.replace(/^(a=)?candidate:/, "").trim().split(/\s+/);
  if (words.length < 8 || words[6] !== "typ") return null;
  const [, , protocol, priority, address, port, , type, ...rest] = words;
  const extra = new Map();
  for (let i = 0; i + 1 < rest.length; i += 2) extra.set(rest[i], rest[i + 1]);
  const related = extra.get("raddr");
  return {
    type,
    protocol: protocol.toLowerCase(),
    address,
    port: Number(port),
    priority: Number(priority),
    related: related && Number(extra.get("rport")) > 0 ? place(related, Number(extra.get("rport"))) : "",
    ufrag: extra.get("ufrag") ?? "",
  };
}

/**
 * Writes address and port the way URLs do: IPv6 in brackets.
 * @param {string} address
 * @param {number} port
 */
export function place(address, port) {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

/**
 * Tells whether the address is a stand-in that hides the real one (multicast DNS, or nothing at all).
 * @param {string | undefined} address
 */
export function isHidden(address) {
  return !address || address.endsWith(".local");
}
